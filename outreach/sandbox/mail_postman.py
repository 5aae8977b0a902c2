"""Does what the books say is due about mails: moves them on, posts events in batches, lets mailboxes answer."""

import asyncio
import json
import logging
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

import aiohttp
from cryptography.hazmat.primitives.asymmetric import ec
from yarl import URL

from outreach.sandbox import mail_events, webhooks
from outreach.sandbox.books import Errand
from outreach.sandbox.faults import Fault
from outreach.sandbox.mail_books import DueMail, Entry
from outreach.sandbox.mail_fates import SUPPRESSIONS
from outreach.sandbox.state import State

log = logging.getLogger(__name__)

LARGEST_BATCH = 1000
# SendGrid gathers events for a while; so does this, a shorter while.
NAP_SECONDS = 0.03
POSTING_SECONDS = 30.0
# Batches and answers that may wait for a free hand; after that the books wait.
WAITING = 20


def answer(state: State, mail: Entry, text: str, *, machine: bool = False, attachment: bool = False) -> Entry:
    """The owner of the mailbox answers a mail."""
    request = json.loads(state.mails.body(mail.n))
    message = mail_events.answer(mail, request, text, machine=machine, attachment=attachment)
    written = state.mails.add(
        direction="in",
        mailbox=mail.mailbox,
        from_=mail.mailbox,
        subject=str(message["Subject"]),
        body=message.as_bytes(),
        status="automatic" if machine else "received",
        id_=str(message["Message-ID"]).strip("<>"),
    )
    told = state.dials.inbound_mail_url is not None
    state.mails.plan(written.n, [Errand("inbound", None, None, written.created, 0, int(told))])
    return written


class MailPostman:
    """One task reads the books; a fixed number of others post."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._queue: asyncio.Queue[list[DueMail]] = asyncio.Queue(maxsize=WAITING)
        self._posting: set[int] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._session: aiohttp.ClientSession | None = None
        # Nobody has this one's public key.
        self._wrong = ec.generate_private_key(ec.SECP256R1())

    async def start(self) -> None:
        pool = self._state.config.callback_pool
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=pool), cookie_jar=aiohttp.DummyCookieJar(), skip_auto_headers=("User-Agent",)
        )
        self._tasks = [asyncio.create_task(self._post_forever()) for _ in range(pool)]
        self._tasks.append(asyncio.create_task(self._read_forever()))

    async def stop(self) -> None:
        """What was being posted is posted again after the next start: its errand is still open in the books."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _read_forever(self) -> None:
        while True:
            nap = NAP_SECONDS
            try:
                if not self._state.dials.paused:
                    await self._read()
            except Exception as error:  # noqa: BLE001  One bad row must not stop all later events.
                log.error("sandbox.mail_postman_failed error=%s", type(error).__name__)
                nap = 1.0
            await asyncio.sleep(nap)

    async def _read(self) -> None:
        """Hands out what is due: events in batches, the rest one by one."""
        state, now = self._state, time.time()
        # Errands in flight are still open in the books, so as many more are asked for.
        due = state.mails.due(now, LARGEST_BATCH + len(self._posting))
        fresh = [item for item in due if item.n not in self._posting]
        batches: dict[bool, list[DueMail]] = {False: [], True: []}
        singles: list[list[DueMail]] = []
        finished: list[int] = []
        for item in fresh:
            errand = item.errand
            if errand.kind == "status" and errand.moves and errand.status:
                self._move(item.mail, errand.status)
            if errand.kind == "reply":
                answer(state, item.mail, **json.loads(errand.body or "{}"))
            if not errand.posts:
                finished.append(item.n)
            elif errand.kind == "status":
                batches[errand.fault == Fault.BAD_SIGNATURE].append(item)
            else:
                singles.append([item])
        if finished:
            state.mails.finish(finished)
        for items in [*batches.values(), *singles]:
            if items:
                self._posting.update(item.n for item in items)
                state.in_flight.update(-item.n for item in items)
                await self._queue.put(items)

    def _move(self, mail: Entry, status: str) -> None:
        self._state.mails.move(mail, status)
        if status in SUPPRESSIONS:
            self._state.mails.suppress(mail.mailbox, SUPPRESSIONS[status])

    async def _post_forever(self) -> None:
        while True:
            items = await self._queue.get()
            try:
                await self._post(items)
            except Exception as error:  # noqa: BLE001  The next batch has nothing to do with this one's trouble.
                log.error("sandbox.mail_callback_failed error=%s", type(error).__name__)
                self._state.mails.finish([item.n for item in items], detail=type(error).__name__)
            finally:
                self._posting.difference_update(item.n for item in items)
                self._state.in_flight.difference_update(-item.n for item in items)

    async def _post(self, items: Sequence[DueMail]) -> None:
        match items[0].errand.kind:
            case "inbound":
                status, failure = await self._inbound(items[0].mail)
            case "oneclick":
                status, failure = await self._one_click(items[0].mail)
            case _:
                status, failure = await self._events(items)
        self._state.mails.finish([item.n for item in items], http_status=status, detail=failure)
        # Anything but 2xx is tried again: SendGrid does so for a day, and for three with answers it could not hand over.
        if (status is None or not 200 <= status < 300) and failure != "no address":
            config = self._state.config
            for item in items:
                if item.errand.tries < config.callback_retries:
                    delay = config.retry_delay_ms / 1000 * 2**item.errand.tries
                    again = item.errand._replace(due=time.time() + delay, moves=0, tries=item.errand.tries + 1)
                    self._state.mails.plan(item.mail.n, [again])

    async def _events(self, items: Sequence[DueMail]) -> tuple[int | None, str | None]:
        now = time.time()
        told = [mail_events.event(item.mail, item.errand.status or "", item.errand.error or 0, now) for item in items]
        body = json.dumps(told).encode()
        key = self._wrong if items[0].errand.fault == Fault.BAD_SIGNATURE else self._state.mail_key
        return await self._send(self._state.dials.mail_events_url, body, mail_events.signed(key, body, now))

    async def _inbound(self, mail: Entry) -> tuple[int | None, str | None]:
        state = self._state
        form = mail_events.form(state.mails.body(mail.n), mail.mailbox, as_raw=state.dials.raw_inbound)
        headers = {"Authorization": mail_events.authorization(state.config.inbound_mail_password), "User-Agent": "SendGrid/1.0"}
        return await self._send(state.dials.inbound_mail_url, form, headers)

    async def _one_click(self, mail: Entry) -> tuple[int | None, str | None]:
        """What a mail program does when its user clicks its own "Unsubscribe" (RFC 8058)."""
        header = str(json.loads(self._state.mails.body(mail.n)).get("headers", {}).get("List-Unsubscribe", ""))
        urls = [part.strip().strip("<>") for part in header.split(",")]
        url = next((url for url in urls if url.startswith(("http://", "https://"))), None)
        return await self._send(url, b"List-Unsubscribe=One-Click", {"Content-Type": "application/x-www-form-urlencoded"})

    async def _send(
        self, url: str | None, body: bytes | aiohttp.FormData, headers: dict[str, str]
    ) -> tuple[int | None, str | None]:
        """HTTP status, or what went wrong instead."""
        assert self._session is not None  # start() came first.
        if url is None:
            return None, "no address"
        config = self._state.config
        address = webhooks.address(url, retries=0, public_base=config.public_base, local_base=config.local_base)
        headers = headers | {"Host": urlsplit(address.signed).netloc}
        try:
            async with self._session.post(
                URL(address.target, encoded=True),
                data=body,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=POSTING_SECONDS),
                allow_redirects=False,
            ) as response:
                return response.status, None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return None, type(error).__name__

"""Does what the books say is due: moves texts on, posts callbacks, lets phones answer."""

import asyncio
import hashlib
import logging
import time
from urllib.parse import urlencode, urlsplit

import aiohttp
from yarl import URL

from outreach.sandbox import phones, webhooks
from outreach.sandbox.books import DueErrand, Errand
from outreach.sandbox.faults import Fault
from outreach.sandbox.state import State

log = logging.getLogger(__name__)

# How many errands are taken from the books at once. It bounds memory, and how many posts may wait for a free hand.
BATCH = 200
# The longest nap while something is due later; a new text can be due before the one that was waited for.
NAP_SECONDS = 0.01
IDLE_NAP_SECONDS = 0.05


class Postman:
    """One task reads the books; a fixed number of others post."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._queue: asyncio.Queue[DueErrand] = asyncio.Queue(maxsize=BATCH)
        self._tasks: list[asyncio.Task[None]] = []
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        pool = self._state.config.callback_pool
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=pool, limit_per_host=pool),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Content-Type"),
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
            try:
                nap = await self._read()
            except Exception as error:  # noqa: BLE001  One bad row must not stop all later callbacks.
                log.error("sandbox.postman_failed error=%s", type(error).__name__)
                nap = 1.0
            await asyncio.sleep(nap)

    async def _read(self) -> float:
        """Hands out what is due; returns how long to sleep."""
        state = self._state
        if state.dials.paused:
            return IDLE_NAP_SECONDS
        now = time.time()
        # Errands in flight are still open in the books, so as many more are asked for.
        due = [errand for errand in state.books.due(now, BATCH + len(state.in_flight)) if errand.n not in state.in_flight]
        for item in due:
            await self._begin(item, now)
        if due:
            return 0
        next_due = state.books.next_due()
        return IDLE_NAP_SECONDS if next_due is None else min(max(next_due - now, 0.001), NAP_SECONDS)

    async def _begin(self, item: DueErrand, now: float) -> None:
        state, errand, message = self._state, item.errand, item.message
        if errand.kind == "reply":
            phones.answer(state, message.to, errand.body or "", to=message.from_)
            state.books.finish(item.n)
            return
        if errand.moves and errand.status:
            sender = message.from_ or state.config.default_number
            state.books.move(message, errand.status, errand.error, from_=sender, now=now)
        if errand.posts:
            state.in_flight.add(item.n)
            await self._queue.put(item)
        else:
            state.books.finish(item.n)

    async def _post_forever(self) -> None:
        while True:
            item = await self._queue.get()
            try:
                await self._post(item)
            except Exception as error:  # noqa: BLE001  The next callback has nothing to do with this one's trouble.
                log.error("sandbox.callback_failed error=%s", type(error).__name__)
                self._state.books.finish(item.n, detail=type(error).__name__)
            finally:
                self._state.in_flight.discard(item.n)

    async def _post(self, item: DueErrand) -> None:
        state, errand, message = self._state, item.errand, item.message
        inbound = errand.kind == "inbound"
        url = state.dials.inbound_url if inbound else message.callback
        if url is None:
            state.books.finish(item.n, detail="no address")
            return
        config = state.config
        address = webhooks.address(
            url, retries=config.callback_retries, public_base=config.public_base, local_base=config.local_base
        )
        fields = (
            phones.inbound_fields(state, message)
            if inbound
            else phones.status_fields(state, message, errand.status or "", errand.error)
        )
        token = "not-" + config.auth_token if errand.fault == Fault.BAD_SIGNATURE else config.auth_token
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
            "User-Agent": "TwilioProxy/1.1",
            "X-Twilio-Signature": webhooks.signature(token, address.signed, fields),
            # The same for each attempt at the same report.
            "I-Twilio-Idempotency-Token": _token(message.sid, errand.status or "received"),
            "X-Home-Region": "us1",
            "Host": urlsplit(address.signed).netloc,
        }
        status, body, failure = await self._send(address, urlencode(fields).encode(), headers)
        if inbound and status is not None and 200 <= status < 300:
            state.books.finish(item.n, http_status=status, detail=self._replies(item, body, address.signed))
            return
        state.books.finish(item.n, http_status=status, detail=failure)
        if errand.tries < address.retries and address.retried(status, failure):
            delay = config.retry_delay_ms / 1000 * 2**errand.tries
            again = errand._replace(due=time.time() + delay, moves=0, tries=errand.tries + 1)
            state.books.plan(message.n, [Errand._make(again)])

    async def _send(self, address: webhooks.Address, body: bytes, headers: dict[str, str]) -> tuple[int | None, str, str | None]:
        """HTTP status, body, and `ct` or `rt` when there was no connection or no answer."""
        assert self._session is not None  # start() came first.
        timeout = aiohttp.ClientTimeout(sock_connect=address.connect_timeout, sock_read=address.read_timeout)
        try:
            async with self._session.post(
                URL(address.target, encoded=True), data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                return response.status, await response.text(errors="replace"), None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            return None, "", "ct"
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None, "", "rt"

    def _replies(self, item: DueErrand, twiml: str, base: str) -> str | None:
        """Sends what the answer asks to send; returns what was wrong with it, if anything."""
        try:
            answers = webhooks.answers(twiml, base=base)
        except webhooks.TwimlError as error:
            return str(error)
        for answer in answers:
            phones.reply(self._state, item.message, answer.text, to=answer.to, callback=answer.callback)
        return None


def _token(sid: str, status: str) -> str:
    digest = hashlib.blake2b(f"{sid}:{status}".encode(), digest_size=16).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:]}"

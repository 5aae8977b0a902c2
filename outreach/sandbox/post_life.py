"""What becomes of an accepted letter: its statuses and the scans of the post, planned at once and told by webhooks."""

import asyncio
import logging
import time
from collections.abc import Sequence

import aiohttp
from yarl import URL

from outreach.sandbox import life, webhooks
from outreach.sandbox.books import Errand
from outreach.sandbox.faults import Fault, Rule, draw
from outreach.sandbox.post_books import DueLetter, Letter
from outreach.sandbox.post_resource import event, signed
from outreach.sandbox.state import State

log = logging.getLogger(__name__)

# Without a rule a letter goes this way. Most carry a barcode that the post scans; PostGrid says "completed" by the calendar alone.
DELIVERED = ("ready", "printing", "processed_for_delivery", "entered_mail_stream", "out_for_delivery", "completed")
UNSCANNED = ("ready", "printing", "processed_for_delivery", "completed")
RETURNED = ("ready", "printing", "processed_for_delivery", "entered_mail_stream", "completed", "returned_to_sender")
REJECTED = ("ready", "cancelled")
# The final status that a rule of faults names -> the way there.
WAYS = {"delivered": DELIVERED, "sent": UNSCANNED, "undelivered": RETURNED, "failed": REJECTED}

# An address of this street always comes back.
NOBODY_THERE = "Nowhere"
# With a population: how many of the addresses are old.
SHARE_RETURNED = 0.04

POSTING_SECONDS = 15.0
NAP_SECONDS = 0.02
BATCH = 100


def way(address: str, fates: Sequence[Rule], *, seed: int, population: bool) -> tuple[str, ...]:
    """The words a letter to this address passes through."""
    if fates:
        return WAYS[fates[0].status]
    returned = NOBODY_THERE in address or (population and draw(seed, "returned", address) < SHARE_RETURNED)
    return RETURNED if returned else DELIVERED


def errands(letter: Letter, words: Sequence[str], spoilers: Sequence[Rule], *, delay: float, told: bool) -> list[Errand]:
    """`delay` is seconds between two words; the first is at once."""
    steps = [life.Step(word, None, letter.created + place * delay) for place, word in enumerate(words)]
    return life.errands(steps, spoilers, told=told)


class Rounds:
    """One task that moves letters on and tells about them."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._task: asyncio.Task[None] | None = None
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        pool = self._state.config.callback_pool
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=pool), cookie_jar=aiohttp.DummyCookieJar(), skip_auto_headers=("User-Agent",)
        )
        self._task = asyncio.create_task(self._forever())

    async def stop(self) -> None:
        """What was being posted is posted again after the next start: its errand is still open in the books."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _forever(self) -> None:
        while True:
            try:
                await self._round()
            except Exception as error:  # noqa: BLE001  One bad row must not stop all later letters.
                log.error("sandbox.letters_failed error=%s", type(error).__name__)
                await asyncio.sleep(1.0)
            await asyncio.sleep(NAP_SECONDS)

    async def _round(self) -> None:
        if self._state.dials.paused:
            return
        due = self._state.letters.due(time.time(), BATCH)
        posts = []
        for item in due:
            if item.errand.moves and item.errand.status:
                reason = "invalid_content" if item.errand.status == "cancelled" and item.letter.reason is None else None
                self._state.letters.move(item.letter, item.errand.status, reason=reason)
            if item.errand.posts:
                posts.append(item)
            else:
                self._state.letters.finish(item.n)
        # One letter's words in their order, different letters side by side.
        by_letter: dict[int, list[DueLetter]] = {}
        for item in posts:
            by_letter.setdefault(item.letter.n, []).append(item)
        await asyncio.gather(*(self._post_all(items) for items in by_letter.values()))

    async def _post_all(self, items: list[DueLetter]) -> None:
        for item in items:
            await self._post(item)

    async def _post(self, item: DueLetter) -> None:
        state, errand, config = self._state, item.errand, self._state.config
        letter = state.letters.find(item.letter.id)
        url = config.post_webhook_url
        if url and url.startswith("/"):
            url = (config.public_base or "").rstrip("/") + url
        if url is None or letter is None or errand.status is None:
            state.letters.finish(item.n, detail="no address")
            return
        secret = "not-" + config.post_webhook_secret if errand.fault == Fault.BAD_SIGNATURE else config.post_webhook_secret
        body, headers = signed(event(_as_of(letter, errand.status), errand.status), secret, config.post_webhook_format)
        address = webhooks.address(
            url, retries=config.callback_retries, public_base=config.public_base, local_base=config.local_base
        )
        http_status, failure = await self._send(address.target, body, headers)
        state.letters.finish(item.n, http_status=http_status, detail=failure)
        # PostGrid tries again after anything but 200, three times, hours apart; here as often as callbacks of texts, and sooner.
        if http_status != 200 and errand.tries < config.callback_retries:
            delay = config.retry_delay_ms / 1000 * 2**errand.tries
            state.letters.plan(letter, [errand._replace(due=time.time() + delay, moves=0, tries=errand.tries + 1)])

    async def _send(self, target: str, body: bytes, headers: dict[str, str]) -> tuple[int | None, str | None]:
        assert self._session is not None  # start() came first.
        timeout = aiohttp.ClientTimeout(total=POSTING_SECONDS)
        try:
            async with self._session.post(
                URL(target, encoded=True), data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                return response.status, None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return None, type(error).__name__


def _as_of(letter: Letter, word: str) -> Letter:
    """The letter as it was when it took this word: an event that comes late tells of its own moment."""
    if word not in DELIVERED and word != "returned_to_sender":
        return letter
    if word in ("entered_mail_stream", "out_for_delivery", "returned_to_sender"):
        return letter._replace(scan=word)
    return letter._replace(status=word, scan=None if word in UNSCANNED[:3] else letter.scan)

"""Dispatching: claim, call, record, again and again, with many calls in flight and no transaction open while they are.

    claim (one transaction) ──> send many at once ──> record (one transaction) ──> the next batch

Two crews do this side by side, so that one's calls are in flight while the other is at the database.
Killed anywhere, nothing is lost and nothing is sent twice: what was not committed is claimed again, and what was committed and
not recorded is found by the sweep and reconciled with the provider.
"""

import asyncio
import time
from collections.abc import Collection
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from outreach.delivery.claim import Batch, Claimed, Rules, claim, held_back
from outreach.delivery.limits import AHEAD_SECONDS, Limiter
from outreach.delivery.record import Limits, Result, record
from outreach.providers.contract import Provider, Receipt, Verdict

log = structlog.get_logger()

MARGIN_SECONDS = 2.0  # of a lease, left for recording
CREWS = 2
WATCH_SECONDS = 1.0  # between two looks at whether a batch may go on being sent: a pause acts within two seconds
NO_TURN_SECONDS = 5.0  # until a message is claimed again whose turn did not come within its batch's lease


@dataclass(frozen=True, slots=True)
class Pace:
    """How a dispatcher works: messages a batch, calls at once, seconds before it hands over, seconds one call may take.

    `limiter` makes each text wait for its turn over all workers; None where there is no limit.
    """

    batch: int
    in_flight: int
    seconds: float
    timeout: float
    limiter: Limiter | None = None


@dataclass(frozen=True, slots=True)
class Worked:
    """What a dispatch did: messages handed to the provider, and whether there may be more."""

    sent: int
    more: bool


def dispatch(
    sessions: sessionmaker[Session], provider: Provider[Any], channel: str, rules: Rules, limits: Limits, pace: Pace
) -> Worked:
    """Work until nothing is due or the time is up. Any number may run at once, on any number of machines."""
    return asyncio.run(_dispatch(sessions, provider, channel, rules, limits, pace))


async def _dispatch(
    sessions: sessionmaker[Session], provider: Provider[Any], channel: str, rules: Rules, limits: Limits, pace: Pace
) -> Worked:
    end = time.monotonic() + pace.seconds

    def claim_next() -> Batch:
        with sessions.begin() as session:
            return claim(session, channel, pace.batch, rules)

    def write_down(results: list[Result]) -> None:
        with sessions.begin() as session:
            record(session, results, limits, provider.name)

    async def crew(lanes: int) -> Worked:
        sent = 0
        while time.monotonic() < end:
            began = time.monotonic()
            batch = await asyncio.to_thread(claim_next)
            if not batch.seen:
                return Worked(sent, more=False)
            if not batch.claimed:
                continue
            # A worker that was frozen past its lease must not send: the sweep may have given the message to another.
            fence = began + rules.lease.total_seconds() - pace.timeout - MARGIN_SECONDS
            watch = Watch(sessions, [item.message_id for item in batch.claimed], provider.name)
            results = await _send_all(provider, batch.claimed, pace, fence, lanes, watch)
            await asyncio.to_thread(write_down, results)
            sent += sum(1 for r in results if r.receipt.verdict != Verdict.NOT_SENT)
        return Worked(sent, more=True)

    crews = min(CREWS, pace.in_flight)
    async with provider, pace.limiter or nullcontext():
        # A crew that fails does not keep the other from recording the answers that it waits for.
        ended = await asyncio.gather(*(crew(pace.in_flight // crews) for _ in range(crews)), return_exceptions=True)
    for each in ended:
        if isinstance(each, BaseException):
            raise each
    worked = [each for each in ended if isinstance(each, Worked)]
    return Worked(sum(each.sent for each in worked), any(each.more for each in worked))


class Watch:
    """Which of these claimed messages must not go any more, asked at most every second: a batch may take long."""

    def __init__(self, sessions: sessionmaker[Session], messages: Collection[UUID], provider: str) -> None:
        self._sessions, self._messages, self._provider = sessions, messages, provider
        self._asked_at, self._held_back = time.monotonic(), set[UUID]()

    async def holds_back(self, message_id: UUID) -> bool:
        at = time.monotonic()
        if at - self._asked_at >= WATCH_SECONDS:
            self._held_back, self._asked_at = await asyncio.to_thread(self._ask), at
        return message_id in self._held_back

    def _ask(self) -> set[UUID]:
        try:
            with self._sessions() as session:
                return held_back(session, self._messages, self._provider)
        except DBAPIError as error:
            # Whoever cannot ask whether it may go on does not go on.
            log.warning("dispatch.cannot_ask", error=type(error).__name__)
            return set(self._messages)


async def _send_all(
    provider: Provider[Any], claimed: tuple[Claimed, ...], pace: Pace, fence: float, lanes: int, watch: Watch
) -> list[Result]:
    """Send all, `lanes` at a time: each lane takes the next message as soon as it is free, and in the order of the turns."""
    waiting = iter(claimed)
    results: list[Result] = []
    gate = asyncio.Lock()

    async def lane() -> None:
        while True:
            # One at a time waits for its turn; the others have nothing in hand meanwhile.
            async with gate:
                item = next(waiting, None)
                if item is None:
                    return
                receipt = await _turn(item, pace, fence, watch)
            results.append(Result(item.message_id, receipt or await _send_one(provider, item)))

    await asyncio.gather(*(lane() for _ in range(min(lanes, len(claimed)))))
    return results


async def _turn(item: Claimed, pace: Pace, fence: float, watch: Watch) -> Receipt | None:
    """Wait until this message may go. Why it does not go at all, where its campaign was paused or no turn came in time."""
    token = item.envelope.token
    refused = Receipt(token, Verdict.NOT_SENT, code="lease_over")
    while (left := fence - time.monotonic()) > 0:
        if await watch.holds_back(item.message_id):
            return Receipt(token, Verdict.NOT_SENT, code="paused", retry_after=0.0)
        if pace.limiter is None:
            return None
        if not await pace.limiter.permit(item.segments, within=left):
            refused = Receipt(token, Verdict.NOT_SENT, code="no_turn", retry_after=NO_TURN_SECONDS)
            await asyncio.sleep(AHEAD_SECONDS / 2)
        elif not await watch.holds_back(item.message_id):  # The turn may have come seconds later.
            return None if time.monotonic() < fence else refused
    return refused


async def _send_one(provider: Provider[Any], item: Claimed) -> Receipt:
    try:
        return await provider.send(item.envelope)
    except Exception as error:  # noqa: BLE001  # whatever it is, the text may have gone
        # A provider's adapter that fails in its own code has not proved that nothing was sent.
        log.error("delivery.send_failed", attempt=str(item.envelope.token), error=type(error).__name__)
        return Receipt(item.envelope.token, Verdict.UNKNOWN, code=type(error).__name__)

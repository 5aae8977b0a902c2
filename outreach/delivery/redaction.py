"""Redaction: making the provider forget what texts said, once nobody needs to look them up by it.

A provider keeps every text for years, with the phone it went to. Ours are on file here, sealed; there they serve one purpose, which
is to recognise a text whose answer was lost. So a text is redacted when its fate is known and its destination has no attempt that
is undecided, two days after it was sent at the earliest (`redact_after_seconds`); replies as soon. Nothing is redacted while the
engine is frozen: after a restore the provider's books are the only ones.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, Self

import structlog
from sqlalchemy import Row, text
from sqlalchemy.orm import Session, sessionmaker

from outreach.delivery.projection import lock
from outreach.providers.contract import Unreachable
from outreach.tally import Tally

log = structlog.get_logger()

TRIES = 5  # then somebody has to look
RUN_SECONDS = 10.0  # for one run; the next sweep goes on
BATCH = 200
LANES = 10
FIRST_WAIT_SECONDS = 3600  # until the second try; each wait is twice the last


class Forgetful(Protocol):
    """A provider that can be made to forget."""

    name: str

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc: object) -> None: ...

    async def redact(self, provider_id: str) -> bool: ...


NOT_FROZEN = "not exists (select 1 from incarnation where frozen_at is not null)"

# A text whose last word is that it was sent is final after three days: some carriers report nothing more.
ATTEMPTS = f"""
    from attempt a
    where a.provider = :provider and a.redacted_at is null and a.provider_id is not null
      and a.state in ('sent', 'delivered', 'undelivered', 'failed')
      and (a.state <> 'sent' or a.finished_at <= now() - interval '72 hours')
      and a.finished_at <= now() - :after * interval '1 second'
      and not exists (
          select 1 from attempt other
          where other.channel = 'sms' and other.contact_point_id = a.contact_point_id and other.state in ('open', 'unknown'))
      and {NOT_FROZEN}
"""
REPLIES = f"""
    from reply a
    where a.provider = :provider and a.redacted_at is null
      and a.received_at <= now() - :after * interval '1 second' and {NOT_FROZEN}
"""
DUE = "and a.redactions < :tries and coalesce(a.redact_at <= now(), true)"
PARTS = {"attempt": (ATTEMPTS, "a.finished_at"), "reply": (REPLIES, "a.received_at")}
"""Where what is due of each table stands, and its order."""

# Taken for ten minutes, so that two runs never ask about the same one; what is asked nothing is due again then.
TAKE = """
    update {table} r set redact_at = now() + interval '10 minutes'
    from (select a.id {part} {due} order by {order} limit :size for update of a skip locked) due
    where r.id = due.id returning r.id, r.message_id, r.provider_id, r.redactions
"""
LOCK = "select 1 from {table} where id = any(:ids) order by id for no key update"
DONE = "update {table} set redacted_at = now(), redactions = redactions + 1, redact_at = null where id = any(:ids)"
NOT_YET = """
    update {table} set redactions = redactions + 1, redact_at = now() + :wait * power(2, redactions) * interval '1 second'
    where id = any(:ids)
"""


@dataclass(frozen=True, slots=True)
class Redacted:
    """What one run came to: counts. `given_up` are those that were tried for the last time."""

    done: int = 0
    refused: int = 0
    given_up: int = 0


def due(session: Session, provider: str, after: float) -> bool:
    """Whether there is anything to redact now. `after` is seconds since a text was sent."""
    values = {"provider": provider, "after": after, "tries": TRIES}
    return any(session.scalar(text(f"select exists (select 1 {part} {DUE})"), values) for part, _ in PARTS.values())


def redact(sessions: sessionmaker[Session], provider: Forgetful, after: float, *, seconds: float = RUN_SECONDS) -> Redacted:
    """Redact what is due, for at most so many seconds. Safe to repeat, and any number may run at once: each takes others."""
    return asyncio.run(_redact(sessions, provider, after, time.monotonic() + seconds))


async def _redact(sessions: sessionmaker[Session], provider: Forgetful, after: float, deadline: float) -> Redacted:
    done = refused = given_up = 0
    async with provider:
        for table in PARTS:
            while time.monotonic() < deadline:
                with sessions.begin() as session:
                    rows = take(session, table, provider.name, after)
                if not rows:
                    break
                answers = await _ask(provider, rows)
                # Nobody answered: the provider is away, which is no text's fault. Those taken are due again in ten minutes.
                if all(answer is None for answer in answers):
                    log.warning("redaction.unreachable", texts=len(rows))
                    return Redacted(done, refused, given_up)
                with sessions.begin() as session:
                    settle(session, table, rows, answers)
                done += sum(answer is True for answer in answers)
                refused += sum(answer is not True for answer in answers)
                given_up += sum(a is not True and row.redactions + 1 >= TRIES for row, a in zip(rows, answers, strict=True))
    if given_up:
        log.error("redaction.given_up", texts=given_up)
    return Redacted(done, refused, given_up)


def take(session: Session, table: str, provider: str, after: float) -> Sequence[Row[Any]]:
    """What to redact now, of the table `attempt` or `reply`."""
    part, order = PARTS[table]
    statement = TAKE.format(table=table, part=part, due=DUE, order=order)
    return session.execute(text(statement), {"provider": provider, "after": after, "tries": TRIES, "size": BATCH}).all()


async def _ask(provider: Forgetful, rows: Sequence[Row[Any]]) -> list[bool | None]:
    """What the provider says to each; None where it says nothing usable."""
    lanes = asyncio.Semaphore(LANES)

    async def ask(provider_id: str) -> bool | None:
        async with lanes:
            try:
                return await provider.redact(provider_id)
            except Unreachable:
                return None

    return list(await asyncio.gather(*(ask(row.provider_id) for row in rows)))


def settle(session: Session, table: str, rows: Sequence[Row[Any]], answers: Sequence[bool | None]) -> None:
    """Write down what the provider has done, and when the rest is tried again."""
    if table == "attempt":
        lock(session, [row.message_id for row in rows])
    session.execute(text(LOCK.format(table=table)), {"ids": [row.id for row in rows]})
    done = [row.id for row, answer in zip(rows, answers, strict=True) if answer]
    rest = [row.id for row, answer in zip(rows, answers, strict=True) if not answer]
    session.execute(text(DONE.format(table=table)), {"ids": done})
    session.execute(text(NOT_YET.format(table=table)), {"ids": rest, "wait": FIRST_WAIT_SECONDS})


@dataclass(frozen=True, slots=True)
class Held:
    """How many texts whose fate is known the provider still holds. `waiting` will be redacted, `given_up` not by itself."""

    waiting: int
    given_up: int
    oldest: datetime | None


HELD = Tally(
    "held",
    f"""
    with texts as (
        select provider, redactions, finished_at as at from attempt
        where redacted_at is null and state in ('sent', 'delivered', 'undelivered', 'failed')
        union all
        select provider, redactions, received_at from reply where redacted_at is null
    )
    select provider, min(at) as oldest, count(*) filter (where redactions < {TRIES}) as waiting,
        count(*) filter (where redactions >= {TRIES}) as given_up
    from texts group by provider
    """,
)


def held(session: Session, provider: str) -> Held:
    """What a provider still holds of the texts that it was given, and of those that came in."""
    for row in HELD.rows(session).rows:
        if row["provider"] == provider:
            return Held(row["waiting"], row["given_up"], datetime.fromisoformat(row["oldest"]) if row["oldest"] else None)
    return Held(0, 0, None)


def try_again(session: Session, provider: str) -> int:
    """Begin anew with those that were given up; how many."""
    again = """
        update {table} set redactions = 0, redact_at = null
        where provider = :provider and redacted_at is null and redactions >= :tries returning id
    """
    values = {"provider": provider, "tries": TRIES}
    return sum(len(session.execute(text(again.format(table=table)), values).all()) for table in PARTS)

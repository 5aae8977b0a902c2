"""Reconciling: finding out at the provider what became of an attempt whose outcome we do not know.

    unknown ──found in the provider's books──> accepted (or whatever it has become)
       └──── absent twice, the second time long enough after the lease──> ready again, as a new attempt

Only proven absence frees a new attempt. While an attempt is undecided, the schema lets nothing else go to that destination, so a
listing by destination is unambiguous: it is our text, or it is not there. Where the provider's books keep our token, it decides. A
provider without books (a mail relay) cannot prove anything: what it never answered stays unknown, and is put before a person
(`undecided`), as is what the books do not settle for long.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from outreach.access.sealing import Sealed, Vault, vault_of
from outreach.delivery import events, look, spending
from outreach.delivery.look import LookResult, Seen
from outreach.delivery.message import body_digest
from outreach.delivery.projection import lock, project
from outreach.providers.contract import Lost, Provider, Report, Standing, Unreachable

log = structlog.get_logger()

ASK_SECONDS = 60.0  # no look-up is begun later in one go: a provider that hangs must not hold up whatever its process does next
PATIENCE = 5  # times as long as else, before a poll that the provider did not answer is made again: nothing hangs on it
CLOCKS_MAY_DIFFER = timedelta(minutes=2)  # between us and the provider


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds: until an unknown is looked up, until absence frees it, and the ages at which a silent acceptance is asked about.

    An age of 0 is always.
    """

    reconcile: float
    release: float
    polls: tuple[float, ...]


def polls_of_texts(first: float) -> tuple[float, ...]:
    """When a text or a mail that nothing was reported of is asked about, `first` seconds after it was sent; with 3,600: after 1, 6,
    24 and 72 hours. What nothing is known of then stays "sent": some carriers report nothing."""
    return tuple(first * hours for hours in (1, 6, 24, 72))


def polls_of_letters(every: float, times: int) -> tuple[float, ...]:
    """A letter is asked about until nobody waits for it any more: the post takes days, and its scans come one by one."""
    return tuple(every * number for number in range(1, times + 1))


@dataclass(frozen=True, slots=True)
class Undecided:
    """An attempt to ask the provider about. `provider_id` is None while we do not know whether it was accepted."""

    attempt_id: UUID
    message_id: UUID
    provider_id: str | None
    to: str | None  # None: erased, or it does not open
    body_digest: bytes
    started_at: datetime
    releasable: bool


# `release` counts from the end of the lease, and there must have been an earlier look that found nothing. Absence says nothing of
# what a restore has held back (`restoring`): that waits for a person.
DUE = """
    select a.id, a.message_id, a.provider_id, a.body_digest, a.started_at, a.contact_point_id,
        cp.value_sealed, k.version, k.wrapped,
        a.checks > 0 and a.lease_until + :release * interval '1 second' <= now() as releasable
    from attempt a
    join contact_point cp on cp.id = a.contact_point_id
    left join data_key k on k.subject_id = cp.id
    where a.provider = :provider and (
        (a.state = 'unknown' and a.error_code is distinct from 'restored'
            and coalesce(a.checked_at, a.finished_at, a.lease_until) + :reconcile * interval '1 second' <= now())
        or (a.state in ('accepted', 'sent') and a.started_at > now() - (:oldest + 86400) * interval '1 second'
            and coalesce(a.checked_at, '-infinity')
                + case when a.seen_at >= a.checked_at then 1 else :patience end * :reconcile * interval '1 second' <= now()
            and exists (
                select 1 from unnest(cast(:polls as float8[])) as age
                where age = 0 or (a.started_at + age * interval '1 second' <= now()
                    and coalesce(a.seen_at, a.started_at) < a.started_at + age * interval '1 second')))
    )
    order by a.state = 'unknown' desc, coalesce(a.checked_at, a.started_at)
    limit :size
    for update of a skip locked
"""

CHECKED = "update attempt set checked_at = now() where id = any(:ids)"
# Only a look that saw the provider's books counts. Who dies before, or finds it away, leaves the look to the next one.
LOOKED = "update attempt set checks = checks + 1, seen_at = now() where id = any(:ids)"

# A report that is kept and not projected yet has more to say than an absence: another look may have found it meanwhile.
RELEASE_ATTEMPTS = """
    update attempt a set state = 'not_sent', finished_at = now() where id = any(:ids) and state = 'unknown'
      and not exists (select 1 from event e where e.attempt_id = a.id and e.applied_at is null)
    returning message_id
"""
# A campaign that is over sends nothing any more: its people are on the worked list instead.
RELEASE_MESSAGES = """
    update message m set state = case when c.state = 'done' then 'failed' else 'ready' end,
        reason = case when c.state = 'done' then 'not_delivered' end, due_at = now(), updated_at = now()
    from campaign c where c.id = m.campaign_id and m.id = any(:ids) and m.state = 'unknown'
"""


def expire_leases(session: Session) -> int:
    """Take attempts whose worker never came back for unknown; how many. What it did is the provider's to say."""
    rows = session.execute(
        text("""
            with gone as (
                select a.id from attempt a join message m on m.id = a.message_id
                where a.state = 'open' and a.lease_until <= now()
                order by m.id for no key update of m skip locked
            ),
            attempts as (
                update attempt a set state = 'unknown' from gone where a.id = gone.id and a.state = 'open' returning a.message_id
            ),
            messages as (
                update message m set state = 'unknown', updated_at = now() from attempts
                where m.id = attempts.message_id and m.state = 'submitting'
            )
            select message_id from attempts
        """)
    ).all()
    project(session, [row.message_id for row in rows])
    return len(rows)


def reconcile(
    sessions: sessionmaker[Session], provider: Provider[Any], waits: Waits, *, size: int = 500, seconds: float = ASK_SECONDS
) -> int:
    """Ask the provider about up to `size` attempts; how many. Any number may run at once: each takes others."""
    with sessions.begin() as session:
        undecided = take(session, provider.name, waits, size)
    if not undecided:
        return 0
    asked = asyncio.run(_ask(provider, undecided, seconds))
    with sessions.begin() as session:
        settle(session, provider.name, [one for one, _ in asked], [answer for _, answer in asked])
    return len(undecided)


def take(session: Session, provider: str, waits: Waits, size: int) -> list[Undecided]:
    """The attempts of this provider to ask about now. They are marked as asked about, so that others leave them for a while."""
    vault, taken, looked_at = vault_of(session), [], []
    for row in session.execute(
        text(DUE),
        {
            "provider": provider,
            "reconcile": waits.reconcile,
            "release": waits.release,
            "size": size,
            "polls": list(waits.polls),
            "oldest": max(waits.polls, default=0.0),
            "patience": PATIENCE,
        },
    ):
        looked_at.append(row.id)
        to = None
        if row.wrapped is not None:  # Else the contact point was erased.
            try:
                key = vault.open_key(row.contact_point_id, row.version, row.wrapped)
                to = key.open("contact_point.value", row.contact_point_id, row.value_sealed)
            except Sealed:
                log.error("reconcile.contact_does_not_open", contact_point=str(row.contact_point_id))
        taken.append(Undecided(row.id, row.message_id, row.provider_id, to, row.body_digest, row.started_at, row.releasable))
    if looked_at:
        session.execute(text(CHECKED), {"ids": looked_at})
    return taken


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider's books hold of one attempt; `asked` is False when they could not be read, for the code `cause`."""

    asked: bool
    found: tuple[Standing, ...]
    cause: str | None = None


async def _ask(provider: Provider[Any], undecided: Sequence[Undecided], seconds: float) -> list[tuple[Undecided, Answer]]:
    """Those that there was time for: first those of which we do not know whether they were accepted, since somebody waits for them.
    Else in any order: whatever hangs each time must not keep the others from ever being asked."""
    until = time.monotonic() + seconds

    async def ask(one: Undecided) -> Answer:
        try:
            if one.provider_id is not None:
                standing = await provider.fetch(one.provider_id)
                return Answer(True, (standing,) if standing else ())
            if one.to is None:
                return Answer(False, ())  # There is nothing to look for.
            return Answer(True, tuple(await provider.find(Lost(one.attempt_id, one.to, one.started_at - CLOCKS_MAY_DIFFER))))
        except Unreachable as error:
            log.warning("reconcile.unreachable", attempt=str(one.attempt_id), cause=str(error))
            return Answer(False, (), str(error))

    async with provider:
        # A few at a time: looking up is never urgent enough to crowd out sending.
        lanes = asyncio.Semaphore(10)

        async def laned(one: Undecided) -> tuple[Undecided, Answer] | None:
            async with lanes:
                return (one, await ask(one)) if time.monotonic() < until else None

        in_any_order = random.sample(undecided, len(undecided))
        unknown_first = sorted(in_any_order, key=lambda one: one.provider_id is not None)
        asked = await asyncio.gather(*(laned(one) for one in unknown_first))
        return [each for each in asked if each]


def settle(session: Session, provider: str, undecided: Sequence[Undecided], answers: Sequence[Answer]) -> None:
    """Write what was found. A find is kept as a report, like any other; proven absence frees the message."""
    free, seen = [], []
    vault = vault_of(session)
    lock(session, [one.message_id for one in undecided])
    looked = [one.attempt_id for one, answer in zip(undecided, answers, strict=True) if answer.asked]
    session.execute(text(LOOKED), {"ids": looked})
    for one, answer in zip(undecided, answers, strict=True):
        if not answer.asked:
            if one.provider_id is None:
                result = LookResult.ERASED if one.to is None else LookResult.UNREACHABLE
                seen.append(Seen(one.attempt_id, result, answer.cause))
            continue
        taken = _taken(session, provider, [s.provider_id for s in answer.found if s.provider_id != one.provider_id])
        mine = [
            s for s in answer.found
            if s.provider_id == one.provider_id
            or (
                (s.token or s.provider_id not in taken)
                and is_of(one.attempt_id, one.body_digest, token=s.token, shown=shown_digest(vault, s.text))
            )
        ]  # fmt: skip
        # One whose text was redacted, and that is no attempt we know, may be this one as well as not: that proves nothing.
        unreadable = any(not s.token and not s.text and s.provider_id not in taken for s in answer.found if s not in mine)
        if one.provider_id is None:
            if unreadable and not mine:
                seen.append(Seen(one.attempt_id, LookResult.UNREACHABLE, "no_text"))
            else:
                seen.append(Seen(one.attempt_id, LookResult.FOUND if mine else LookResult.ABSENT))
        if mine:
            standing = min(mine, key=lambda s: s.created_at)
            events.keep(session, provider, report_of(one.attempt_id, standing))
        elif one.provider_id is None and one.releasable and not unreadable:
            free.append(one.attempt_id)
    look.note(session, seen)
    if free:
        released = list(session.scalars(text(RELEASE_ATTEMPTS), {"ids": free}))
        session.execute(text(RELEASE_MESSAGES), {"ids": released})
        project(session, released)
        spending.settle(session, free)
        log.info("reconcile.released", attempts=len(released))


def is_of(attempt_id: UUID, digest: bytes, *, token: UUID | None, shown: bytes | None) -> bool:
    """Whether something in a provider's books, which no attempt of ours is known to be, is this attempt: by our token where the
    books keep it, else by what it says. `digest` is of what was handed over, `shown` of what the books show (`shown_digest`)."""
    return token == attempt_id if token else shown == digest


def shown_digest(vault: Vault, shown: str) -> bytes | None:
    """None for what says nothing: a text that was redacted is like no other, not even another redacted one."""
    return body_digest(vault, shown) if shown else None


def report_of(attempt_id: UUID, standing: Standing) -> Report:
    """The report that a look-up amounts to."""
    key = f"{standing.provider_id}:{standing.status}:{standing.code or ''}"
    return Report(f"{key}:looked_up", attempt_id, standing.provider_id, standing.status, standing.state, standing.code)


def _taken(session: Session, provider: str, provider_ids: list[str]) -> set[str]:
    """Those of these ids that belong to attempts we know of."""
    if not provider_ids:
        return set()
    rows = session.scalars(
        text("select provider_id from attempt where provider = :provider and provider_id = any(:ids)"),
        {"provider": provider, "ids": provider_ids},
    )
    return set(rows)

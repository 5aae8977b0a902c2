"""Comparing a day's books: the provider's are read, written down, and held against ours.

They are copied page by page into a temporary table of keyed hashes and codes; the rest is done by PostgreSQL, so that a day of a
hundred thousand messages takes no more memory than one of ten. What the provider says later than we do, and what turns out to be an
attempt whose answer was lost, is kept as a report like any other: it is projected, and at the next look both agree.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Row, text
from sqlalchemy.orm import Session, sessionmaker

from outreach.access.sealing import vault_of
from outreach.delivery import events
from outreach.delivery.books import BookCheck
from outreach.delivery.reconcile import CLOCKS_MAY_DIFFER, is_of, report_of, shown_digest
from outreach.people.contact import ContactKind
from outreach.providers.contract import NoBooks, Provider, Standing, Unreachable

log = structlog.get_logger()

LOOKS = 2000  # things asked for one by one in one comparison: what is in no listing
LANES = 5  # at once
BATCH = 1000
ONE_AT_A_TIME = 734_108  # an advisory lock's number


def look(sessions: sessionmaker[Session], provider: Provider[Any], day: date) -> bool:
    """Read a provider's books of a day and compare them with ours; False where they could not be read, or somebody else is at it.

    No transaction is open while the provider is asked, but for a page that is being written down.
    """
    with _desk(sessions) as desk:
        if desk is None:
            return False
        with desk.begin() as session:
            session.execute(text(TRIED), {"provider": provider.name, "day": day})
        try:
            asyncio.run(_copy(desk, provider, day))
        except Unreachable as error:
            over = isinstance(error, NoBooks)
            with desk.begin() as session:
                values = {"provider": provider.name, "day": day, "problem": str(error), "over": over}
                session.execute(text(NOT_READ), values)
            log.warning("books.not_read", provider=provider.name, day=day.isoformat(), cause=str(error))
            return False
        with desk.begin() as session:
            recognise(session, provider.name)
        kept = 1
        while kept:
            with desk.begin() as session:
                kept = keep_later(session, provider.name)
        with desk.begin() as session:
            compare(session, provider.name, day)
    return True


@contextmanager
def _desk(sessions: sessionmaker[Session]) -> Iterator[sessionmaker[Session] | None]:
    """Sessions on one connection, with the temporary table on it; None where another process is comparing."""
    with sessions.kw["bind"].connect() as connection:
        # Closed for good afterwards: the table ends with it.
        connection.detach()
        free = connection.scalar(text("select pg_try_advisory_lock(:number)"), {"number": ONE_AT_A_TIME})
        connection.commit()
        if not free:
            yield None
            return
        try:
            desk = sessionmaker(connection, info=sessions.kw["info"])
            with desk.begin() as session:
                begin(session)
            yield desk
        finally:
            # The server would notice that the connection is gone a little later.
            connection.execute(text("select pg_advisory_unlock(:number)"), {"number": ONE_AT_A_TIME})
            connection.commit()


# `state` is null for what was asked for by itself and is not there. `attempt_id` is filled in by `recognise`.
BEGIN = """
    create temporary table if not exists their_books (
        provider_id text primary key, state text, status text, code text, token uuid, to_index bytea, digest bytea,
        created_at timestamptz, attempt_id uuid
    ) on commit preserve rows
"""

# What comes twice because books move on while they are read: the later word.
WRITE_DOWN = f"""
    insert into their_books as t (provider_id, state, status, code, token, to_index, digest, created_at)
    select * from unnest(cast(:ids as text[]), cast(:states as text[]), cast(:statuses as text[]), cast(:codes as text[]),
        cast(:tokens as uuid[]), cast(:to_indexes as bytea[]), cast(:digests as bytea[]), cast(:created as timestamptz[]))
    on conflict (provider_id) do update set state = excluded.state, status = excluded.status, code = excluded.code
    where t.state is null or {events.RANK.format("excluded.state")} > {events.RANK.format("t.state")}
"""

TRIED = """
    insert into book_check (provider, day, ours, theirs, agreed, wanted_at, tried_at)
    values (:provider, :day, 0, 0, 0, now(), now())
    on conflict (provider, day) do update set tried_at = now()
"""
NOT_READ = """
    update book_check set problem = :problem, wanted_at = case when not :over then wanted_at end
    where provider = :provider and day = :day
"""


def begin(session: Session) -> None:
    """Make the temporary table; empty where it is there."""
    session.execute(text(BEGIN))
    session.execute(text("truncate their_books"))


def write_down(session: Session, page: Sequence[Standing]) -> None:
    """Write down a page of a provider's books. Of where a text went, and of what it says, only keyed hashes are kept."""
    if not page:
        return
    vault = vault_of(session)
    latest = {standing.provider_id: standing for standing in page}.values()
    session.execute(
        text(WRITE_DOWN),
        {
            "ids": [s.provider_id for s in latest],
            "states": [s.state for s in latest],
            "statuses": [s.status for s in latest],
            "codes": [s.code for s in latest],
            "tokens": [s.token for s in latest],
            "to_indexes": [vault.blind_index(ContactKind.PHONE, s.to) if s.text else None for s in latest],
            "digests": [shown_digest(vault, s.text) for s in latest],
            "created": [s.created_at for s in latest],
        },
    )


async def _copy(desk: sessionmaker[Session], provider: Provider[Any], day: date) -> None:
    """Raises Unreachable while the books cannot be read. What is in no listing is asked for by its id, as far as that goes."""
    async with provider:
        async for page in provider.books(day):
            with desk.begin() as session:
                write_down(session, page)
        with desk.begin() as session:
            waiting = iter(unlisted(session, provider.name, day))
        await asyncio.gather(*(_lane(desk, provider, waiting) for _ in range(LANES)))


async def _lane(desk: sessionmaker[Session], provider: Provider[Any], waiting: Iterator[str]) -> None:
    for provider_id in waiting:
        try:
            standing = await provider.fetch(provider_id)
        except Unreachable:
            return  # What was not asked for stays undecided.
        with desk.begin() as session:
            if standing is not None:
                write_down(session, [standing])
            else:
                absent = "insert into their_books (provider_id) values (:id) on conflict do nothing"
                session.execute(text(absent), {"id": provider_id})


OURS = "a.provider = :provider and a.started_at >= :start and a.started_at < :end"
HANDED_OVER = "a.state not in ('open', 'not_sent', 'refused')"
DIFFERS = f"""(({events.RANK.format("t.state")} > {events.RANK.format("a.state")}
    or (a.state = 'delivered' and t.state in ('undelivered', 'failed'))) and a.state <> 'open')"""


def _span(provider: str, day: date) -> dict[str, object]:
    start = datetime.combine(day, time(), UTC)
    return {"provider": provider, "day": day, "start": start, "end": start + timedelta(days=1)}


def unlisted(session: Session, provider: str, day: date) -> list[str]:
    """The provider's ids of what it should have from that day and has not listed, at most LOOKS."""
    rows = session.scalars(
        text(f"""
            select a.provider_id from attempt a
            where {OURS} and {HANDED_OVER} and a.provider_id is not null
              and a.started_at < now() - interval '30 minutes' -- Books may lag: what is newer is not missing yet.
              and not exists (select 1 from their_books t where t.provider_id = a.provider_id)
            order by a.started_at limit :looks
        """),
        {**_span(provider, day), "looks": LOOKS},
    )
    return list(rows)


KNOWN = """
    update their_books t set attempt_id = a.id from attempt a
    where t.attempt_id is null and t.state is not null and a.provider = :provider and a.provider_id = t.provider_id
"""

# Attempts without the provider's id: those whose answer was lost, and those that were given up. By our token, or else to the same
# destination at about that time.
LOST = """
    select t.provider_id, t.token, t.digest, a.id as attempt_id, a.body_digest
    from their_books t
    join contact_point cp on cp.kind = 'phone' and cp.value_index = t.to_index
    join message m on m.contact_point_id = cp.id
    join attempt a on a.message_id = m.id and a.provider = :provider and a.provider_id is null
        and a.started_at between t.created_at - interval '1 day' and t.created_at + :clocks
    where t.attempt_id is null and t.state is not null and t.token is null
      and not exists (select 1 from their_books taken where taken.attempt_id = a.id)
    union all
    select t.provider_id, t.token, t.digest, a.id, a.body_digest
    from their_books t
    join attempt a on a.id = t.token and a.provider = :provider and a.provider_id is null
    where t.attempt_id is null and t.state is not null
      and not exists (select 1 from their_books taken where taken.attempt_id = a.id)
"""
FOUND = """
    update their_books t set attempt_id = f.attempt_id
    from unnest(cast(:ids as text[]), cast(:attempts as uuid[])) as f(provider_id, attempt_id) where t.provider_id = f.provider_id
"""

# Each line is kept once: its `code` and `status` are what the report is made of.
LATER = f"""
    select t.provider_id, t.state, t.status, t.code, t.created_at, a.id as attempt_id
    from their_books t join attempt a on a.id = t.attempt_id
    where {DIFFERS}
      and not exists (select 1 from event e where e.provider = :provider and e.attempt_id = a.id
          and e.provider_id = t.provider_id and e.provider_status = t.status and e.error_code is not distinct from t.code)
    order by t.provider_id limit :size
"""


def recognise(session: Session, provider: str) -> None:
    """Find out which lines of their books are which attempts: by their id, else as reconciling does."""
    session.execute(text("analyze their_books"))
    session.execute(text(KNOWN), {"provider": provider})
    session.execute(text("analyze their_books"))
    found: dict[str, UUID] = {}
    taken: set[UUID] = set()
    for row in session.execute(text(LOST), {"provider": provider, "clocks": CLOCKS_MAY_DIFFER}):
        mine = is_of(row.attempt_id, row.body_digest, token=row.token, shown=row.digest)
        if mine and row.provider_id not in found and row.attempt_id not in taken:
            found[row.provider_id] = row.attempt_id
            taken.add(row.attempt_id)
    session.execute(text(FOUND), {"ids": list(found), "attempts": list(found.values())})


def keep_later(session: Session, provider: str) -> int:
    """Keep as reports what their books say later than ours, one batch at a call; how many. 0 when there is no more."""
    later = session.execute(text(LATER), {"provider": provider, "size": BATCH}).all()
    events.keep(session, provider, *(report_of(row.attempt_id, _standing(row)) for row in later))
    return len(later)


def _standing(row: Row[Any]) -> Standing:
    return Standing(row.provider_id, row.status, row.state, row.code, "", "", row.created_at)


# A line belongs to the day on which we handed it over, and one that we know nothing of to its own. What is under way is on neither.
THEIRS = """
    from their_books t left join attempt a on a.id = t.attempt_id
    where t.state is not null and coalesce(a.state <> 'open', true)
      and coalesce(a.started_at, t.created_at) >= :start and coalesce(a.started_at, t.created_at) < :end
"""
CHECKED = f"""
    insert into book_check as c (provider, day, checked_at, ours, theirs, agreed)
    select :provider, :day, now(),
        (select count(*) from attempt a where {OURS} and {HANDED_OVER}),
        count(*), count(*) filter (where a.id is not null and {HANDED_OVER} and not {DIFFERS})
    {THEIRS}
    on conflict (provider, day) do update set checked_at = now(), ours = excluded.ours, theirs = excluded.theirs,
        agreed = excluded.agreed, problem = null, wanted_at = case when c.wanted_at > c.tried_at then c.wanted_at end
"""
DIFFERENT = f"""
    insert into book_difference (id, provider, day, kind, attempt_id, provider_id, our_state, their_state, their_status)
    select gen_random_uuid(), :provider, :day, d.kind, d.attempt_id, d.provider_id, d.our_state, d.their_state, d.their_status
    from (
        select case when a.id is null then 'not_ours' else 'other_state' end as kind,
            coalesce(a.id, (select other.id from attempt other where other.id = t.token)) as attempt_id,
            t.provider_id, a.state as our_state, t.state as their_state, t.status as their_status
        {THEIRS} and (a.id is null or not {HANDED_OVER} or {DIFFERS})
        union all
        select case when a.state <> 'unknown' and t.provider_id is not null then 'not_theirs' else 'undecided' end,
            a.id, a.provider_id, a.state, null, null
        from attempt a left join their_books t on t.provider_id = a.provider_id
        where {OURS} and {HANDED_OVER} and t.state is null
          and not exists (select 1 from their_books found where found.attempt_id = a.id)
    ) d
"""


def compare(session: Session, provider: str, day: date) -> BookCheck:
    """Compare the books that were written down with ours of that day, in the place of the last comparison."""
    values = _span(provider, day)
    session.execute(text(CHECKED), values)
    session.execute(text("delete from book_difference where provider = :provider and day = :day"), values)
    session.execute(text(DIFFERENT), values)
    check = session.get_one(BookCheck, (provider, day), populate_existing=True)
    log.info("books.compared", provider=provider, day=day.isoformat(), ours=check.ours, theirs=check.theirs, agreed=check.agreed)
    return check

"""The books: ours against the provider's, per day, with every difference named.

A day is compared (`comparison`) when it is over, again each day for a week while something differs, and whenever somebody wants it.
"""

from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, Text, func, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from outreach.db import Base, new_id, now

AGAIN_DAYS = 7  # for so long a day with differences is compared again, once a day
OLDEST_DAYS = 30  # providers keep their books for longer or shorter; nobody needs to look further back
AGAIN_SECONDS = 900  # until books that could not be read are tried again


class DifferenceKind(StrEnum):
    NOT_THEIRS = "not_theirs"  # we have it as accepted, and the provider's books do not hold it
    NOT_OURS = "not_ours"  # the provider's books hold it, and no attempt of ours has its id
    OTHER_STATE = "other_state"  # both have it, and the provider has a later word on it
    UNDECIDED = "undecided"  # we do not know whether the provider has it


class BookCheck(Base):
    """One comparison of one day with one provider, the last one. `ours` and `theirs` count what each side has of that day (UTC)."""

    __tablename__ = "book_check"

    provider: Mapped[str] = mapped_column(Text, primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    checked_at: Mapped[datetime | None]  # None until it was compared for the first time
    ours: Mapped[int] = mapped_column(default=0)
    theirs: Mapped[int] = mapped_column(default=0)
    agreed: Mapped[int] = mapped_column(default=0)  # held by both, with the same last word
    wanted_at: Mapped[datetime | None]  # since when a comparison is wanted, None where none is
    tried_at: Mapped[datetime | None]  # when it was last begun
    problem: Mapped[str | None] = mapped_column(Text)  # why the last try came to nothing: a code

    __table_args__ = (Index("book_check_wanted_idx", "day", postgresql_where="wanted_at is not null"),)


class BookDifference(Base):
    """One difference that the last comparison of a day has found. States are `AttemptState`'s; None where a side has nothing."""

    __tablename__ = "book_difference"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    provider: Mapped[str] = mapped_column(Text)
    day: Mapped[date]
    kind: Mapped[str] = mapped_column(Text)
    attempt_id: Mapped[UUID | None] = mapped_column(ForeignKey("attempt.id"))
    provider_id: Mapped[str | None] = mapped_column(Text)
    our_state: Mapped[str | None] = mapped_column(Text)
    their_state: Mapped[str | None] = mapped_column(Text)
    their_status: Mapped[str | None] = mapped_column(Text)  # in the provider's own word

    __table_args__ = (
        ForeignKeyConstraint(["provider", "day"], ["book_check.provider", "book_check.day"], ondelete="CASCADE"),
        Index("book_difference_check_idx", "provider", "day"),
        Index("book_difference_attempt_idx", "attempt_id"),
    )


def want(session: Session, provider: str, day: date) -> None:
    """Have a day compared soon. Safe to repeat. Raises NotThatDay for one to come, and for one too long ago."""
    if not now().date() - timedelta(days=OLDEST_DAYS) <= day <= now().date():
        raise NotThatDay
    session.execute(
        text("""
            insert into book_check (provider, day, ours, theirs, agreed, wanted_at) values (:provider, :day, 0, 0, 0, now())
            on conflict (provider, day) do update set wanted_at = now()
        """),
        {"provider": provider, "day": day},
    )


class NotThatDay(ValueError):
    """No provider's books are compared for this day: it is to come, or too long ago."""


def due(session: Session, providers: Collection[str]) -> list[tuple[str, date]]:
    """What is to be compared now: provider and day. Wishes for the days that are over, and for differences of yesterday's look, are
    made here. Safe to repeat; the caller commits."""
    values = {"providers": list(providers), "again": AGAIN_DAYS, "seconds": AGAIN_SECONDS}
    session.execute(
        text("""
            insert into book_check (provider, day, ours, theirs, agreed, wanted_at)
            select p.provider, d.day, 0, 0, 0, now()
            from unnest(cast(:providers as text[])) as p(provider)
            cross join generate_series(1, :again) as ago
            cross join lateral (select cast(now() at time zone 'UTC' as date) - ago as day) d
            where ago = 1 or exists (
                select 1 from attempt a where a.provider = p.provider
                  and a.started_at >= cast(d.day as timestamp) at time zone 'UTC'
                  and a.started_at < cast(d.day + 1 as timestamp) at time zone 'UTC')
            on conflict (provider, day) do nothing
        """),
        values,
    )
    session.execute(
        text("""
            update book_check c set wanted_at = now()
            where c.provider = any(:providers) and c.wanted_at is null
              and c.day >= cast(now() at time zone 'UTC' as date) - :again
              and c.checked_at < date_trunc('day', now() at time zone 'UTC') at time zone 'UTC'
              and exists (select 1 from book_difference d where d.provider = c.provider and d.day = c.day)
        """),
        values,
    )
    rows = session.execute(
        text("""
            select provider, day from book_check
            where wanted_at is not null and provider = any(:providers)
              and (tried_at is null or tried_at < wanted_at or tried_at <= now() - :seconds * interval '1 second')
            order by day desc, provider
        """),
        values,
    )
    return [(row.provider, row.day) for row in rows]


class NoCheck(LookupError):
    """This day was never compared with this provider, and is not about to be."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison and how many differences of each kind it found."""

    check: BookCheck
    kinds: Counter[str]


def listed(session: Session, *, days: int = OLDEST_DAYS) -> list[Compared]:
    """The comparisons of the last days, newest day first."""
    since = now().date() - timedelta(days=days)
    checks = session.scalars(
        select(BookCheck).where(BookCheck.day >= since).order_by(BookCheck.day.desc(), BookCheck.provider)
    ).all()
    kinds: dict[tuple[str, date], Counter[str]] = defaultdict(Counter)
    counted = select(BookDifference.provider, BookDifference.day, BookDifference.kind, func.count().label("n")).where(
        BookDifference.day >= since
    )
    for row in session.execute(counted.group_by(BookDifference.provider, BookDifference.day, BookDifference.kind)):
        kinds[row.provider, row.day][row.kind] = row.n
    return [Compared(check, kinds[check.provider, check.day]) for check in checks]


def one(session: Session, provider: str, day: date) -> Compared:
    """Raises NoCheck."""
    check = session.get(BookCheck, (provider, day))
    if check is None:
        raise NoCheck
    counted = select(BookDifference.kind, func.count().label("n")).where(
        BookDifference.provider == provider, BookDifference.day == day
    )
    return Compared(check, Counter({row.kind: row.n for row in session.execute(counted.group_by(BookDifference.kind))}))


@dataclass(frozen=True, slots=True)
class Named:
    """A difference, and where the attempt stands that it is about: None of an attempt that is not ours.

    `task_id` is the open task about it.
    """

    kind: str
    attempt_id: UUID | None
    provider_id: str | None
    our_state: str | None
    their_state: str | None
    their_status: str | None
    started_at: datetime | None
    campaign_id: UUID | None
    campaign_title: str | None
    task_id: UUID | None


def differences(session: Session, provider: str, day: date, *, kind: str | None, limit: int, offset: int = 0) -> list[Named]:
    """The differences of a day, kind by kind."""
    rows = session.execute(
        text("""
            select d.kind, d.attempt_id, d.provider_id, d.our_state, d.their_state, d.their_status, a.started_at,
                c.id as campaign_id, c.title as campaign_title, t.id as task_id
            from (
                select * from book_difference
                where provider = :provider and day = :day and (cast(:kind as text) is null or kind = :kind)
                order by kind, provider_id, id limit :limit offset :offset
            ) d
            left join attempt a on a.id = d.attempt_id
            left join message m on m.id = a.message_id
            left join campaign c on c.id = m.campaign_id
            left join task t on t.attempt_id = a.id and t.closed_at is null
            order by d.kind, d.provider_id, d.id
        """),
        {"provider": provider, "day": day, "kind": kind, "limit": limit, "offset": offset},
    )
    return [Named(**row) for row in rows.mappings()]


@dataclass(frozen=True, slots=True)
class Unknown:
    """An attempt whose outcome nobody knows. `looks` is how often the provider's books were seen without an answer."""

    attempt_id: UUID
    provider: str
    channel: str
    started_at: datetime
    looks: int
    campaign_id: UUID
    campaign_title: str
    task_id: UUID | None


def unknowns(session: Session, *, limit: int) -> tuple[int, list[Unknown]]:
    """How many attempts have an outcome that nobody knows, and the oldest of them."""
    count = session.scalar(text("select count(*) from message where state = 'unknown'")) or 0
    rows = session.execute(
        text("""
            select a.id as attempt_id, a.provider, a.channel, a.started_at, a.checks as looks, c.id as campaign_id,
                c.title as campaign_title, t.id as task_id
            from message m
            join attempt a on a.message_id = m.id and a.state = 'unknown'
            join campaign c on c.id = m.campaign_id
            left join task t on t.attempt_id = a.id and t.closed_at is null
            where m.state = 'unknown' order by a.started_at limit :limit
        """),
        {"limit": limit},
    )
    return count, [Unknown(**row) for row in rows.mappings()]

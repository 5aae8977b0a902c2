"""Tallies: counts over very many rows, kept for a while, so that no page waits for a million rows to be counted.

What is counted quickly is counted for every page, and nothing is kept of it. What takes longer is kept with the time as of which it
is true; the sweep counts again whatever somebody has looked at lately. All figures of one tally are of one statement, so they
always add up.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Float, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from outreach.db import Base, new_id, now

COSTLY_SECONDS = 0.03
MANY_ROWS = 50_000  # with fewer, whatever takes long does so because the machine is busy
KEPT = timedelta(minutes=3)  # at most; the sweep renews what is looked at each minute
LOOKED_AT = timedelta(minutes=15)
NOTED = timedelta(minutes=1)  # so old may the note be of when somebody looked

Rows = list[dict[str, Any]]
Counting = Callable[[Session, UUID | None], Rows]


class Kept(Base):
    """The rows of one counting statement, for one campaign or (`scope` None) for all."""

    __tablename__ = "tally"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(Text)
    scope: Mapped[UUID | None]
    as_of: Mapped[datetime]
    seconds: Mapped[float] = mapped_column(Float)  # that counting took
    looked_at: Mapped[datetime]
    rows: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)

    __table_args__ = (Index("tally_key", "name", "scope", unique=True, postgresql_nulls_not_distinct=True),)


@dataclass(frozen=True, slots=True)
class Counted:
    """Rows as the statement names their columns. Times are ISO 8601 texts, ids are texts."""

    as_of: datetime
    rows: Rows


_COUNTED: dict[str, str | Counting] = {}

_READ = text("select id, as_of, seconds, looked_at, rows from tally where name = :name and scope is not distinct from :scope")
_KEEP = text("""
    insert into tally (id, name, scope, as_of, seconds, looked_at, rows)
    values (:id, :name, :scope, :as_of, :seconds, :as_of, cast(:rows as jsonb))
    on conflict (name, scope) do update
    set as_of = excluded.as_of, seconds = excluded.seconds, rows = excluded.rows,
        looked_at = case when :looked then excluded.looked_at else tally.looked_at end
    where tally.as_of < excluded.as_of
""")
# As PostgreSQL estimates them; counting would be what this is to avoid.
_ROWS = text("select sum(greatest(reltuples, 0)) from pg_class where oid in ('person'::regclass, 'message'::regclass)")
_LOOKED = text("update tally set looked_at = :at where id = :id")
_OLD = text("select name, scope from tally where looked_at > :since order by as_of")
_FORGET = text("delete from tally where looked_at <= :since")
_FORGET_NAME = text("delete from tally where name = :name")


def known() -> set[str]:
    """The names of all tallies whose modules are imported."""
    return set(_COUNTED)


@dataclass(frozen=True, slots=True)
class Tally:
    """A statement that counts, or a function where one statement does not do. Its one parameter is the campaign (`:campaign` in a
    statement), null for all of them. What a function answers must be JSON."""

    name: str
    counted_by: str | Counting

    def __post_init__(self) -> None:
        if self.name in _COUNTED:
            raise ValueError(f"There are two tallies of the name {self.name}.")
        _COUNTED[self.name] = self.counted_by

    def rows(self, session: Session, campaign_id: UUID | None = None, *, still: Callable[[Rows], bool] | None = None) -> Counted:
        """What it counts, as of now or as of the last few minutes. Kept rows that are not `still` true are counted again."""
        at = now()
        found = session.execute(_READ, {"name": self.name, "scope": campaign_id}).one_or_none()
        if found and found.as_of > at - KEPT and (still is None or still(found.rows)):
            if found.looked_at < at - NOTED:
                session.execute(_LOOKED, {"id": found.id, "at": at})
            return Counted(found.as_of, found.rows)
        return _count(session, self.name, campaign_id, looked=True)


def looked_at(session: Session) -> list[tuple[str, UUID | None]]:
    """The kept tallies that somebody has looked at lately, by name and campaign, the oldest first. The others are forgotten."""
    since = now() - LOOKED_AT
    session.execute(_FORGET, {"since": since})
    return [(each.name, each.scope) for each in session.execute(_OLD, {"since": since})]


def renew(session: Session, name: str, scope: UUID | None) -> None:
    """Count again. One in a transaction: whoever looks at another is not kept waiting.

    What another version has kept under a name that this one does not know is forgotten.
    """
    if name not in _COUNTED:
        session.execute(_FORGET_NAME, {"name": name})
        return
    _count(session, name, scope, looked=False)


def _count(session: Session, name: str, scope: UUID | None, *, looked: bool) -> Counted:
    at, began = now(), time.perf_counter()
    counted_by = _COUNTED[name]
    rows = _counted(session, counted_by, scope) if isinstance(counted_by, str) else counted_by(session, scope)
    seconds = time.perf_counter() - began
    if not looked or (seconds > COSTLY_SECONDS and session.scalar(_ROWS) > MANY_ROWS):
        values = {"id": new_id(), "name": name, "scope": scope, "as_of": at, "seconds": seconds, "looked": looked}
        session.execute(_KEEP, values | {"rows": json.dumps(rows)})
    return Counted(at, rows)


def _counted(session: Session, statement: str, scope: UUID | None) -> Rows:
    counting = text(f"select coalesce(jsonb_agg(to_jsonb(counted)), '[]') from ({statement}) counted")  # noqa: S608  # of our constants
    rows: Rows = session.scalars(counting, {"campaign": scope}).one()
    return rows

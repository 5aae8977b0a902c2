"""The incarnation: which life of the database this is.

A database that was restored, or taken over by a replica, has forgotten what was sent since. Then the engine is frozen: it sends
nothing until the providers' books have been read and what they hold is on record again (`restoring`).

Another life is known by its name in the settings, by the server's own identifier, by the timeline of its log (a promotion or a
recovery begins another), by the identity of the table itself (a dump makes it anew), and by a log that ends before where it was
once seen to be (a copy of the data directory that was put back). The claim compares all but the first and the last again, in its
own statement: a worker that stayed up while the database was exchanged under it sends nothing either.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import BigInteger, SmallInteger, Text, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from outreach.access import audit
from outreach.access.audit import Actor
from outreach.db import Base

log = structlog.get_logger()

MARK_SECONDS = 90 * 86_400  # a mark that nobody has raised for so long is forgotten


class Incarnation(Base):
    """One row (`id` 1): the life that was last reconciled.

    `deployment` is what the settings called it. The rest is PostgreSQL's own: `cluster` differs where a dump was loaded into
    another server, `timeline` where a replica was promoted or a backup recovered, `relation` where this table was made anew.
    """

    __tablename__ = "incarnation"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    deployment: Mapped[str] = mapped_column(Text)
    cluster: Mapped[int] = mapped_column(BigInteger)
    timeline: Mapped[int] = mapped_column(BigInteger)
    relation: Mapped[int] = mapped_column(BigInteger)
    reconciled_at: Mapped[datetime]
    frozen_at: Mapped[datetime | None]  # since when it is known that this is another life


class Mark(Protocol):
    """How far the log of a life was seen to be written, kept outside the database. A mark that is missing says nothing."""

    def highest(self, life: str) -> int: ...

    def lift(self, life: str, written: int) -> None: ...


# Lua counts exactly up to 2**53: a log of nine petabytes.
LIFT = """
    if tonumber(ARGV[1]) > tonumber(redis.call('get', KEYS[1]) or '0') then redis.call('set', KEYS[1], ARGV[1], 'EX', ARGV[2]) end
"""


@dataclass(frozen=True, slots=True)
class RedisMark:
    """The mark in Redis, which holds nothing that must not be lost: without it one sign of another life is missing."""

    redis_url: str

    def highest(self, life: str) -> int:
        try:
            with Redis.from_url(self.redis_url, socket_timeout=2.0) as client:
                return int(client.get(f"outreach:written:{life}") or 0)
        except RedisError:
            return 0

    def lift(self, life: str, written: int) -> None:
        try:
            with Redis.from_url(self.redis_url, socket_timeout=2.0) as client:
                client.eval(LIFT, 1, f"outreach:written:{life}", written, MARK_SECONDS)
        except RedisError as error:
            log.warning("incarnation.mark_unreachable", error=type(error).__name__)


def look(session: Session, deployment: str, mark: Mark) -> bool:
    """Whether this is the life that was last reconciled, so that it may send. Safe to repeat; the caller commits.

    A database that has never been looked at is adopted as it is. Whatever differs freezes it: in the row, in the log and in the
    audit log, once.
    """
    session.execute(
        text("""
            insert into incarnation (id, deployment, cluster, timeline, relation, reconciled_at)
            select 1, :deployment, cluster, timeline, relation, now() from life()
            where not exists (select 1 from incarnation) on conflict do nothing
        """),
        {"deployment": deployment},
    )
    known = session.execute(text("select cluster, timeline, reconciled_at, frozen_at from incarnation")).one()
    if known.frozen_at is not None:
        return False
    # Before the database is asked: another process may lift the mark at any time.
    life = f"{known.cluster}:{known.timeline}:{known.reconciled_at.timestamp()}"
    highest = mark.highest(life)
    found = session.execute(
        text("""
            select i.deployment <> :deployment as deployment, i.cluster <> l.cluster as cluster,
                i.timeline <> l.timeline as timeline, i.relation <> l.relation as relation, l.written
            from incarnation i, life() l
        """),
        {"deployment": deployment},
    ).one()
    signs = [sign for sign in ("deployment", "cluster", "timeline", "relation") if getattr(found, sign)]
    if not signs and 0 < found.written < highest:
        signs = ["written"]
    if signs:
        freeze(session, audit.SYSTEM, signs)
        return False
    mark.lift(life, found.written)
    return True


def freeze(session: Session, by: Actor, signs: list[str]) -> None:
    """Send nothing from now on, because of these signs of another life. Safe to repeat."""
    if session.scalar(text("update incarnation set frozen_at = now() where frozen_at is null returning id")) is not None:
        log.error("incarnation.frozen", signs=signs)
        audit.record(session, by, "incarnation.freeze", "incarnation", signs=signs)


def thaw(session: Session, deployment: str, by: Actor, **figures: object) -> None:
    """Take this life for the one that is reconciled, under this name. `figures` go into the audit log."""
    session.execute(
        text("""
            update incarnation set deployment = :deployment, cluster = l.cluster, timeline = l.timeline, relation = l.relation,
                reconciled_at = now(), frozen_at = null
            from life() l
        """),
        {"deployment": deployment},
    )
    log.warning("incarnation.thawed")
    audit.record(session, by, "incarnation.thaw", "incarnation", None, **figures)

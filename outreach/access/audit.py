"""The audit log: append-only and hash-linked. Who saw, changed or sent what, and when.

Each entry carries a keyed hash over the entry before it, so that a changed, removed or re-ordered entry is found by `verify`.
Nothing identifying goes into an entry: ids, counts and codes only.
"""

import hmac
import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, Index, LargeBinary, func, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from outreach.access.sealing import vault_of
from outreach.db import Base, now

START = bytes(32)


class ActorKind(StrEnum):
    STAFF = "staff"
    SYSTEM = "system"  # a worker, the ticker
    COMMAND = "command"  # somebody at the command line of a server
    RECIPIENT = "recipient"  # the holder of a phone; never a person's id


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something. `id` is the account for staff, the contact point for a recipient, else None."""

    kind: ActorKind
    id: UUID | None = None


SYSTEM = Actor(ActorKind.SYSTEM)
COMMAND = Actor(ActorKind.COMMAND)


class AuditEntry(Base):
    __tablename__ = "audit_entry"

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor_kind: Mapped[str]
    actor_id: Mapped[UUID | None]
    action: Mapped[str]  # "noun.verb": person.open, campaign.approve, ...
    object_kind: Mapped[str]
    object_id: Mapped[UUID | None] = mapped_column(index=True)
    detail: Mapped[dict[str, object]] = mapped_column(JSONB)
    mac: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (
        Index("audit_entry_action_idx", "action", "seq"),
        Index("audit_entry_actor_idx", "actor_id", "seq", postgresql_where="actor_id is not null"),
    )


class AuditHead(Base):
    """The one row that says where the chain ends. Locking it is what puts entries in order."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    mac: Mapped[bytes] = mapped_column(LargeBinary)


@dataclass(frozen=True, slots=True)
class Verified:
    """The result of walking the chain: `problem` is None when it holds, else a sentence naming the entry."""

    entries: int
    problem: str | None


def record(session: Session, actor: Actor, action: str, object_kind: str, object_id: UUID | None = None, **detail: object) -> None:
    """Append one entry. It holds a lock on the end of the chain until the transaction ends: record last, commit soon.

    `detail` values are numbers, booleans, ids as text, codes, or lists of these; never text about a person.
    """
    end = session.execute(select(AuditHead).where(AuditHead.id == 1).with_for_update()).scalar_one()
    session.refresh(end)
    entry = AuditEntry(
        seq=end.seq + 1, at=now(), actor_kind=actor.kind, actor_id=actor.id, action=action,
        object_kind=object_kind, object_id=object_id, detail=detail, mac=b"",
    )  # fmt: skip
    entry.mac = _mac(_key(session), end.mac, entry)
    session.add(entry)
    end.seq, end.mac = entry.seq, entry.mac
    session.flush()


@dataclass(frozen=True, slots=True)
class Query:
    """Which entries to show; None for all."""

    action: str | None = None
    actor_id: UUID | None = None
    object_id: UUID | None = None


COUNTED = 10_000  # of those that fit a query; nobody leafs further, and a log grows without end


def entries(session: Session, query: Query, *, limit: int, offset: int = 0) -> tuple[list[AuditEntry], int]:
    """Entries newest first, and how many there are in all; of those that fit a query, COUNTED + 1 where there are more."""
    wanted = select(AuditEntry)
    if query == Query():
        total = session.scalar(select(func.max(AuditEntry.seq))) or 0
        # Numbered without a gap: the way to an old page is not walked.
        found = wanted.where(AuditEntry.seq <= total - offset).order_by(AuditEntry.seq.desc()).limit(limit)
        return list(session.scalars(found)), total
    if query.action:
        wanted = wanted.where(AuditEntry.action == query.action)
    if query.actor_id:
        wanted = wanted.where(AuditEntry.actor_id == query.actor_id)
    if query.object_id:
        wanted = wanted.where(AuditEntry.object_id == query.object_id)
    fit = wanted.with_only_columns(AuditEntry.seq).limit(COUNTED + 1)
    total = session.scalar(select(func.count()).select_from(fit.subquery())) or 0
    return list(session.scalars(wanted.order_by(AuditEntry.seq.desc()).limit(limit).offset(offset))), total


# From each action to the next one in the index: there are some dozens, among millions of entries.
_ACTIONS = text("""
    with recursive found as (
        (select action from audit_entry order by action limit 1)
        union all
        select (select action from audit_entry where action > found.action order by action limit 1)
        from found where found.action is not null
    )
    select action from found where action is not null
""")


def actions(session: Session) -> list[str]:
    """The kinds of action that occur in the log."""
    return list(session.scalars(_ACTIONS))


@dataclass(frozen=True, slots=True)
class Head:
    """Where the chain ends: written down elsewhere, it shows a log that was rolled back to an earlier end."""

    seq: int
    mac: bytes


def head(session: Session) -> Head:
    """Where the chain ends now."""
    return Head(*session.execute(select(AuditHead.seq, AuditHead.mac).where(AuditHead.id == 1)).one())


def verify(session: Session) -> Verified:
    """Walk the whole chain as it ends now, in constant memory. Entries may be added meanwhile."""
    last = select(func.coalesce(func.max(AuditEntry.seq), 0)).scalar_subquery()
    end_seq, end_mac, last_seq = session.execute(select(AuditHead.seq, AuditHead.mac, last).where(AuditHead.id == 1)).one()
    key, previous, seq = _key(session), START, 0
    walked = select(AuditEntry).where(AuditEntry.seq <= end_seq).order_by(AuditEntry.seq)
    with session.scalars(walked.execution_options(yield_per=1000)) as chain:
        for entry in chain:
            seq += 1
            if entry.seq != seq:
                return Verified(seq - 1, f"entry {seq} is missing")
            if not hmac.compare_digest(entry.mac, _mac(key, previous, entry)):
                return Verified(seq - 1, f"entry {seq} does not follow from the one before it: it, or that one, was altered")
            previous = entry.mac
            session.expunge(entry)
    if (end_seq, end_mac) != (seq, previous):
        return Verified(seq, f"the log ends at entry {seq}, but {end_seq} were written: the end was cut off")
    if last_seq > end_seq:
        return Verified(seq, f"entry {last_seq} stands after the end of the log: it was not written by this system")
    return Verified(seq, None)


def _key(session: Session) -> bytes:
    return vault_of(session).ring.derived("audit")


def _mac(key: bytes, previous: bytes, entry: AuditEntry) -> bytes:
    content = json.dumps(
        [
            entry.seq,
            entry.at.timestamp(),
            entry.actor_kind,
            str(entry.actor_id),
            entry.action,
            entry.object_kind,
            str(entry.object_id),
            entry.detail,
        ],
        sort_keys=True,
        ensure_ascii=True,
        separators=(",", ":"),
    )
    return hmac.digest(key, previous + content.encode(), "sha256")

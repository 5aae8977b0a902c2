"""Tasks: what the engine cannot do or decide by itself, and so puts before a person, once, with all that is known.

What each kind is about, when it opens and how it is closed: `exhausted` and `undecided`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, Text, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from outreach.db import Base, new_id, now
from outreach.tally import Tally


class TaskKind(StrEnum):
    EXHAUSTED = "exhausted"  # every step was tried or is impossible: somebody has to find another way to this person
    UNDECIDED = "undecided"  # the provider cannot say whether it has an attempt: somebody has to decide


class Task(Base):
    """One open question. There is at most one open task of a kind about the same person of a campaign, or the same attempt.

    `resolution` is a code of how it was closed; `note_sealed` are the words of whoever did, under the key of `person_id`, or of the
    attempt's contact point where the task is about an attempt.
    """

    __tablename__ = "task"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(Text)
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("campaign.id"))
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))
    attempt_id: Mapped[UUID | None] = mapped_column(ForeignKey("attempt.id"))
    opened_at: Mapped[datetime] = mapped_column(default=now)
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))  # None: the engine, since it is settled
    resolution: Mapped[str | None] = mapped_column(Text)
    note_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)

    __table_args__ = (
        Index(
            "task_open_key", "kind", "campaign_id", "person_id", "attempt_id", unique=True, postgresql_nulls_not_distinct=True,
            postgresql_where="closed_at is null",
        ),
        Index("task_waiting_idx", "opened_at", "id", postgresql_where="closed_at is null"),
        Index("task_person_idx", "person_id"),
        Index("task_attempt_idx", "attempt_id"),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Query:
    """Which tasks to list; None: any."""

    kind: TaskKind | None = None
    campaign_id: UUID | None = None
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A task as a list shows it, with ids only. `reason`: why nothing has reached them; `channel`: the attempt's."""

    id: UUID
    kind: TaskKind
    campaign_id: UUID
    campaign: str
    person_id: UUID | None
    protected: bool
    reason: str | None
    channel: str | None
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    resolution: str | None


CHOSEN = """
    from task t
    where t.closed_at is {closed} and (cast(:kind as text) is null or t.kind = :kind)
      and (cast(:campaign as uuid) is null or t.campaign_id = :campaign)
"""
# The page of ids first: what is shown of each is joined to those only.
LINES = """
    select t.*, c.title, coalesce(p.protected, false) as protected, o.reason, a.channel, by.name as closed_by_name
    from (
        select t.* {chosen}
        order by {order} limit :limit offset :offset
    ) t
    join campaign c on c.id = t.campaign_id
    left join person p on p.id = t.person_id
    left join outcome o on o.campaign_id = t.campaign_id and o.person_id = t.person_id
    left join attempt a on a.id = t.attempt_id
    left join account by on by.id = t.closed_by
    order by {order}
"""


COUNTED = 10_000  # of those that fit; nobody leafs further


def lines(session: Session, query: Query, *, limit: int, offset: int) -> tuple[Sequence[Line], int]:
    """A page of the tasks that fit, and how many fit, COUNTED + 1 where there are more: of the open ones the oldest first, of the
    closed ones the newest."""
    values = {"kind": query.kind, "campaign": query.campaign_id}
    chosen = CHOSEN.format(closed="not null" if query.closed else "null")
    total = session.scalar(text(f"select count(*) from (select 1 {chosen} limit {COUNTED + 1}) counted"), values) or 0
    listed = LINES.format(chosen=chosen, order="t.closed_at desc, t.id" if query.closed else "t.opened_at, t.id")
    rows = session.execute(text(listed), values | {"limit": limit, "offset": offset})
    return [
        Line(
            row.id, TaskKind(row.kind), row.campaign_id, row.title, row.person_id, row.protected, row.reason, row.channel,
            row.opened_at, row.closed_at, row.closed_by_name, row.resolution,
        )
        for row in rows
    ], total  # fmt: skip


_OPEN = Tally("tasks", "select kind, count(*) as tasks from task where closed_at is null group by kind")


def open_by_kind(session: Session) -> Counter[TaskKind]:
    """How many tasks of each kind are open; of very many, as of the last few minutes."""
    return Counter({TaskKind(row["kind"]): row["tasks"] for row in _OPEN.rows(session).rows})


def campaigns(session: Session) -> Sequence[tuple[UUID, str]]:
    """The campaigns that have tasks, open or closed, the newest first."""
    rows = session.execute(
        text("select id, title from campaign where id in (select campaign_id from task) order by created_at desc")
    )
    return [(row.id, row.title) for row in rows]

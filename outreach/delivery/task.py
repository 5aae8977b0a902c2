"""Tasks: what the engine cannot do or decide by itself, and so puts before a person, once, with all that is known."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from outreach.db import Base, new_id, now


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
        Index("task_person_idx", "person_id"),
        Index("task_attempt_idx", "attempt_id"),
    )  # fmt: skip

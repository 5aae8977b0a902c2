"""The books: ours against the provider's, per day, with every difference named."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from outreach.db import Base, new_id, now


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
    wanted_at: Mapped[datetime | None] = mapped_column(default=now)  # since when a comparison is wanted, None where none is
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

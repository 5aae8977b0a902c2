"""Looks: each time that a provider's books were asked about an attempt whose outcome we do not know, and what they said.

Only evidence for whoever has to decide: what is done about a look stands in the attempt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, Text, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from outreach.db import Base, now


class LookResult(StrEnum):
    FOUND = "found"
    ABSENT = "absent"
    UNREACHABLE = "unreachable"  # the books could not be read, or there are none
    ERASED = "erased"  # the address that they would be searched for is erased, or does not open


class Look(Base):
    """Looks in a row that came to the same: the first, the last, and how many. `cause` is why books could not be read: a code."""

    __tablename__ = "look"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    attempt_id: Mapped[UUID] = mapped_column(ForeignKey("attempt.id"))
    result: Mapped[str] = mapped_column(Text)
    cause: Mapped[str | None] = mapped_column(Text)
    first_at: Mapped[datetime] = mapped_column(default=now)
    last_at: Mapped[datetime] = mapped_column(default=now)
    times: Mapped[int] = mapped_column(default=1)

    __table_args__ = (Index("look_attempt_idx", "attempt_id", "id"),)


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look at an attempt came to."""

    attempt_id: UUID
    result: LookResult
    cause: str | None = None


# A provider that is away for a day is asked a thousand times: that is one row.
NOTE = """
    with seen as (
        select * from unnest(cast(:attempts as uuid[]), cast(:results as text[]), cast(:causes as text[]))
            as s(attempt, result, cause)
    ),
    again as (
        update look l set last_at = now(), times = times + 1 from seen s
        where l.id = (select max(id) from look newest where newest.attempt_id = s.attempt)
          and l.result = s.result and l.cause is not distinct from s.cause
        returning l.attempt_id
    )
    insert into look (attempt_id, result, cause, first_at, last_at, times)
    select attempt, result, cause, now(), now(), 1 from seen where attempt not in (select attempt_id from again)
"""


def note(session: Session, looks: Sequence[Seen]) -> None:
    """Write down what looks came to. The attempts' messages are locked."""
    if looks:
        session.execute(
            text(NOTE),
            {
                "attempts": [one.attempt_id for one in looks],
                "results": [one.result for one in looks],
                "causes": [one.cause for one in looks],
            },
        )

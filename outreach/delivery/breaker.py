"""Breakers: what stops by itself when something is wrong with a step or a provider, until a person has looked."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from outreach.db import Base, new_id, now


class BreakerKind(StrEnum):
    FILTERED = "filtered"  # a carrier takes us for spam, or our sender is not registered with it
    REFUSALS = "refusals"  # too many of the latest attempts were refused or failed
    UNKNOWNS = "unknowns"  # too many of the latest attempts have no known outcome
    BOUNCES = "bounces"  # too many of the latest mails came back
    COMPLAINTS = "complaints"  # too many recipients of the latest mails called them spam
    CONFIGURATION = "configuration"  # the provider does not let us in, or our account or sender is wrong
    LATE = "late"  # the schedule was found hours late: nobody worked, and what was meant for then may be wrong now


class Breaker(Base):
    """Open until `closed_at`. While it is open nothing of the step, or nothing by the provider, is claimed.

    One of `provider` and `step_id` is set. `code` is the provider's, where one opened it; `figures` are the counts that did.
    """

    __tablename__ = "breaker"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(Text)
    provider: Mapped[str | None] = mapped_column(Text)
    step_id: Mapped[UUID | None] = mapped_column(ForeignKey("step.id"))
    code: Mapped[str | None] = mapped_column(Text)
    figures: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    opened_at: Mapped[datetime] = mapped_column(default=now)
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))

    __table_args__ = (
        Index(
            "breaker_open_key", "kind", "provider", "step_id", unique=True, postgresql_nulls_not_distinct=True,
            postgresql_where="closed_at is null",
        ),
        Index("breaker_step_idx", "step_id", "closed_at"),
    )  # fmt: skip

"""Imminent removals: somebody is about to be removed, so telling them cannot wait for the hours or for the ladder's waits."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from outreach.db import Base, new_id, now


class ImminentRemoval(Base):
    """Asked for by one officer with a reason, and in force once a second person has approved it, until `until` or `ended_at`.

    `reason_sealed` is under the person's key.
    """

    __tablename__ = "imminent_removal"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    reason_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    asked_by: Mapped[UUID] = mapped_column(ForeignKey("account.id"))
    asked_at: Mapped[datetime] = mapped_column(default=now)
    until: Mapped[datetime]
    approved_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    approved_at: Mapped[datetime | None]
    ended_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    ended_at: Mapped[datetime | None]

    __table_args__ = (Index("imminent_removal_open_key", "person_id", unique=True, postgresql_where="ended_at is null"),)


IN_FORCE = "(ir.approved_at is not null and ir.ended_at is null and ir.until > now())"
"""SQL: whether the imminent removal `ir` is in force now."""

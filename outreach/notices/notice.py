"""Notices and their renditions: what is said, per channel and language, and who approved each text.

    draft ──approve──> approved ──a newer one is approved──> retired
      └────── a change makes a new draft (a new version); a text that was approved never changes

Only an approved rendition can be sent, and nobody approves a text that they drafted themselves.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from outreach.db import Base, new_id, now


class Channel(StrEnum):
    SMS = "sms"
    EMAIL = "email"
    LETTER = "letter"


class RenditionState(StrEnum):
    DRAFT = "draft"
    APPROVED = "approved"
    RETIRED = "retired"


class Notice(Base):
    __tablename__ = "notice"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    title: Mapped[str]  # for staff
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)


class Rendition(Base):
    """One notice's text for one channel and language, in one version."""

    __tablename__ = "rendition"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    notice_id: Mapped[UUID] = mapped_column(ForeignKey("notice.id"))
    channel: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(Text)
    version: Mapped[int]
    text: Mapped[str]  # with ((fields)); names nobody, so it is not sealed
    state: Mapped[str] = mapped_column(Text, default=RenditionState.DRAFT)
    drafted_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))  # None: shipped with the program
    drafted_at: Mapped[datetime] = mapped_column(default=now)
    approved_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    approved_at: Mapped[datetime | None]
    approval_note: Mapped[str | None] = mapped_column(Text)  # who reviewed the language, or that this is a demonstration
    policy: Mapped[str | None] = mapped_column(Text)  # the version of the non-disclosure check that it passed

    __table_args__ = (
        Index("rendition_version_key", "notice_id", "channel", "language", "version", unique=True),
        Index(
            "rendition_approved_key", "notice_id", "channel", "language", unique=True,
            postgresql_where="state = 'approved'",
        ),
    )  # fmt: skip

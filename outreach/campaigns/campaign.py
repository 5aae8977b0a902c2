"""Campaigns: an approved intent.

    draft ──submit──> submitted ──approve, by another──> approved ──launch──> running <──> paused ──> done
      ^                   └── a change of text, steps or audience voids the approval ──> draft
      └───────────────────────────────────────────────────────────────────────────────────┘
"""

from datetime import datetime, time
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from outreach.db import Base, new_id, now


class CampaignState(StrEnum):
    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"


class Campaign(Base):
    """`window_start` and `window_end` bound the hours in which a text may arrive, in the phone's own time zone.

    Equal bounds mean the whole day, which needs a `window_reason`.
    """

    __tablename__ = "campaign"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    title: Mapped[str]
    notice_id: Mapped[UUID] = mapped_column(ForeignKey("notice.id"))
    audience: Mapped[dict[str, list[str]]] = mapped_column(JSONB)  # see `campaigns.audience`
    window_start: Mapped[time] = mapped_column(default=time(9))
    window_end: Mapped[time] = mapped_column(default=time(20))
    window_reason: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, default=CampaignState.DRAFT)
    state_reason: Mapped[str | None] = mapped_column(Text)  # why it is paused: a code such as "staff" or "filtered"
    created_by: Mapped[UUID] = mapped_column(ForeignKey("account.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    submitted_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    submitted_at: Mapped[datetime | None]
    submitted_digest: Mapped[str | None] = mapped_column(Text)  # of content and audience, see `campaigns.approval`
    submitted_people: Mapped[int | None]
    approved_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    approved_at: Mapped[datetime | None]
    launched_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class Step(Base):
    """One rung of a campaign's ladder. It is planned once, `wait_hours` after the launch, for whoever is not reached yet."""

    __tablename__ = "step"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("campaign.id"))
    position: Mapped[int]  # from 1
    channel: Mapped[str] = mapped_column(Text)
    wait_hours: Mapped[int] = mapped_column(default=0)
    planned_at: Mapped[datetime | None]

    __table_args__ = (Index("step_position_key", "campaign_id", "position", unique=True),)

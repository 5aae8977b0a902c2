"""Spending: what a campaign has handed over, by day, and what that costs. Kept where a campaign has a limit to hold to."""

from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ForeignKey, Numeric
from sqlalchemy.orm import Mapped, mapped_column

from outreach.db import Base


class Spending(Base):
    """One campaign's texts, mails and letters of one day (the carriers' day), counted when they are claimed.

    What is proved never to have been sent is taken off again. `cost` is in US dollars, by the prices of the settings.
    """

    __tablename__ = "spending"

    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("campaign.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    messages: Mapped[int] = mapped_column(default=0)
    segments: Mapped[int] = mapped_column(default=0)
    cost: Mapped[Decimal] = mapped_column(Numeric(14, 4), default=Decimal(0))

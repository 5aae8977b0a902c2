"""Custody: where a person is held, as a list of dated events and never one overwritten column.

`person.custody` and its neighbours are a projection of the newest event, kept by a trigger, so that planning need not sort events.
"""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from outreach.db import Base, new_id, now


class Custody(StrEnum):
    DETAINED = "detained"
    IN_TRANSIT = "in_transit"
    RELEASED = "released"
    REMOVED = "removed"
    DEPARTED = "departed"  # of their own accord
    OTHER_AGENCY = "other_agency"
    RELIEF = "relief"
    DECEASED = "deceased"
    UNKNOWN = "unknown"


class ANumberRule(StrEnum):
    """How much of the A-number a facility demands on the outside of mail. Nothing, unless it does."""

    NONE = "none"
    LAST_FOUR = "last4"
    FULL = "full"


class MailMarking(StrEnum):
    """What a facility calls mail that it opens only in the person's presence."""

    NONE = "none"
    LEGAL_MAIL = "legal_mail"
    SPECIAL_CORRESPONDENCE = "special_correspondence"


class Facility(Base):
    """A place of detention, and its own rules for mail. `post_point_id` is its mailing address."""

    __tablename__ = "facility"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    time_zone: Mapped[str | None]
    post_point_id: Mapped[UUID | None] = mapped_column(ForeignKey("contact_point.id"))
    a_number_rule: Mapped[str] = mapped_column(Text, default=ANumberRule.NONE, server_default=ANumberRule.NONE)
    mail_marking: Mapped[str] = mapped_column(Text, default=MailMarking.LEGAL_MAIL, server_default=MailMarking.LEGAL_MAIL)
    created_at: Mapped[datetime] = mapped_column(default=now)


class CustodyEvent(Base):
    """One thing known about where a person is. Append-only.

    `effective_on` is when it became so (unknown: None), `as_of` the date of the source that says it, `recorded_at` when we
    learnt it. The newest by (as_of, effective_on, recorded_at) is what counts.
    """

    __tablename__ = "custody_event"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    state: Mapped[str] = mapped_column(Text)
    facility_id: Mapped[UUID | None] = mapped_column(ForeignKey("facility.id"))
    effective_on: Mapped[date | None]
    as_of: Mapped[date]
    source: Mapped[str]  # "roster" or "staff"
    source_id: Mapped[UUID | None]  # the import, or the account
    recorded_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (
        # The same fact from the same source date is one event, however often it is imported.
        Index(
            "custody_event_fact_key", "person_id", "as_of", "state", "facility_id", "effective_on",
            unique=True, postgresql_nulls_not_distinct=True,
        ),
        Index("custody_event_recorded_idx", "recorded_at"),
    )  # fmt: skip

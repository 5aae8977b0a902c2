"""Outcomes: where each person of a campaign's audience stands. One row per person, so that the sum is always the audience."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, SmallInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from outreach.db import Base, now


class OutcomeState(StrEnum):
    PLANNED = "planned"  # a message is decided on and not yet handed over
    IN_PROGRESS = "in_progress"  # handed over, or not known
    REACHED = "reached"  # a report says that it arrived: not yet that the person read it
    TOLD = "told"  # the person answered that they have it, or it was handed to them against a receipt
    EXHAUSTED = "exhausted"  # every step was tried or is impossible: `reason` says what stopped it
    EXCLUDED = "excluded"  # not to be contacted by this campaign: `reason` says why


BEST_FIRST = (
    OutcomeState.TOLD,
    OutcomeState.REACHED,
    OutcomeState.IN_PROGRESS,
    OutcomeState.PLANNED,
    OutcomeState.EXHAUSTED,
    OutcomeState.EXCLUDED,
)


class Reason(StrEnum):
    """Why a person gets no message, or was not reached. Shown to staff, worked as a list."""

    NEEDS_LANGUAGE = "needs_language"  # we do not know what language they understand
    NEEDS_TRANSLATION = "needs_translation"  # there is no approved text in it
    IN_CUSTODY = "in_custody"  # never by text: handed over in person instead
    REMOVED = "removed"  # nothing automatic abroad before a safety review
    CUSTODY_UNKNOWN = "custody_unknown"
    DECEASED = "deceased"
    PROTECTED = "protected"  # only by the safe address
    NO_CONTACT = "no_contact"  # no phone on file
    UNSAFE_CONTACT = "unsafe_contact"  # phones on file, none of them safe to use
    OPTED_OUT = "opted_out"
    WRONG_NUMBER = "wrong_number"
    BAD_CONTACT = "bad_contact"
    NOT_DELIVERED = "not_delivered"
    REFUSED = "refused"  # by the provider, for good
    NO_ROUTE = "no_route"  # the provider does not send to their country, or not for us
    FILTERED = "filtered"  # by a carrier that took the text for spam
    BLOCKED = "blocked"  # by our own check of the text
    CANNOT_READ = "cannot_read"  # does not read the language: needs a voice
    NOT_PLANNED = "not_planned"  # no step of the campaign, or no way of the channel plan, is for people of their custody
    NO_EMAIL = "no_email"  # no e-mail address on file
    NO_ADDRESS = "no_address"  # no postal address on file
    BAD_ADDRESS = "bad_address"  # postal addresses on file, none that a letter can get to
    NO_FACILITY = "no_facility"  # in custody, and we do not know where or how mail gets there
    NEEDS_CONSENT = "needs_consent"  # only family on file, and no written consent
    MISSING_GLYPH = "missing_glyph"  # a character of the letter that no font of ours can print
    RETURNED = "returned"  # a letter came back, or an e-mail bounced after all
    MOVED = "moved"  # transferred, released or removed since it was printed: pulled
    NO_COUNSEL = "no_counsel"  # nobody represents this person
    REPRESENTATION_ENDED = "representation_ended"
    ATTORNEY_UNREACHABLE = "attorney_unreachable"  # no address of theirs of this kind, or it does not work
    STOPPED = "stopped"  # the campaign was, before their message went
    NOT_SERVED = "not_served"  # hand service was tried and did not succeed
    NO_HOUR = "no_decent_hour"  # no hour is decent everywhere where they, or who shares their phone, may be


class Outcome(Base):
    __tablename__ = "outcome"

    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("campaign.id"), primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), primary_key=True)
    state: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    # The attorneys' track: None until a step for attorneys is planned, then "represented" or "none". See `CounselOutcome`.
    counsel: Mapped[str | None] = mapped_column(Text)
    # The position of the furthest step that was decided for them ahead of its time for everybody (`delivery.advance`); 0: none.
    rung: Mapped[int] = mapped_column(SmallInteger, default=0, server_default="0")
    updated_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (
        Index("outcome_person_idx", "person_id"),
        Index("outcome_not_reached_idx", "campaign_id", "rung", postgresql_where="state in ('exhausted', 'excluded')"),
        Index("outcome_told_idx", "campaign_id", "person_id", postgresql_where="state = 'told'"),
    )


class CounselOutcome(Base):
    """Where one attorney stands about one client in a campaign, beside where the client stands. States are `OutcomeState`'s."""

    __tablename__ = "counsel_outcome"

    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("campaign.id"), primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), primary_key=True)
    attorney_id: Mapped[UUID] = mapped_column(ForeignKey("attorney.id"), primary_key=True)
    state: Mapped[str] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    updated_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (Index("counsel_outcome_attorney_idx", "attorney_id"), Index("counsel_outcome_person_idx", "person_id"))

"""Contact points: a phone, an e-mail address or a postal address, whoever it belongs to, and whom it may reach."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ARRAY, ForeignKey, Index, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from outreach.db import Base, new_id, now

VALUE = "contact_point.value"
COUNTRY = "contact_point.country"
"""What the two sealed fields of a contact point are bound to."""


class ContactKind(StrEnum):
    PHONE = "phone"
    EMAIL = "email"
    POST = "post"


class ContactState(StrEnum):
    USABLE = "usable"
    BAD = "bad"  # a provider said that it does not exist or cannot receive
    OPTED_OUT = "opted_out"  # STOP: ends the channel, for everyone on that phone; never counts as notice
    QUARANTINED = "quarantined"  # somebody there said "wrong person"


class ContactRole(StrEnum):
    OWN = "own"
    FAMILY = "family"
    SHELTER = "shelter"
    ATTORNEY = "attorney"
    OTHER = "other"


class Safety(StrEnum):
    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    NEVER = "never"


class AddressGrade(StrEnum):
    """Whether a letter can get to a postal address, as far as its text and its history tell."""

    GOOD = "good"
    FOREIGN = "foreign"  # outside the United States, and complete by its country's rules
    BLANK = "blank"
    INCOMPLETE = "incomplete"
    NO_UNIT = "no_unit"
    NOT_RESIDENTIAL = "not_residential"
    KNOWN_BAD = "known_bad"  # a letter came back from there
    CROWDED = "crowded"  # given for more people than live anywhere
    DENIED = "denied"  # a foreign government's own: never

    @property
    def mailable(self) -> bool:
        return self in (AddressGrade.GOOD, AddressGrade.FOREIGN)


class ContactPoint(Base):
    """One address, once, however many people share it. Its data key's subject is its own `id`.

    `value_sealed` holds E.164, a lower-case address, or the lines of a postal address; the first two have a blind index that is
    unique. A postal address belongs to one person each time it is given; `address_index` finds where it was given again.
    """

    __tablename__ = "contact_point"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(Text)
    value_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    value_index: Mapped[bytes | None] = mapped_column(LargeBinary)
    time_zone: Mapped[str | None] = mapped_column(Text)  # of a phone's number; None: not known
    # Of a postal address: every zone that it may lie in, for the quiet hours of whoever lives there. None: not looked at yet.
    place_zones: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    state: Mapped[str] = mapped_column(Text, default=ContactState.USABLE)
    state_reason: Mapped[str | None] = mapped_column(Text)  # a code: "reply:stop", "twilio:21614", "staff"
    state_at: Mapped[datetime | None]
    grade: Mapped[str | None] = mapped_column(Text)  # an `AddressGrade`, of postal addresses
    address_index: Mapped[bytes | None] = mapped_column(LargeBinary)  # a keyed hash of the address as it is compared
    country_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)  # an ISO code; None: the United States, or not known
    created_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (
        Index("contact_point_value_key", "kind", "value_index", unique=True),
        Index("contact_point_address_idx", "address_index"),
        Index("contact_point_unplaced_idx", "id", postgresql_where="kind = 'post' and place_zones is null"),
        Index("contact_point_complaint_idx", "state_at", postgresql_where="state_reason like '%spam_report'"),
    )


class PersonContact(Base):
    """A person can be reached at a contact point: as whose, and is that safe?

    A safety review (`reviewed_by`) signs a contact point off for somebody who was removed: nothing goes abroad without one.
    Family is written to only with the person's written consent on file.
    """

    __tablename__ = "person_contact"

    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), primary_key=True)
    contact_point_id: Mapped[UUID] = mapped_column(ForeignKey("contact_point.id"), primary_key=True)
    role: Mapped[str] = mapped_column(Text, default=ContactRole.OTHER)
    safety: Mapped[str] = mapped_column(Text, default=Safety.UNKNOWN)
    confirmed_on: Mapped[date | None]
    entered_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))  # None: a roster
    reviewed_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    reviewed_at: Mapped[datetime | None]
    consent_on: Mapped[date | None]
    consent_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))  # who saw the written consent
    created_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (Index("person_contact_point_idx", "contact_point_id"),)

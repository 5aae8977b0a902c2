"""Contact points: a phone, an e-mail address or a postal address, whoever it belongs to, and whom it may reach."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from outreach.db import Base, new_id, now


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


class ContactPoint(Base):
    """One address, once, however many people share it. Its data key's subject is its own `id`.

    `value_sealed` holds E.164, a lower-case address, or the lines of a postal address; the first two have a blind index.
    """

    __tablename__ = "contact_point"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(Text)
    value_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    value_index: Mapped[bytes | None] = mapped_column(LargeBinary)
    time_zone: Mapped[str | None] = mapped_column(Text)  # for quiet hours; None: not known
    state: Mapped[str] = mapped_column(Text, default=ContactState.USABLE)
    state_reason: Mapped[str | None] = mapped_column(Text)  # a code: "reply:stop", "twilio:21614", "staff"
    state_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (Index("contact_point_value_key", "kind", "value_index", unique=True),)


class PersonContact(Base):
    """A person can be reached at a contact point: as whose, and is that safe?"""

    __tablename__ = "person_contact"

    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), primary_key=True)
    contact_point_id: Mapped[UUID] = mapped_column(ForeignKey("contact_point.id"), primary_key=True)
    role: Mapped[str] = mapped_column(Text, default=ContactRole.OTHER)
    safety: Mapped[str] = mapped_column(Text, default=Safety.UNKNOWN)
    confirmed_on: Mapped[date | None]
    created_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (Index("person_contact_point_idx", "contact_point_id"),)

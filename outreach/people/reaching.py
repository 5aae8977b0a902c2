"""How a person can be reached, changed by hand: added, replaced, signed off by a safety review, allowed by a written consent.

Whatever is entered here is graded as a roster's would be, and a foreign government's own is kept and never used.
"""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach.access import audit
from outreach.access.sealing import create_key, keys_for, vault_of
from outreach.db import new_id, now
from outreach.people import denied, file
from outreach.people.addresses.address import Address
from outreach.people.addresses.comparing import address_index, compared
from outreach.people.addresses.regrading import regrade
from outreach.people.addresses.zones import zones_of_lines
from outreach.people.contact import (
    COUNTRY,
    VALUE,
    AddressGrade,
    ContactKind,
    ContactPoint,
    ContactRole,
    ContactState,
    PersonContact,
    Safety,
)
from outreach.people.file import NoSuchContact, Reader
from outreach.people.person import Person
from outreach.people.roster import merging, phones, values
from outreach.people.roster.correcting import Busy
from outreach.people.roster.problems import BadValueError, Fault


class AlreadyThere(Exception):
    """The person has this phone number or address already."""


class OwnEntry(Exception):
    """A safety review is by somebody else than who entered the contact point."""


class NoReview(Exception):
    """Nothing may be sent to this contact point, so there is nothing to sign off."""


class NotYet(ValueError):
    """A written consent is of today or of an earlier day."""


@dataclass(frozen=True, slots=True)
class Found:
    """One contact as it is kept: E.164, a lower-case e-mail address, or an address."""

    kind: ContactKind
    value: str
    time_zone: str | None = None
    address: Address | None = None

    @property
    def denied(self) -> bool:
        """A foreign government's own."""
        if self.kind is ContactKind.EMAIL:
            return denied.is_foreign_mailbox(self.value)
        return self.address is not None and self.address.grade is AddressGrade.DENIED


def read_phone(text: str) -> Found:
    """One phone number. Raises BadValueError."""
    numbers = phones.parse_phones(text, region="US")
    if len(numbers) != 1:
        raise BadValueError(Fault.PHONE_UNREADABLE)
    return Found(ContactKind.PHONE, numbers[0].e164, merging.time_zone(numbers[0].country, numbers[0].time_zones))


def read_email(text: str) -> Found:
    """One e-mail address. Raises BadValueError."""
    addresses = values.parse_emails(text)
    if len(addresses) != 1:
        raise BadValueError(Fault.EMAIL_INVALID)
    return Found(ContactKind.EMAIL, addresses[0])


def read_address(address: Address) -> Found:
    """A postal address, as `addresses.address` makes it from a form."""
    return Found(ContactKind.POST, address.lines, address=address)


def kind_of(session: Session, person_id: UUID, contact_point_id: UUID, *, by: Reader) -> ContactKind:
    """What somebody is about to replace. Raises NoSuchPerson, ProtectedRecord or NoSuchContact."""
    file.check_visible(session, person_id, by)
    if session.get(PersonContact, (person_id, contact_point_id)) is None:
        raise NoSuchContact
    return ContactKind(session.get_one(ContactPoint, contact_point_id).kind)


def add(
    session: Session, person_id: UUID, found: Found, *, role: ContactRole, safety: Safety, by: Reader, reuse_limit: int
) -> AddressGrade | None:
    """Add a way to reach the person; the grade of a postal address. A phone or mailbox that others use already becomes shared.

    A safe postal address of a protected person becomes their only one. Raises NoSuchPerson, ProtectedRecord, AlreadyThere, or
    Busy while a roster is imported.
    """
    point = _add(session, person_id, found, role=role, safety=safety, by=by, reuse_limit=reuse_limit)
    audit.record(
        session, by.actor, "contact.add", "person", person_id, contact=str(point.id), kind=found.kind, role=role, safety=safety,
        grade=point.grade,
    )  # fmt: skip
    return AddressGrade(point.grade) if point.grade else None


def replace(
    session: Session, person_id: UUID, contact_point_id: UUID, found: Found, *, safety: Safety, by: Reader, reuse_limit: int
) -> AddressGrade | None:
    """As `add`, in another one's place and with its role. The old one stays on file, is never used for this person again, and a
    later roster does not bring it back. Raises as `add`, and NoSuchContact.
    """
    file.check_visible(session, person_id, by)
    old = _link(session, person_id, contact_point_id)
    point = _add(session, person_id, found, role=ContactRole(old.role), safety=safety, by=by, reuse_limit=reuse_limit)
    old.safety, old.reviewed_by, old.reviewed_at = Safety.NO, None, None
    session.flush()
    audit.record(
        session, by.actor, "contact.replace", "person", person_id, contact=str(contact_point_id), by=str(point.id), kind=found.kind,
        safety=safety, grade=point.grade,
    )  # fmt: skip
    return AddressGrade(point.grade) if point.grade else None


def sign_off(session: Session, person_id: UUID, contact_point_id: UUID, *, by: Reader) -> None:
    """A safety review: this contact point may be used for somebody who was removed. By a supervisor who did not enter it.

    It ends when the contact point is said not to be safe. Raises NoSuchPerson, ProtectedRecord, NoSuchContact, OwnEntry, or
    NoReview. Safe to repeat: the first review stays.
    """
    if not by.supervises:
        raise file.ProtectedRecord
    file.check_visible(session, person_id, by)
    link = _link(session, person_id, contact_point_id)
    if link.entered_by is not None and link.entered_by == by.actor.id:
        raise OwnEntry
    point = session.get_one(ContactPoint, contact_point_id)
    mailable = point.grade is None or AddressGrade(point.grade).mailable
    if link.safety in (Safety.NO, Safety.NEVER) or point.state != ContactState.USABLE or not mailable:
        raise NoReview
    if link.reviewed_at is None:
        link.reviewed_by, link.reviewed_at = by.actor.id, now()
        session.flush()
        audit.record(session, by.actor, "contact.review", "person", person_id, contact=str(contact_point_id))


def record_consent(session: Session, person_id: UUID, contact_point_id: UUID, on: date | None, *, by: Reader, today: date) -> None:
    """The person's written consent to write to this contact point is on file, of that day; None: it was withdrawn.

    Raises NoSuchPerson, ProtectedRecord, NoSuchContact or NotYet.
    """
    file.check_visible(session, person_id, by)
    if on is not None and on > today:
        raise NotYet
    link = _link(session, person_id, contact_point_id)
    link.consent_on, link.consent_by = on, by.actor.id if on else None
    session.flush()
    audit.record(
        session, by.actor, "contact.consent", "person", person_id, contact=str(contact_point_id), on=on.isoformat() if on else None
    )


def _link(session: Session, person_id: UUID, contact_point_id: UUID) -> PersonContact:
    link = session.get(PersonContact, (person_id, contact_point_id), with_for_update=True, populate_existing=True)
    if link is None:
        raise NoSuchContact
    return link


def _add(
    session: Session, person_id: UUID, found: Found, *, role: ContactRole, safety: Safety, by: Reader, reuse_limit: int
) -> ContactPoint:
    file.check_visible(session, person_id, by)
    if not merging.try_lock(session):  # An import copies its contact points in, and two of one phone cannot be.
        raise Busy
    person = session.get_one(Person, person_id, with_for_update={"key_share": True})
    point = _present(session, person_id, found) or _make(session, found)
    session.add(PersonContact(person_id=person_id, contact_point_id=point.id, role=role, safety=safety, entered_by=by.actor.id))
    session.flush()
    if safety is Safety.YES and person.protected and found.kind is ContactKind.POST:
        file.keep_one_safe_address(session, person_id, point.id)
    if point.address_index is not None:
        regrade(session, reuse_limit=reuse_limit, indexes=[point.address_index])
        session.refresh(point)
    return point


def _present(session: Session, person_id: UUID, found: Found) -> ContactPoint | None:
    """The contact point of this phone or mailbox, if there is one. Raises AlreadyThere when the person has it, or this address."""
    linked = session.scalars(
        select(ContactPoint)
        .join(PersonContact, PersonContact.contact_point_id == ContactPoint.id)
        .where(PersonContact.person_id == person_id, ContactPoint.kind == found.kind)
    ).all()
    if found.kind is ContactKind.POST:
        keys = keys_for(session, [point.id for point in linked])
        if any(point.id in keys and keys[point.id].open(VALUE, point.id, point.value_sealed) == found.value for point in linked):
            raise AlreadyThere
        return None
    index = vault_of(session).blind_index(found.kind, found.value)
    point = session.scalar(select(ContactPoint).where(ContactPoint.kind == found.kind, ContactPoint.value_index == index))
    if point is not None and point.id in {one.id for one in linked}:
        raise AlreadyThere
    return point


def _make(session: Session, found: Found) -> ContactPoint:
    point_id = new_id()
    key, vault = create_key(session, point_id), vault_of(session)
    point = ContactPoint(
        id=point_id, kind=found.kind, value_sealed=key.seal(VALUE, point_id, found.value), time_zone=found.time_zone,
    )  # fmt: skip
    if found.address is None:
        point.value_index = vault.blind_index(found.kind, found.value)
    else:
        country = found.address.country
        point.grade = found.address.grade
        point.place_zones = list(zones_of_lines(found.value, country))
        point.address_index = address_index(vault, compared(found.value, country))
        point.country_sealed = key.seal(COUNTRY, point_id, country) if country and country != "US" else None
    if found.denied:
        point.state, point.state_reason, point.state_at = ContactState.BAD, denied.REASON, now()
    session.add(point)
    session.flush()
    return point

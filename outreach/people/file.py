"""Reading a person's file. Every reading is in the audit log before anything is opened.

    with sessions.begin() as session:
        permit = file.ask_to_open(session, person_id, by=reader)   # writes the entry; the block commits it
    with sessions.begin() as session:
        opened = file.open_file(session, permit)

When the entry cannot be written, there is no permit, and nothing is opened.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, aliased

from outreach.access import audit
from outreach.access.audit import Actor
from outreach.access.sealing import DataKey, keys_for
from outreach.people.addresses import foreign
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
from outreach.people.incident import Exposure, Incident
from outreach.people.person import ANumber, NameKind, Person, PersonName

HIDDEN = "•••"


class NoSuchPerson(LookupError):
    """There is no person with this id."""


class ProtectedRecord(Exception):
    """A protected person's file, which only a supervisor opens."""


class NoSuchContact(LookupError):
    """The person has no such contact point."""


class RevealReason(StrEnum):
    """Why somebody needs to see a number in full."""

    CONTACT = "contact"  # to call or write to the person
    REPLY = "reply"  # to find out who answered
    CORRECT = "correct"  # to correct the record
    ATTORNEY = "attorney"  # a verified attorney asks
    COURT = "court"  # a court or an oversight body asks


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads. `supervises`: may open the records of protected people."""

    actor: Actor
    supervises: bool


@dataclass(frozen=True, slots=True)
class Permit:
    """These people's fields may be opened, because an entry in the audit log says so. Made by the `ask_` functions only."""

    people: tuple[UUID, ...]
    in_full: bool = False


@dataclass(frozen=True, slots=True)
class Brief:
    """What a list shows of a person. `name` is None when the person was erased; `a_number` is the last three digits."""

    name: str | None
    native: str | None
    a_number: str | None


@dataclass(frozen=True, slots=True)
class Name:
    kind: str
    whole: str


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact point as the file shows it. `value` is masked unless the permit is in full. `others` share it."""

    id: UUID
    kind: str
    value: str
    role: str
    safety: str
    state: str
    state_reason: str | None
    confirmed_on: date | None
    others: int
    grade: str | None
    entered_by: UUID | None
    reviewed_at: datetime | None
    consent_on: date | None

    @property
    def off_limits(self) -> bool:
        """Nothing may be sent there."""
        unfit = self.grade is not None and not AddressGrade(self.grade).mailable
        return unfit or self.safety in (Safety.NO, Safety.NEVER) or self.state != ContactState.USABLE


@dataclass(frozen=True, slots=True)
class Exposed:
    """What leaked of this person in one incident."""

    code: str
    title: str
    occurred_on: date | None
    elements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class File:
    """All that is known of a person, but for what happened (`proof.timeline`). None where it is not known, or hidden.

    `erased`: the person's key is gone, and with it everything that identified them.
    """

    person: Person
    erased: bool
    in_full: bool
    names: tuple[Name, ...]
    a_numbers: tuple[str, ...]
    birth_date: str | None
    nationality: str | None
    contacts: tuple[Contact, ...]
    exposures: tuple[Exposed, ...]


def ask_to_list(session: Session, people: Sequence[UUID], *, query: str, by: Reader) -> Permit:
    """Leave to show names in a list: one entry with who is on it. Protected people are left out unless `by` supervises."""
    hidden = set() if by.supervises else _protected(session, people)
    shown = tuple(person_id for person_id in people if person_id not in hidden)
    audit.record(
        session, by.actor, "person.list", "person", query=query, people=len(shown), ids=[str(person_id) for person_id in shown]
    )
    return Permit(shown)


def ask_to_open(session: Session, person_id: UUID, *, by: Reader, reason: RevealReason | None = None) -> Permit:
    """Leave to open one file; with a reason, to see its numbers in full. Raises NoSuchPerson or ProtectedRecord."""
    check_visible(session, person_id, by)
    if reason is None:
        audit.record(session, by.actor, "person.open", "person", person_id)
    else:
        audit.record(session, by.actor, "person.reveal", "person", person_id, reason=reason)
    return Permit((person_id,), in_full=reason is not None)


def briefs(session: Session, permit: Permit) -> dict[UUID, Brief]:
    """Names for a list, by person."""
    keys = keys_for(session, permit.people)
    names: dict[UUID, dict[str, str]] = defaultdict(dict)
    rows = session.execute(
        select(PersonName.person_id, PersonName.id, PersonName.kind, PersonName.whole_sealed)
        .where(PersonName.person_id.in_(permit.people))
        .order_by(PersonName.created_at.desc(), PersonName.id.desc())
    )
    for person_id, name_id, kind, sealed in rows:
        if person_id in keys:
            names[person_id][kind] = keys[person_id].open("person_name.whole", name_id, sealed)
    numbers = {}
    for number in session.scalars(select(ANumber).where(ANumber.person_id.in_(permit.people)).order_by(ANumber.id.desc())):
        if number.person_id in keys:
            numbers[number.person_id] = keys[number.person_id].open("a_number.value", number.id, number.value_sealed)[-3:]
    return {
        person_id: Brief(
            name=names[person_id].get(NameKind.RECORDED) or next(iter(names[person_id].values()), None),
            native=names[person_id].get(NameKind.NATIVE),
            a_number=numbers.get(person_id),
        )
        for person_id in permit.people
    }


def open_file(session: Session, permit: Permit) -> File:
    """One person's file. Raises Sealed when a field was moved or altered."""
    (person_id,) = permit.people
    person = session.get_one(Person, person_id)
    key = keys_for(session, [person_id]).get(person_id)
    exposures = session.execute(
        select(Incident.code, Incident.title, Incident.occurred_on, Exposure.elements)
        .join(Exposure, Exposure.incident_id == Incident.id)
        .where(Exposure.person_id == person_id)
        .order_by(Incident.occurred_on, Incident.code)
    )
    return File(
        person=person,
        erased=key is None,
        in_full=permit.in_full,
        names=_names(session, person_id, key),
        a_numbers=_a_numbers(session, person_id, key, in_full=permit.in_full),
        birth_date=_field(person, "birth_date", person.birth_date_sealed, key if permit.in_full else None),
        nationality=_field(person, "nationality", person.nationality_sealed, key if permit.in_full else None),
        contacts=_contacts(session, person_id, in_full=permit.in_full),
        exposures=tuple(Exposed(code, title, on, tuple(elements)) for code, title, on, elements in exposures),
    )


def set_safety(session: Session, person_id: UUID, contact_point_id: UUID, safety: Safety, *, by: Reader) -> None:
    """Whether this contact point is safe for this person. Obeyed from the next message on: each is checked when it leaves.

    What is not safe loses its safety review. A safe postal address of a protected person becomes their only one.
    Raises NoSuchPerson, ProtectedRecord or NoSuchContact.
    """
    check_visible(session, person_id, by)
    link = session.get(PersonContact, (person_id, contact_point_id), with_for_update=True)
    if link is None:
        raise NoSuchContact
    before, link.safety = link.safety, safety
    if safety in (Safety.NO, Safety.NEVER):
        link.reviewed_by = link.reviewed_at = None
    session.flush()
    if safety is Safety.YES and session.get_one(Person, person_id).protected:
        keep_one_safe_address(session, person_id, contact_point_id)
    audit.record(
        session, by.actor, "contact.safety", "person", person_id, contact=str(contact_point_id), before=before, after=safety
    )


def set_protected(session: Session, person_id: UUID, *, protected: bool, by: Reader) -> None:
    """Mark a person as protected (8 USC 1367), or no longer. Raises NoSuchPerson, or ProtectedRecord unless `by` supervises."""
    if not by.supervises:
        raise ProtectedRecord
    person = session.get(Person, person_id, with_for_update=True)
    if person is None:
        raise NoSuchPerson
    person.protected = protected
    audit.record(session, by.actor, "person.protect", "person", person_id, protected=protected)


def keep_one_safe_address(session: Session, person_id: UUID, contact_point_id: UUID) -> None:
    """A protected person has one safe address for letters (8 USC 1367): when this is it, no other address is any more.

    Nothing happens when it is a phone or a mailbox.
    """
    post = select(ContactPoint.id).where(ContactPoint.kind == ContactKind.POST)
    if session.scalar(post.where(ContactPoint.id == contact_point_id)) is None:
        return
    session.execute(
        update(PersonContact)
        .where(
            PersonContact.person_id == person_id, PersonContact.contact_point_id != contact_point_id,
            PersonContact.contact_point_id.in_(post), PersonContact.safety == Safety.YES,
        )
        .values(safety=Safety.UNKNOWN)
    )  # fmt: skip


def set_large_print(session: Session, person_id: UUID, *, large_print: bool, by: Reader) -> None:
    """Whether the person's letters are set in large type, from the next one on. Raises NoSuchPerson or ProtectedRecord."""
    check_visible(session, person_id, by)
    person = session.get_one(Person, person_id, with_for_update=True)
    person.large_print = large_print
    audit.record(session, by.actor, "person.large_print", "person", person_id, large_print=large_print)


def masked(kind: str, value: str) -> str:
    """Enough of a phone number or an address to tell two apart, and not enough to use it."""
    match kind:
        case ContactKind.PHONE:
            return f"{HIDDEN} {HIDDEN} {value[-4:]}"
        case ContactKind.EMAIL:
            name, _, domain = value.partition("@")
            return f"{name[:1]}{HIDDEN}@{domain}"
        case _:
            return HIDDEN


def check_visible(session: Session, person_id: UUID, by: Reader) -> None:
    """Raises NoSuchPerson, or ProtectedRecord when `by` may not see this person's record."""
    protected = session.scalar(select(Person.protected).where(Person.id == person_id))
    if protected is None:
        raise NoSuchPerson
    if protected and not by.supervises:
        raise ProtectedRecord


def _protected(session: Session, people: Iterable[UUID]) -> set[UUID]:
    return set(session.scalars(select(Person.id).where(Person.id.in_(list(people)), Person.protected)))


def _names(session: Session, person_id: UUID, key: DataKey | None) -> tuple[Name, ...]:
    if key is None:
        return ()
    order = list(NameKind)
    names = session.scalars(select(PersonName).where(PersonName.person_id == person_id).order_by(PersonName.id)).all()
    return tuple(
        Name(name.kind, key.open("person_name.whole", name.id, name.whole_sealed))
        for name in sorted(names, key=lambda name: order.index(NameKind(name.kind)))
    )


def _a_numbers(session: Session, person_id: UUID, key: DataKey | None, *, in_full: bool) -> tuple[str, ...]:
    if key is None:
        return ()
    numbers = session.scalars(select(ANumber).where(ANumber.person_id == person_id).order_by(ANumber.id))
    opened = (key.open("a_number.value", number.id, number.value_sealed) for number in numbers)
    return tuple(number if in_full else f"A{HIDDEN}{HIDDEN}{number[-3:]}" for number in opened)


def _field(person: Person, column: str, sealed: bytes | None, key: DataKey | None) -> str | None:
    return key.open(f"person.{column}", person.id, sealed) if key and sealed else None


def _value(point: ContactPoint, key: DataKey) -> str:
    value = key.open(VALUE, point.id, point.value_sealed)
    if point.country_sealed is None:
        return value
    return f"{value}\n{foreign.country_name(key.open(COUNTRY, point.id, point.country_sealed))}"


def _contacts(session: Session, person_id: UUID, *, in_full: bool) -> tuple[Contact, ...]:
    same = aliased(PersonContact)
    users = select(func.count()).select_from(same).where(same.contact_point_id == ContactPoint.id).scalar_subquery()
    rows = session.execute(
        select(PersonContact, ContactPoint, users)
        .join(ContactPoint, ContactPoint.id == PersonContact.contact_point_id)
        .where(PersonContact.person_id == person_id)
    ).all()
    keys = keys_for(session, [point.id for _, point, _ in rows])
    contacts = []
    for link, point, people in rows:
        value = _value(point, keys[point.id]) if point.id in keys else HIDDEN
        contacts.append(
            Contact(
                id=point.id,
                kind=point.kind,
                value=value if in_full else masked(point.kind, value),
                role=link.role,
                safety=link.safety,
                state=point.state,
                state_reason=point.state_reason,
                confirmed_on=link.confirmed_on,
                others=people - 1,
                grade=point.grade,
                entered_by=link.entered_by,
                reviewed_at=link.reviewed_at,
                consent_on=link.consent_on,
            )
        )
    kinds, roles = list(ContactKind), list(ContactRole)
    return tuple(sorted(contacts, key=lambda c: (kinds.index(ContactKind(c.kind)), roles.index(ContactRole(c.role)), c.id)))

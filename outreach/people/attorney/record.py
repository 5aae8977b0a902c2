"""Entering an attorney by hand and keeping the record true. Two entries of one attorney are refused, never merged."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach.access import audit
from outreach.access.audit import Actor, ActorKind
from outreach.access.sealing import DataKey, create_key, key_for, keys_for, vault_of
from outreach.db import new_id, now
from outreach.people import denied
from outreach.people.attorney import SEALED, Attorney, Clue
from outreach.people.attorney.particulars import Particulars
from outreach.people.contact import COUNTRY, VALUE, AddressGrade, ContactKind, ContactPoint, ContactState
from outreach.people.roster import merging
from outreach.people.roster.matching import NameKey, name_key


class NoSuchAttorney(LookupError):
    """There is no attorney with this id."""


class AlreadyKnown(Exception):
    """These particulars are those of another attorney on record."""

    def __init__(self, attorney_id: UUID, clue: Clue) -> None:
        super().__init__(clue)
        self.attorney_id = attorney_id
        self.clue = clue


class Busy(Exception):
    """Somebody else enters an attorney at this moment, or a roster is being imported: try again in a minute."""


@dataclass(frozen=True, slots=True)
class Match:
    attorney_id: UUID
    clue: Clue


def enter(session: Session, particulars: Particulars, *, by: Actor) -> UUID:
    """A new attorney's id. Raises AlreadyKnown or Busy; then nothing is entered."""
    _one_at_a_time(session)
    _refuse_twin(session, particulars)
    attorney = Attorney(id=new_id(), name_sealed=b"", entered_by=by.id if by.kind is ActorKind.STAFF else None, created_at=now())
    key = create_key(session, attorney.id)
    _write(session, attorney, key, particulars)
    session.add(attorney)
    session.flush()
    audit.record(session, by, "attorney.enter", "attorney", attorney.id)
    return attorney.id


def change(session: Session, attorney_id: UUID, particulars: Particulars, *, by: Actor) -> None:
    """Put these particulars in the place of those on record. Obeyed from the next message on.

    Raises NoSuchAttorney, AlreadyKnown (they are another attorney's), Busy, or Sealed when the attorney was erased.
    """
    _one_at_a_time(session)
    attorney = session.get(Attorney, attorney_id, with_for_update=True, populate_existing=True)
    if attorney is None:
        raise NoSuchAttorney
    _refuse_twin(session, particulars, but=attorney_id)
    before = (attorney.email_point_id, attorney.phone_point_id, attorney.post_point_id)
    _write(session, attorney, key_for(session, attorney_id), particulars)
    session.flush()
    after = (attorney.email_point_id, attorney.phone_point_id, attorney.post_point_id)
    audit.record(session, by, "attorney.change", "attorney", attorney_id, reached_elsewhere=before != after)


def match(session: Session, particulars: Particulars) -> list[Match]:
    """The attorneys on record who seem to be this one, the surest first."""
    vault = vault_of(session)
    found: dict[UUID, Clue] = {}
    for clue, column, value in (
        (Clue.EOIR_ID, Attorney.eoir_id_index, particulars.eoir_id),
        (Clue.BAR, Attorney.bar_index, particulars.bar),
    ):
        if value is not None:
            for attorney_id in session.scalars(select(Attorney.id).where(column == vault.blind_index(clue, value))):
                found.setdefault(attorney_id, clue)
    if particulars.email is not None:
        at = select(Attorney).join(ContactPoint, ContactPoint.id == Attorney.email_point_id)
        index = vault.blind_index(ContactKind.EMAIL, particulars.email)
        others = session.scalars(at.where(ContactPoint.value_index == index).order_by(Attorney.id)).all()
        keys = keys_for(session, [other.id for other in others])
        for other in others:
            # Two of one name at one firm are two, when each has an EOIR ID of their own.
            told_apart = particulars.eoir_id is not None and other.eoir_id_index is not None
            if other.id in keys and not told_apart and _name(other, keys[other.id]) == name_key(particulars.name):
                found.setdefault(other.id, Clue.EMAIL)
    return [Match(attorney_id, clue) for attorney_id, clue in found.items()]


def _one_at_a_time(session: Session) -> None:
    """Two at once, or one beside an import, could both make the same attorney or the same contact point."""
    if not merging.try_lock(session):
        raise Busy


def _refuse_twin(session: Session, particulars: Particulars, *, but: UUID | None = None) -> None:
    for one in match(session, particulars):
        if one.attorney_id != but:
            raise AlreadyKnown(one.attorney_id, one.clue)


def _name(attorney: Attorney, key: DataKey) -> NameKey:
    return name_key(key.open(SEALED["name"], attorney.id, attorney.name_sealed))


def _write(session: Session, attorney: Attorney, key: DataKey, particulars: Particulars) -> None:
    vault = vault_of(session)

    def sealed(field: str, value: str | None) -> bytes | None:
        return key.seal(SEALED[field], attorney.id, value) if value is not None else None

    attorney.name_sealed = key.seal(SEALED["name"], attorney.id, particulars.name)
    attorney.firm_sealed = sealed("firm", particulars.firm)
    attorney.eoir_id_sealed = sealed("eoir_id", particulars.eoir_id)
    attorney.bar_number_sealed = sealed("bar_number", particulars.bar_number)
    attorney.bar_state = particulars.bar_state
    attorney.eoir_id_index = vault.blind_index(Clue.EOIR_ID, particulars.eoir_id) if particulars.eoir_id else None
    attorney.bar_index = vault.blind_index(Clue.BAR, particulars.bar) if particulars.bar else None
    attorney.email_point_id = _point(session, ContactKind.EMAIL, particulars.email)
    attorney.phone_point_id = _point(session, ContactKind.PHONE, particulars.phone)
    attorney.post_point_id = _address(session, attorney.post_point_id, particulars)


def _point(session: Session, kind: ContactKind, value: str | None) -> UUID | None:
    """The one contact point of this phone or e-mail address, whoever else uses it."""
    if value is None:
        return None
    index = vault_of(session).blind_index(kind, value)
    found = session.scalar(select(ContactPoint.id).where(ContactPoint.kind == kind, ContactPoint.value_index == index))
    if found is not None:
        return found
    point_id = new_id()
    point = ContactPoint(id=point_id, kind=kind, value_sealed=create_key(session, point_id).seal(VALUE, point_id, value))
    point.value_index = index
    if kind is ContactKind.EMAIL and denied.is_foreign_mailbox(value):
        _deny(point)
    session.add(point)
    session.flush()
    return point_id


def _address(session: Session, before: UUID | None, particulars: Particulars) -> UUID | None:
    """The attorney's own contact point of this address; a new one when the address is another than before.

    It has no `address_index`: a firm's address is given for many clients, and is not crowded by that.
    """
    if particulars.post is None:
        return None
    if before is not None:
        point = session.get_one(ContactPoint, before)
        if key_for(session, before).open(VALUE, before, point.value_sealed) == particulars.post:
            return before
    point_id = new_id()
    key = create_key(session, point_id)
    abroad = particulars.country not in (None, "US")
    point = ContactPoint(
        id=point_id, kind=ContactKind.POST, value_sealed=key.seal(VALUE, point_id, particulars.post), grade=particulars.grade,
        country_sealed=key.seal(COUNTRY, point_id, str(particulars.country)) if abroad else None,
    )  # fmt: skip
    if particulars.grade == AddressGrade.DENIED:
        _deny(point)
    session.add(point)
    session.flush()
    return point_id


def _deny(point: ContactPoint) -> None:
    point.state, point.state_reason, point.state_at = ContactState.BAD, denied.REASON, now()

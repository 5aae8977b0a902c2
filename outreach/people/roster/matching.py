"""Who a row is about. Only an A-number finds somebody, and only when a second fact agrees with it.

A wrong digit in an A-number is another real person, and two people of one name and birth date are two people: so neither alone
may lead to somebody's record.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach.access.sealing import DataKey, keys_for
from outreach.people.contact import ContactKind, ContactPoint, PersonContact
from outreach.people.custody import CustodyEvent
from outreach.people.incident import Exposure
from outreach.people.person import Person, PersonName, Posture, Precision
from outreach.people.roster.rows import ParsedRow
from outreach.people.search import folded

NameKey = tuple[str, ...]
Event = tuple[str, UUID | None, date | None]
Link = tuple[str, str, date | None]


@dataclass(slots=True)
class Known:
    """What a row is compared with, and what it may add to. `events` are those of the date at which this roster was true.

    `links` are role, safety and day of confirmation by contact point; `posts` the contact points by postal address.
    """

    id: UUID
    key: DataKey
    birth_date: str | None = None
    birth_precision: str | None = None
    nationality: bool = False
    language: str | None = None
    second_language: str | None = None
    reads: bool | None = None
    interpreter: bool | None = None
    posture: str = Posture.UNKNOWN
    protected: bool = False
    names: set[NameKey] = field(default_factory=set)
    events: set[Event] = field(default_factory=set)
    links: dict[UUID, Link] = field(default_factory=dict)
    posts: dict[str, UUID] = field(default_factory=dict)
    exposed: bool = False

    def is_same_person(self, row: ParsedRow) -> bool:
        """Whether a second fact agrees with the A-number: the exact day of birth, or a name."""
        exact = row.birth_precision == self.birth_precision == Precision.DAY
        if exact and row.birth_date is not None and row.birth_date.isoformat() == self.birth_date:
            return True
        return any(name_key(name.whole) in self.names for name in row.names)


def name_key(whole: str) -> NameKey:
    """A name as two rosters may both have it: its words in any order, without case, accents and signs."""
    return tuple(sorted(folded(whole).split()))


def load(session: Session, people: Iterable[UUID], *, incident_id: UUID, as_of: date) -> dict[UUID, Known]:
    """What is known of these people, by id. An erased person is left out: nothing can be compared with them."""
    wanted = list(people)
    if not wanted:
        return {}
    keys = keys_for(session, wanted)
    known = {}
    for person in session.execute(select(Person.__table__).where(Person.id.in_(keys))):
        key = keys[person.id]
        born = person.birth_date_sealed
        known[person.id] = Known(
            id=person.id, key=key, birth_date=key.open("person.birth_date", person.id, born) if born else None,
            birth_precision=person.birth_precision, nationality=person.nationality_sealed is not None, language=person.language,
            second_language=person.second_language, reads=person.reads, interpreter=person.interpreter, posture=person.posture,
            protected=person.protected,
        )  # fmt: skip
    names = select(PersonName.id, PersonName.person_id, PersonName.whole_sealed).where(PersonName.person_id.in_(keys))
    for name_id, person_id, sealed in session.execute(names):
        known[person_id].names.add(name_key(keys[person_id].open("person_name.whole", name_id, sealed)))
    events = select(CustodyEvent.person_id, CustodyEvent.state, CustodyEvent.facility_id, CustodyEvent.effective_on)
    for person_id, state, facility_id, effective_on in session.execute(
        events.where(CustodyEvent.person_id.in_(keys), CustodyEvent.as_of == as_of)
    ):
        known[person_id].events.add((state, facility_id, effective_on))
    exposures = select(Exposure.person_id).where(Exposure.incident_id == incident_id, Exposure.person_id.in_(keys))
    for person_id in session.scalars(exposures):
        known[person_id].exposed = True
    _load_contacts(session, known)
    return known


def _load_contacts(session: Session, known: dict[UUID, Known]) -> None:
    rows = session.execute(
        select(
            PersonContact.person_id, PersonContact.role, PersonContact.safety, PersonContact.confirmed_on,
            ContactPoint.id, ContactPoint.kind, ContactPoint.value_sealed,
        ).join(ContactPoint, ContactPoint.id == PersonContact.contact_point_id)
        .where(PersonContact.person_id.in_(known))
    ).all()  # fmt: skip
    posts = {row.id for row in rows if row.kind == ContactKind.POST}
    keys = keys_for(session, posts) if posts else {}
    for row in rows:
        person = known[row.person_id]
        person.links[row.id] = (row.role, row.safety, row.confirmed_on)
        if row.id in keys:
            person.posts[keys[row.id].open("contact_point.value", row.id, row.value_sealed)] = row.id

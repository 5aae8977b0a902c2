"""Synthetic people who can be reached by text, by mail and by letter, and the campaigns that tell them, wave by wave."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy.orm import Session, sessionmaker

from outreach.access.sealing import create_key, vault_of
from outreach.db import new_id
from outreach.notices.channel import Channel
from outreach.notices.notice import Notice
from outreach.people.contact import AddressGrade, ContactKind, ContactPoint, ContactRole, PersonContact
from outreach.people.custody import Custody, CustodyEvent
from outreach.people.incident import Exposure, Incident
from outreach.people.person import NameKind, Person, PersonName
from tests.factories import make_incident
from tests.stage import make_notice, make_running

CHANNELS = (Channel.SMS, Channel.EMAIL, Channel.LETTER)
KINDS = {Channel.SMS: ContactKind.PHONE, Channel.EMAIL: ContactKind.EMAIL, Channel.LETTER: ContactKind.POST}
CHUNK = 250  # people in one transaction
AREAS = [area for area in range(201, 990) if area // 10 % 10 != 9 and area % 100 != 11]  # a 9 in the middle is kept for later


def phone(number: int) -> str:
    """Of the numbers kept for fiction: a hundred in each area code."""
    return f"+1{AREAS[number // 100]}555{100 + number % 100:04}"


def mailbox(number: int) -> str:
    return f"chaos.{number}@example.org"


def home(number: int) -> str:
    return f"{number + 1} Sample Street\nSpringfield, IL 62701"


ADDRESSES = {Channel.SMS: phone, Channel.EMAIL: mailbox, Channel.LETTER: home}


@dataclass(frozen=True, slots=True)
class Cast:
    """Who is on file: the incidents, one for each wave, and each person's number."""

    incidents: list[UUID]
    numbers: dict[UUID, int]


def fill(sessions: sessionmaker[Session], count: int, waves: int) -> Cast:
    """Put `count` people on file, spread over `waves` incidents."""
    with sessions.begin() as session:
        cast = Cast([make_incident(session).id for _ in range(waves)], {})
    for first in range(0, count, CHUNK):
        with sessions.begin() as session:
            rows: list[object] = []
            for number in range(first, min(first + CHUNK, count)):
                person_id = new_id()
                cast.numbers[person_id] = number
                rows += _person(session, person_id, number, cast.incidents[number * waves // count])
            session.add_all(row for row in rows if isinstance(row, Person | ContactPoint))
            session.flush()
            session.add_all(row for row in rows if not isinstance(row, Person | ContactPoint))
    return cast


def launch(session: Session, incident_id: UUID, notice_id: UUID) -> UUID:
    """A running campaign about one incident, by every channel at once."""
    incident, notice = session.get_one(Incident, incident_id), session.get_one(Notice, notice_id)
    return make_running(session, incident, notice, steps=[(channel, 0) for channel in CHANNELS]).id


def approve(sessions: sessionmaker[Session]) -> UUID:
    """A notice with approved texts for every channel."""
    with sessions.begin() as session:
        return make_notice(session, ("es",), channels=CHANNELS).id


def _person(session: Session, person_id: UUID, number: int, incident_id: UUID) -> Iterator[object]:
    vault, name_id = vault_of(session), new_id()
    key = create_key(session, person_id)
    yield Person(id=person_id, language="es")
    yield PersonName(
        id=name_id,
        person_id=person_id,
        kind=NameKind.RECORDED,
        whole_sealed=key.seal("person_name.whole", name_id, "Sample PERSON"),
    )
    yield CustodyEvent(id=new_id(), person_id=person_id, state=Custody.RELEASED, as_of=date(2022, 12, 1), source="roster")
    yield Exposure(incident_id=incident_id, person_id=person_id, elements=["name"])
    for channel, kind in KINDS.items():
        point_id, value = new_id(), ADDRESSES[channel](number)
        sealed = create_key(session, point_id).seal("contact_point.value", point_id, value)
        on_paper = channel is Channel.LETTER
        yield ContactPoint(
            id=point_id, kind=kind, value_sealed=sealed, value_index=None if on_paper else vault.blind_index(kind, value),
            grade=AddressGrade.GOOD if on_paper else None,
        )  # fmt: skip
        yield PersonContact(person_id=person_id, contact_point_id=point_id, role=ContactRole.OWN)


def wanted(count: int) -> Sequence[tuple[Channel, int]]:
    """Every message that must go out: by channel, to which person's address."""
    return [(channel, number) for number in range(count) for channel in CHANNELS]

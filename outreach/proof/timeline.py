"""Everything that happened to one person, in one list: what was learnt, sent, reported and answered, and who looked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from outreach.access.accounts import Account
from outreach.access.audit import AuditEntry
from outreach.access.sealing import DataKey, keys_for
from outreach.campaigns.campaign import Campaign
from outreach.delivery.message import Attempt, Event, Message, MessagePerson
from outreach.delivery.reply import Reply
from outreach.people.attorney import file as counsel
from outreach.people.custody import CustodyEvent, Facility
from outreach.people.file import Permit
from outreach.people.incident import Exposure, Incident


@dataclass(frozen=True, slots=True)
class Exposed:
    """Their data was in an incident. `at` is when we learnt it."""

    at: datetime
    code: str
    title: str
    occurred_on: date | None
    elements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Moved:
    """Something was learnt about where they are. `effective_on` is since when, `as_of` the date of the source."""

    at: datetime
    state: str
    facility: str | None
    effective_on: date | None
    as_of: date


@dataclass(frozen=True, slots=True)
class Report:
    at: datetime
    state: str
    code: str | None


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt at the provider, and its reports in the order in which they came."""

    at: datetime
    number: int
    state: str
    code: str | None
    reports: tuple[Report, ...]


@dataclass(frozen=True, slots=True)
class Sent:
    """A message about them. `text` is what was handed over, None before the first try or after erasure. `others` it is about.

    `attorney` is whom it went to, where it went to an attorney: its text is not shown, since it may name other clients.
    """

    at: datetime
    campaign: str
    channel: str
    language: str
    state: str
    reason: str | None
    contact_point_id: UUID
    others: int
    text: str | None
    tries: tuple[Try, ...]
    attorney_id: UUID | None = None
    attorney: str | None = None


@dataclass(frozen=True, slots=True)
class Represented:
    """An attorney's appearance for them was entered, verified or ended. `attorney` is None after erasure."""

    at: datetime
    what: str  # "entered", "verified" or "ended"
    attorney_id: UUID
    attorney: str | None
    form: str
    ended_as: str | None
    by: str | None


@dataclass(frozen=True, slots=True)
class Answered:
    """A reply bound to them. `text` is None after erasure."""

    at: datetime
    kind: str
    binding: str
    text: str | None
    handled_at: datetime | None
    handled_by: str | None


@dataclass(frozen=True, slots=True)
class Looked:
    """Somebody read or changed the file. Equal entries in a row are one, with how many there were."""

    at: datetime
    action: str
    actor_kind: str
    actor: str | None
    times: int
    detail: dict[str, object]


Happening = Exposed | Moved | Represented | Sent | Answered | Looked


def of(session: Session, permit: Permit) -> list[Happening]:
    """The person's timeline, newest first."""
    (person_id,) = permit.people
    found: list[Happening] = [
        *_exposures(session, person_id),
        *_custody(session, person_id),
        *_representations(session, permit),
        *_messages(session, person_id),
        *_replies(session, person_id),
    ]
    # Looks are folded among themselves and everything else keeps them apart: "opened 3 times" ends where a reply came.
    found.extend(_looks(session, person_id))
    return _folded(sorted(found, key=lambda happening: happening.at, reverse=True))


def _exposures(session: Session, person_id: UUID) -> list[Exposed]:
    rows = session.execute(
        select(Exposure.created_at, Incident.code, Incident.title, Incident.occurred_on, Exposure.elements)
        .join(Incident, Incident.id == Exposure.incident_id)
        .where(Exposure.person_id == person_id)
    )
    return [Exposed(at, code, title, on, tuple(elements)) for at, code, title, on, elements in rows]


def _custody(session: Session, person_id: UUID) -> list[Moved]:
    rows = session.execute(
        select(CustodyEvent, Facility.name)
        .outerjoin(Facility, Facility.id == CustodyEvent.facility_id)
        .where(CustodyEvent.person_id == person_id)
    )
    return [Moved(event.recorded_at, event.state, name, event.effective_on, event.as_of) for event, name in rows]


def _representations(session: Session, permit: Permit) -> list[Represented]:
    appearances = counsel.of_person(session, permit)
    names = counsel.names(session, {one.attorney_id for one in appearances})
    found = []
    for one in appearances:
        steps = (
            ("entered", one.entered_at, one.entered_name), ("verified", one.verified_at, one.verified_name),
            ("ended", one.ended_at, one.ended_name),
        )  # fmt: skip
        found += [
            Represented(at, what, one.attorney_id, names.get(one.attorney_id), one.form, one.ended_as, by)
            for what, at, by in steps
            if at is not None
        ]
    return found


def _messages(session: Session, person_id: UUID) -> list[Sent]:
    rows = session.execute(
        select(Message, Campaign.title)
        .join(MessagePerson, MessagePerson.message_id == Message.id)
        .join(Campaign, Campaign.id == Message.campaign_id)
        .where(MessagePerson.person_id == person_id)
    ).all()
    ids = [message.id for message, _ in rows]
    about: dict[UUID, int] = {}
    for message_id in session.scalars(select(MessagePerson.message_id).where(MessagePerson.message_id.in_(ids))):
        about[message_id] = about.get(message_id, 0) + 1
    attempts: dict[UUID, list[Attempt]] = {message_id: [] for message_id in ids}
    for attempt in session.scalars(select(Attempt).where(Attempt.message_id.in_(ids)).order_by(Attempt.number)):
        attempts[attempt.message_id].append(attempt)
    reports: dict[UUID, list[Report]] = {attempt.id: [] for tries in attempts.values() for attempt in tries}
    for event in session.scalars(select(Event).where(Event.attempt_id.in_(reports)).order_by(Event.id)):
        reports[event.attempt_id].append(Report(event.received_at, event.state, event.error_code))
    names = counsel.names(session, {message.attorney_id for message, _ in rows if message.attorney_id is not None})
    sealed_under = {attempt.sealed_under or attempt.contact_point_id for tries in attempts.values() for attempt in tries}
    keys = keys_for(session, sealed_under)
    return [
        Sent(
            at=attempts[message.id][0].started_at if attempts[message.id] else message.created_at,
            campaign=title,
            channel=message.channel,
            language=message.language,
            state=message.state,
            reason=message.reason,
            contact_point_id=message.contact_point_id,
            others=about[message.id] - 1,
            text=_text(attempts[message.id], keys) if message.attorney_id is None else None,
            tries=tuple(
                Try(attempt.started_at, attempt.number, attempt.state, attempt.error_code, tuple(reports[attempt.id]))
                for attempt in attempts[message.id]
            ),
            attorney_id=message.attorney_id,
            attorney=names.get(message.attorney_id) if message.attorney_id is not None else None,
        )
        for message, title in rows
    ]


def _text(attempts: list[Attempt], keys: Mapping[UUID, DataKey]) -> str | None:
    if not attempts:
        return None
    last = attempts[-1]
    key = keys.get(last.sealed_under or last.contact_point_id)
    return key.open("attempt.body", last.id, last.body_sealed) if key is not None else None


def _replies(session: Session, person_id: UUID) -> list[Answered]:
    rows = session.execute(
        select(Reply, Account.name).outerjoin(Account, Account.id == Reply.handled_by).where(Reply.person_id == person_id)
    ).all()
    keys = keys_for(session, [reply.id for reply, _ in rows])
    return [
        Answered(
            at=reply.received_at,
            kind=reply.kind,
            binding=reply.binding,
            text=keys[reply.id].open("reply.body", reply.id, reply.body_sealed) if reply.id in keys else None,
            handled_at=reply.handled_at,
            handled_by=name,
        )
        for reply, name in rows
    ]


def _looks(session: Session, person_id: UUID) -> list[Looked]:
    rows = session.execute(
        select(AuditEntry, Account.name)
        .outerjoin(Account, Account.id == AuditEntry.actor_id)
        .where(AuditEntry.object_kind == "person", AuditEntry.object_id == person_id)
    )
    return [Looked(entry.at, entry.action, entry.actor_kind, name, 1, entry.detail) for entry, name in rows]


def _folded(happenings: list[Happening]) -> list[Happening]:
    folded: list[Happening] = []
    for one in happenings:
        last = folded[-1] if folded else None
        if isinstance(one, Looked) and isinstance(last, Looked) and _same(one, last):
            folded[-1] = Looked(last.at, last.action, last.actor_kind, last.actor, last.times + 1, last.detail)
        else:
            folded.append(one)
    return folded


def _same(one: Looked, other: Looked) -> bool:
    alike = (one.action, one.actor_kind, one.actor, one.detail) == (other.action, other.actor_kind, other.actor, other.detail)
    return alike and one.at.date() == other.at.date()

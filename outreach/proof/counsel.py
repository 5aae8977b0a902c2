"""The attorneys' track: what each was sent about whom and what they answered, and where they stand about a person."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from outreach.access.accounts import Account
from outreach.access.sealing import keys_for
from outreach.campaigns.campaign import Campaign
from outreach.campaigns.outcome import CounselOutcome
from outreach.delivery.message import Attempt, Event, Message, MessagePerson
from outreach.delivery.reply import Reply
from outreach.people.attorney import file
from outreach.people.attorney.file import Permit


@dataclass(frozen=True, slots=True)
class Told:
    """A message to the attorney. `about` are all its clients; the reader may see the names of those in the permit only.

    What it said is not opened here: a letter names every client in it, also those whom the reader may not see.
    """

    at: datetime
    campaign_id: UUID
    campaign: str
    channel: str
    state: str
    reason: str | None
    reported_at: datetime | None
    about: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """What the attorney answered. `text` is None after erasure."""

    at: datetime
    reply_id: UUID
    channel: str
    kind: str
    text: str | None
    handled_at: datetime | None
    handled_by: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one attorney stands about one person in a campaign. `attorney` is None when they were erased."""

    campaign: str
    attorney_id: UUID
    attorney: str | None
    state: str
    reason: str | None


def of_attorney(session: Session, permit: Permit) -> list[Told | Answered]:
    """The attorney's timeline, newest first."""
    (attorney_id,) = permit.attorneys
    return sorted([*_told(session, attorney_id), *_answered(session, attorney_id)], key=lambda one: one.at, reverse=True)


def outcomes(session: Session, attorney_id: UUID) -> list[tuple[str, dict[str, int]]]:
    """(campaign's title, clients by outcome of the attorney's track), newest campaign first."""
    rows = session.execute(
        select(Campaign.id, Campaign.title, CounselOutcome.state, func.count())
        .join(CounselOutcome, CounselOutcome.campaign_id == Campaign.id)
        .where(CounselOutcome.attorney_id == attorney_id)
        .group_by(Campaign.id, Campaign.title, CounselOutcome.state)
        .order_by(Campaign.created_at.desc())
    )
    found: dict[UUID, tuple[str, dict[str, int]]] = {}
    for campaign_id, title, state, people in rows:
        found.setdefault(campaign_id, (title, {}))[1][state] = people
    return list(found.values())


def of_person(session: Session, person_id: UUID) -> list[Standing]:
    """Where each attorney of a person stands, newest campaign first; for a page whose reading is in the audit log already."""
    rows = session.execute(
        select(Campaign.title, CounselOutcome.attorney_id, CounselOutcome.state, CounselOutcome.reason)
        .join(CounselOutcome, CounselOutcome.campaign_id == Campaign.id)
        .where(CounselOutcome.person_id == person_id)
        .order_by(Campaign.created_at.desc(), CounselOutcome.attorney_id)
    ).all()
    names = file.names(session, {row.attorney_id for row in rows})
    return [Standing(title, attorney_id, names.get(attorney_id), state, reason) for title, attorney_id, state, reason in rows]


def _told(session: Session, attorney_id: UUID) -> list[Told]:
    rows = session.execute(
        select(Message, Campaign.title).join(Campaign, Campaign.id == Message.campaign_id).where(Message.attorney_id == attorney_id)
    ).all()
    ids = [message.id for message, _ in rows]
    about: defaultdict[UUID, list[UUID]] = defaultdict(list)
    people = select(MessagePerson.message_id, MessagePerson.person_id).where(MessagePerson.message_id.in_(ids))
    for message_id, person_id in session.execute(people.order_by(MessagePerson.person_id)):
        about[message_id].append(person_id)
    tried = select(Attempt.message_id, func.min(Attempt.started_at), func.max(Event.received_at))
    tried = tried.outerjoin(Event, Event.attempt_id == Attempt.id).where(Attempt.message_id.in_(ids)).group_by(Attempt.message_id)
    times = {message_id: (started, reported) for message_id, started, reported in session.execute(tried)}
    return [
        Told(
            at=times[message.id][0] if message.id in times else message.created_at, campaign_id=message.campaign_id,
            campaign=title, channel=message.channel, state=message.state, reason=message.reason,
            reported_at=times[message.id][1] if message.id in times else None, about=tuple(about[message.id]),
        )
        for message, title in rows
    ]  # fmt: skip


def _answered(session: Session, attorney_id: UUID) -> list[Answered]:
    rows = session.execute(
        select(Reply, Account.name).outerjoin(Account, Account.id == Reply.handled_by).where(Reply.attorney_id == attorney_id)
    ).all()
    keys = keys_for(session, [reply.id for reply, _ in rows])
    return [
        Answered(
            at=reply.received_at, reply_id=reply.id, channel=reply.channel, kind=reply.kind,
            text=keys[reply.id].open("reply.body", reply.id, reply.body_sealed) if reply.id in keys else None,
            handled_at=reply.handled_at, handled_by=name,
        )
        for reply, name in rows
    ]  # fmt: skip

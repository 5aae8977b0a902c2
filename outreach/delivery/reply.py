"""Replies: what comes back, from which contact point, about whom, and what was done about it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, SmallInteger, Text, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from outreach.access import audit
from outreach.access.accounts import Account
from outreach.access.audit import Actor, ActorKind
from outreach.access.sealing import DataKey, vault_of
from outreach.db import Base, new_id, now
from outreach.delivery import words
from outreach.delivery.closing import OPEN, Closing, close
from outreach.delivery.words import ReplyKind
from outreach.notices.house import House
from outreach.notices.notice import Channel, Notice, Purpose, Rendition, RenditionState
from outreach.people.contact import ContactKind, ContactPoint, ContactRole, ContactState, PersonContact
from outreach.providers.contract import Inbound, InboundMail

ANSWERS_A_DAY = 3  # automatic answers to one phone: two machines must not talk to each other for ever


class Binding(StrEnum):
    """How a reply was bound to a person, or why it was not."""

    ONLY_PERSON = "only_person"  # one person uses this phone or mailbox
    UNPROVEN = "unproven"  # one person uses this mailbox, but anybody may have written the mail: staff decide
    ATTORNEY = "attorney"  # it answers what an attorney was sent, or comes from where one is written to
    STAFF = "staff"  # a member of staff decided
    SHARED = "shared"  # several people use it: staff decide
    STRANGER = "stranger"  # nobody we know uses it


class Reply(Base):
    """One inbound text or mail. What is sealed of it is under its own key, since a stranger has no contact point."""

    __tablename__ = "reply"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    channel: Mapped[str] = mapped_column(Text)
    provider: Mapped[str] = mapped_column(Text)
    provider_id: Mapped[str] = mapped_column(Text)
    contact_point_id: Mapped[UUID | None] = mapped_column(ForeignKey("contact_point.id"))
    sender_index: Mapped[bytes] = mapped_column(LargeBinary)
    sender_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    body_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    kind: Mapped[str] = mapped_column(Text)  # a `delivery.words.ReplyKind`
    needs_human: Mapped[bool] = mapped_column(default=True)
    message_id: Mapped[UUID | None] = mapped_column(ForeignKey("message.id"))  # that it answers, or the last to that contact point
    attorney_id: Mapped[UUID | None] = mapped_column(ForeignKey("attorney.id"))  # who answers, where an attorney does
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))
    binding: Mapped[str] = mapped_column(Text)
    answer: Mapped[str | None] = mapped_column(Text)  # which automatic answer was given: "help", "wrong_person"
    received_at: Mapped[datetime] = mapped_column(default=now)
    handled_at: Mapped[datetime | None]
    handled_by: Mapped[UUID | None] = mapped_column(ForeignKey("account.id"))
    redacted_at: Mapped[datetime | None]  # as of an `Attempt`
    redactions: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    redact_at: Mapped[datetime | None]

    __table_args__ = (
        Index("reply_provider_id_key", "provider", "provider_id", unique=True),
        Index("reply_sender_idx", "sender_index", "received_at"),
        Index("reply_received_idx", "received_at", "id"),
        Index("reply_person_idx", "person_id"),
        Index("reply_open_idx", "received_at", postgresql_where="handled_at is null"),
        Index("reply_unredacted_idx", "provider", "received_at", postgresql_where="redacted_at is null"),
    )


class ReplyAttachment(Base):
    """A file that came with a reply: held back, under the reply's key. `content_sealed` is None for one that was too large."""

    __tablename__ = "reply_attachment"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    reply_id: Mapped[UUID] = mapped_column(ForeignKey("reply.id"), index=True)
    name_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    media_type: Mapped[str] = mapped_column(Text)
    size: Mapped[int]
    content_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)


class NoReply(Exception):
    """There is no reply with this id."""


class NotTheirs(Exception):
    """A reply can be bound only to a person who uses the phone or mailbox it came from."""


@dataclass(frozen=True, slots=True)
class Received:
    """What came of a text or mail. `answer` is the text to send back, None for silence; `new` is False for a repetition."""

    new: bool
    reply_id: UUID | None
    kind: ReplyKind | None
    answer: str | None


def receive(session: Session, provider: str, inbound: Inbound, house: House) -> Received:
    """Keep an inbound text and obey it at once. The same text delivered twice is kept, obeyed and answered once.

    `house` fills an automatic answer. Nothing is ever said that a stranger would not be told as well.
    """
    vault = vault_of(session)
    sender_index = vault.blind_index("phone", inbound.sender)
    contact = session.scalar(
        select(ContactPoint)
        .where(ContactPoint.kind == ContactKind.PHONE, ContactPoint.value_index == sender_index)
        .with_for_update()
    )
    last = _last_message(session, contact.id) if contact else None
    heard = words.classify(inbound.text, last.language if last else None)
    people = people_at(session, contact.id) if contact else []
    binding = Binding.STRANGER if not people else Binding.ONLY_PERSON if len(people) == 1 else Binding.SHARED
    needs_human = heard.needs_human or binding != Binding.ONLY_PERSON or heard.kind not in SELF_EXPLANATORY
    kept = keep(
        session, Channel.SMS, provider, inbound, sender_index,
        contact_point_id=contact.id if contact else None, kind=heard.kind, needs_human=needs_human,
        message_id=last.id if last else None, person_id=people[0].person_id if binding == Binding.ONLY_PERSON else None,
        binding=binding,
    )  # fmt: skip
    if kept is None:
        return Received(False, None, None, None)
    if contact is not None:
        _obey(session, heard.kind, contact, people, kept.subject)
    purpose = ANSWERED.get(heard.kind)
    answer = None
    if purpose and _answers_today(session, sender_index) < ANSWERS_A_DAY:
        # A phone that we wrote to is answered in the language of our text; any other in the language it used itself.
        answer = _answer(session, purpose, last.language if last else heard.language or "en", house)
        if answer is not None:
            session.execute(text("update reply set answer = :purpose where id = :id"), {"purpose": purpose, "id": kept.subject})
    return Received(True, kept.subject, heard.kind, answer)


def keep(
    session: Session, channel: Channel, provider: str, inbound: Inbound | InboundMail, sender_index: bytes, **columns: object
) -> DataKey | None:
    """Store what came in under a key of its own, whose subject is the reply's id. None when it was stored before.

    `columns` are the rest of the reply's.
    """
    reply_id = new_id()
    new = vault_of(session).new_key(reply_id)
    stored = session.scalar(
        insert(Reply)
        .values(
            id=reply_id, channel=channel, provider=provider, provider_id=inbound.provider_id, sender_index=sender_index,
            sender_sealed=new.key.seal("reply.sender", reply_id, inbound.sender),
            body_sealed=new.key.seal("reply.body", reply_id, inbound.text), received_at=now(), **columns,
        )
        .on_conflict_do_nothing(index_elements=["provider", "provider_id"])
        .returning(Reply.id)
    )  # fmt: skip
    if stored is None:
        return None
    session.add(new.stored())
    return new.key


# Replies that need no member of staff when one known person uses the phone: they say all there is to say.
SELF_EXPLANATORY = (ReplyKind.STOP, ReplyKind.START, ReplyKind.HELP, ReplyKind.ACKNOWLEDGE)

# STOP gets no answer of ours: the carrier confirms it, and would refuse any text after it.
ANSWERED = {ReplyKind.HELP: Purpose.HELP, ReplyKind.WRONG_PERSON: Purpose.WRONG_PERSON}


def bind(session: Session, reply_id: UUID, person_id: UUID, *, by: Account) -> Reply:
    """Say whose reply this is. Raises NoReply, or NotTheirs for somebody who does not use that phone or mailbox."""
    reply = _get(session, reply_id)
    if reply.contact_point_id is None or session.get(PersonContact, (person_id, reply.contact_point_id)) is None:
        raise NotTheirs(str(person_id))
    reply.person_id, reply.binding = person_id, Binding.STAFF
    audit.record(session, by.actor, "reply.bind", "reply", reply_id, person=str(person_id))
    return reply


def mark_handled(session: Session, reply_id: UUID, *, by: Account) -> Reply:
    """A member of staff has dealt with it. Safe to repeat: the first one stays named."""
    reply = _get(session, reply_id)
    if reply.handled_at is None:
        reply.handled_at, reply.handled_by = now(), by.id
        audit.record(session, by.actor, "reply.handle", "reply", reply_id)
    return reply


def _get(session: Session, reply_id: UUID) -> Reply:
    reply = session.get(Reply, reply_id, with_for_update=True)
    if reply is None:
        raise NoReply(str(reply_id))
    return reply


@dataclass(frozen=True, slots=True)
class _Last:
    id: UUID
    language: str


def _last_message(session: Session, contact_point_id: UUID) -> _Last | None:
    row = session.execute(
        text("""
            select id, language from message where contact_point_id = :contact and attempts > 0
            order by updated_at desc, id desc limit 1
        """),
        {"contact": contact_point_id},
    ).first()
    return _Last(row.id, row.language) if row else None


def people_at(session: Session, contact_point_id: UUID) -> list[PersonContact]:
    """Who uses a contact point."""
    return list(session.scalars(select(PersonContact).where(PersonContact.contact_point_id == contact_point_id)))


def _obey(session: Session, kind: ReplyKind, contact: ContactPoint, people: list[PersonContact], reply_id: UUID) -> None:
    match kind:
        case ReplyKind.STOP:
            stop(session, contact, reply_id)
        case ReplyKind.START:
            reopen(session, contact)
        case ReplyKind.WRONG_PERSON:
            quarantine(session, contact, reply_id)
        case ReplyKind.ACKNOWLEDGE if len(people) == 1 and people[0].role == ContactRole.OWN:
            if contact.state != ContactState.QUARANTINED:
                _told(session, people[0].person_id, contact.id)


def stop(session: Session, contact: ContactPoint, reply_id: UUID) -> None:
    """Somebody there asked us to stop."""
    if contact.state in OPEN:
        close(session, [Closing(contact, ContactState.OPTED_OUT, "reply:stop")], reply=str(reply_id))


def reopen(session: Session, contact: ContactPoint) -> None:
    """Whoever asked us to stop wants to hear from us again; that takes back nothing else."""
    if contact.state == ContactState.OPTED_OUT:
        contact.state, contact.state_reason, contact.state_at = ContactState.USABLE, "reply:start", now()
        audit.record(session, Actor(ActorKind.RECIPIENT, contact.id), "contact.reopen", "contact_point", contact.id)


def quarantine(session: Session, contact: ContactPoint, reply_id: UUID) -> None:
    """Somebody there says that they are not the person: what arrived there has told nobody."""
    if contact.state != ContactState.QUARANTINED:
        close(session, [Closing(contact, ContactState.QUARANTINED, "reply:wrong_person")], reply=str(reply_id))


def _told(session: Session, person_id: UUID, contact_point_id: UUID) -> None:
    """The person answered from their own phone that they have it: told, in every campaign that wrote to that phone about them."""
    session.execute(
        text("""
            update outcome o set state = 'told', reason = null, updated_at = now()
            where o.person_id = :person and o.state <> 'told' and o.campaign_id in (
                select m.campaign_id from message m join message_person mp on mp.message_id = m.id
                where m.contact_point_id = :contact and mp.person_id = :person and m.attempts > 0
            )
        """),
        {"person": person_id, "contact": contact_point_id},
    )


def _answers_today(session: Session, sender_index: bytes) -> int:
    return session.scalar(
        select(func.count())
        .select_from(Reply)
        .where(Reply.sender_index == sender_index, Reply.answer.is_not(None), Reply.received_at > text("now() - interval '1 day'"))
    ) or 0  # fmt: skip


def _answer(session: Session, purpose: Purpose, language: str, house: House) -> str | None:
    """The approved answer in this language; None when there is none, since nothing unapproved is ever sent."""
    source = session.scalar(
        select(Rendition.text)
        .join(Notice)
        .where(
            Notice.purpose == purpose,
            Rendition.channel == Channel.SMS,
            Rendition.language == language,
            Rendition.state == RenditionState.APPROVED,
        )
        .order_by(Rendition.approved_at.desc())
        .limit(1)
    )
    return house.render(source) if source else None

"""Answers by e-mail: whose they are, and what is done at once.

The sender of an e-mail can be made up; the signed address that it was sent to cannot. So that address says which mail of ours it
answers, and only an answer that has it and comes from the mailbox that we wrote to counts as the person's own. What is known by
its sender alone is obeyed where it asks us to stop, and is otherwise for a person to read. Nothing is ever answered by itself:
two machines cannot begin to write to each other.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from outreach.access.sealing import DataKey, vault_of
from outreach.db import new_id
from outreach.delivery import reply, words
from outreach.delivery.reply import Binding, Received, ReplyAttachment
from outreach.delivery.words import Reading, ReplyKind
from outreach.notices.channel import Channel
from outreach.people.contact import ContactKind, ContactPoint, ContactRole, ContactState, PersonContact
from outreach.providers.contract import Attachment, InboundMail

LINES = 20  # of an answer that are read for what it asks; the rest is for a person


@dataclass(frozen=True, slots=True)
class _Answered:
    """The mail of ours that an answer is to, or the last one to where it comes from."""

    message_id: UUID
    campaign_id: UUID
    contact_point_id: UUID
    attorney_id: UUID | None
    language: str


@dataclass(frozen=True, slots=True)
class _Writer:
    """Who may have written it. `proven`: from the mailbox that we wrote to, at the address that only our mail to it told."""

    binding: Binding
    proven: bool
    people: list[PersonContact]
    attorney_id: UUID | None = None

    @property
    def person_id(self) -> UUID | None:
        return self.people[0].person_id if self.binding in (Binding.ONLY_PERSON, Binding.UNPROVEN) else None


def receive_mail(session: Session, provider: str, inbound: InboundMail) -> Received:
    """Keep a mail and obey it at once. The same mail handed over twice is kept and obeyed once. `answer` is always None."""
    sender_index = vault_of(session).blind_index("email", inbound.sender.strip().lower())
    by_token = _by_token(session, inbound.token)
    contact = _contact(session, by_token, sender_index)
    answered = by_token or (_last(session, contact.id) if contact else None)
    writer = _writer(session, contact, by_token, sender_index)
    heard = Reading(ReplyKind.AUTO_REPLY) if inbound.automatic else _read(inbound.text, answered.language if answered else None)
    kept = reply.keep(
        session, Channel.EMAIL, provider, inbound, sender_index,
        contact_point_id=contact.id if contact else None, message_id=answered.message_id if answered else None, kind=heard.kind,
        needs_human=_needs_human(heard, writer, contact, by_token), binding=writer.binding, person_id=writer.person_id,
        attorney_id=writer.attorney_id,
    )  # fmt: skip
    if kept is None:
        return Received(False, None, None, None)
    session.flush()
    _hold_back(session, kept, inbound.attachments)
    if contact is not None:
        _obey(session, heard.kind, contact, writer, by_token, kept.subject)
    return Received(True, kept.subject, heard.kind, None)


def _by_token(session: Session, token: UUID | None) -> _Answered | None:
    row = session.execute(
        text("""
            select m.id, m.campaign_id, m.contact_point_id, m.attorney_id, m.language
            from attempt a join message m on m.id = a.message_id
            where a.id = :token and a.channel in ('email', 'attorney_email')
        """),
        {"token": token},
    ).first()
    return _Answered(*row) if row else None


def _last(session: Session, contact_point_id: UUID) -> _Answered | None:
    row = session.execute(
        text("""
            select id, campaign_id, contact_point_id, attorney_id, language from message
            where contact_point_id = :contact and attempts > 0 order by updated_at desc, id desc limit 1
        """),
        {"contact": contact_point_id},
    ).first()
    return _Answered(*row) if row else None


def _contact(session: Session, by_token: _Answered | None, sender_index: bytes) -> ContactPoint | None:
    """The mailbox that we wrote to, or else the one that the sender claims; locked."""
    wanted = select(ContactPoint).with_for_update()
    if by_token is not None:
        return session.scalar(wanted.where(ContactPoint.id == by_token.contact_point_id))
    return session.scalar(wanted.where(ContactPoint.kind == ContactKind.EMAIL, ContactPoint.value_index == sender_index))


def _writer(session: Session, contact: ContactPoint | None, by_token: _Answered | None, sender_index: bytes) -> _Writer:
    if contact is None:
        return _Writer(Binding.STRANGER, proven=False, people=[])
    proven = by_token is not None and contact.value_index == sender_index
    if by_token is not None and by_token.attorney_id is not None:
        # Whoever works in an attorney's office may answer for it, from whichever mailbox.
        return _Writer(Binding.ATTORNEY, proven, [], by_token.attorney_id)
    people = reply.people_at(session, contact.id)
    attorneys = [] if by_token else _attorneys_at(session, contact.id)
    match len(people), len(attorneys):
        case 0, 0:
            return _Writer(Binding.STRANGER, proven, people)
        case 0, 1:
            return _Writer(Binding.ATTORNEY, proven, people, attorneys[0])
        case 1, 0:
            return _Writer(Binding.ONLY_PERSON if proven else Binding.UNPROVEN, proven, people)
    return _Writer(Binding.SHARED, proven, people)


def _attorneys_at(session: Session, contact_point_id: UUID) -> list[UUID]:
    return list(session.scalars(text("select id from attorney where email_point_id = :id"), {"id": contact_point_id}))


def _read(body: str, language: str | None) -> Reading:
    """What a mail asks for: all of it together, or its first line. People greet, sign and explain; that is for a person to read."""
    whole = words.classify(body, language)
    lines = [line for line in body.splitlines() if line.strip()][:LINES]
    if whole.kind != ReplyKind.TEXT or len(lines) < 2:
        return whole
    first, *others = (words.classify(line, language) for line in lines)
    if first.kind == ReplyKind.ACKNOWLEDGE and {other.kind for other in others} - {ReplyKind.TEXT, ReplyKind.ACKNOWLEDGE}:
        # "OK", and further down "wrong person": that proves nothing. Only a STOP needs no proof.
        stop = any(other.kind == ReplyKind.STOP for other in others)
        return Reading(ReplyKind.STOP if stop else ReplyKind.TEXT, needs_human=True)
    return Reading(first.kind, needs_human=True, language=first.language)


def _acknowledges(kind: ReplyKind, writer: _Writer, contact: ContactPoint | None, by_token: _Answered | None) -> bool:
    """Whether this is the proof that who was written to has it."""
    if kind != ReplyKind.ACKNOWLEDGE or contact is None or by_token is None or contact.state == ContactState.QUARANTINED:
        return False
    if writer.attorney_id is not None:
        return True
    return writer.binding == Binding.ONLY_PERSON and writer.people[0].role == ContactRole.OWN


def _needs_human(heard: Reading, writer: _Writer, contact: ContactPoint | None, by_token: _Answered | None) -> bool:
    if heard.kind == ReplyKind.AUTO_REPLY:
        return False
    if heard.needs_human:
        return True
    if heard.kind == ReplyKind.ACKNOWLEDGE:
        return not _acknowledges(heard.kind, writer, contact, by_token)
    return not (writer.binding == Binding.ONLY_PERSON and heard.kind in (ReplyKind.STOP, ReplyKind.START))


def _obey(
    session: Session, kind: ReplyKind, contact: ContactPoint, writer: _Writer, by_token: _Answered | None, reply_id: UUID
) -> None:
    match kind:
        case ReplyKind.STOP:
            # Believed though the sender may be made up: to be left alone by mistake costs a channel, the opposite costs more.
            reply.stop(session, contact, reply_id)
        case ReplyKind.START if writer.binding == Binding.ONLY_PERSON:
            reply.reopen(session, contact)
        case ReplyKind.WRONG_PERSON if by_token is not None and writer.attorney_id is None:
            reply.quarantine(session, contact, reply_id)
        case ReplyKind.ACKNOWLEDGE if by_token is not None and _acknowledges(kind, writer, contact, by_token):
            _told(session, by_token, writer)


# In the order in which projections lock outcomes.
TOLD = """
    with standing as (
        select campaign_id, person_id from outcome
        where campaign_id = :campaign and person_id = :person and state <> 'told' for update
    )
    update outcome o set state = 'told', reason = null, updated_at = now()
    from standing s where o.campaign_id = s.campaign_id and o.person_id = s.person_id
"""
COUNSEL_TOLD = """
    with standing as (
        select co.campaign_id, co.person_id, co.attorney_id from counsel_outcome co
        join message_person mp on mp.person_id = co.person_id
        where mp.message_id = :message and co.campaign_id = :campaign and co.attorney_id = :attorney and co.state <> 'told'
        order by co.campaign_id, co.person_id, co.attorney_id for update of co
    )
    update counsel_outcome co set state = 'told', reason = null, updated_at = now()
    from standing s
    where co.campaign_id = s.campaign_id and co.person_id = s.person_id and co.attorney_id = s.attorney_id
"""


def _told(session: Session, answered: _Answered, writer: _Writer) -> None:
    """Who was written to has said so: the person in that campaign, or the attorney about everybody that the mail was about."""
    values = {"campaign": answered.campaign_id, "message": answered.message_id}
    if writer.attorney_id is not None:
        session.execute(text(COUNSEL_TOLD), values | {"attorney": writer.attorney_id})
    else:
        session.execute(text(TOLD), {"campaign": answered.campaign_id, "person": writer.person_id})


def _hold_back(session: Session, key: DataKey, attachments: tuple[Attachment, ...]) -> None:
    for attachment in attachments:
        held = ReplyAttachment(id=new_id(), reply_id=key.subject, media_type=attachment.media_type, size=len(attachment.content))
        held.name_sealed = key.seal("reply_attachment.name", held.id, attachment.name)
        if attachment.content:
            held.content_sealed = key.seal_bytes("reply_attachment.content", held.id, attachment.content)
        session.add(held)
    session.flush()

"""The inbox: what came back, one conversation a phone or mailbox. Every opening is in the audit log before a text is opened.

    with sessions.begin() as session:
        permit = inbox.ask_to_open(session, reply_id, by=reader)   # writes the entry; the block commits it
    with sessions.begin() as session:
        conversation = inbox.open_conversation(session, permit)

A conversation is named by any reply in it. It is one sender's, not one person's: several people may use a phone, or nobody we
know, and an attorney answers for an office. Of a letter it shows that it was sent, and never what it says.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

from outreach.access import audit
from outreach.access.accounts import Account
from outreach.access.sealing import DataKey, keys_for
from outreach.delivery.reply import NoReply, Reply, ReplyAttachment
from outreach.delivery.words import ReplyKind
from outreach.notices.channel import Channel
from outreach.people import file
from outreach.people.attorney import file as attorney_file
from outreach.people.contact import ContactKind, ContactPoint
from outreach.people.file import HIDDEN, Brief, ProtectedRecord, Reader, RevealReason

LONGEST = 200  # newest texts of each direction that one page shows

# Those whose address the sender has, and those that a mail of theirs answers from elsewhere.
_POINTS = """(
    select cp.id from contact_point cp where cp.kind in ('phone', 'email') and cp.value_index = r.sender_index
    union select via.contact_point_id from reply via where via.sender_index = r.sender_index and via.contact_point_id is not null
)"""

# People use a phone by their contact points; a reply may also be bound to somebody who no longer does. An attorney may write about
# whomever we wrote to them about.
_PROTECTED = f"""exists (
    select 1 from person p where p.protected and p.id in (
        select pc.person_id from person_contact pc where pc.contact_point_id in {_POINTS}
        union all select bound.person_id from reply bound where bound.sender_index = r.sender_index
        union all select mp.person_id from reply counsel join message_person mp on mp.message_id = counsel.message_id
            where counsel.sender_index = r.sender_index and counsel.attorney_id is not null
    )
)"""

# What a machine wrote waits for nobody.
_OPEN = f"(handled_at is null and kind <> '{ReplyKind.AUTO_REPLY}')"

# Whether a conversation is looked for, by one reply of it.
_FITS = f"""
    ({_OPEN} or not cast(:waiting as boolean)) and (needs_human or not cast(:needs_human as boolean))
    and (cast(:kind as text) is null or kind = :kind)
"""

# By its newest reply. Of all of them one walks from the newest reply on; of those that wait there are few, and an index holds them.
_ALL = """
    select r.* from reply r where not exists (
        select 1 from reply later
        where later.sender_index = r.sender_index and (later.received_at, later.id) > (r.received_at, r.id)
    )
"""
_SOME = """
    select r.* from (select distinct sender_index from reply where {fits}) s cross join lateral (
        select * from reply where reply.sender_index = s.sender_index order by received_at desc, id desc limit 1
    ) r
"""

COUNTED = 1_000  # conversations; nobody leafs further


@dataclass(frozen=True, slots=True)
class Query:
    """Which conversations: with a reply nobody has handled (`waiting`), that a person must read, of one kind; all together."""

    waiting: bool = False
    needs_human: bool = False
    kind: ReplyKind | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A conversation in the list. `id` is its newest reply, which `kind`, `binding` and `channel` are of; `people` use it."""

    id: UUID
    at: datetime
    texts: int
    waiting: int
    needs_human: bool
    kind: str
    binding: str
    channel: str
    people: int
    protected: bool


@dataclass(frozen=True, slots=True)
class ListPermit:
    """The senders of these replies may be opened. Made by `ask_to_list` only."""

    replies: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Permit:
    """This conversation may be opened, because an entry in the audit log says so. Made by `ask_to_open` only."""

    reply_id: UUID
    names: file.Permit
    attorneys: attorney_file.Permit
    in_full: bool


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who uses the phone: as whose it is on file, and whether it is safe for them. `brief` has their name."""

    person_id: UUID
    role: str
    safety: str
    brief: Brief


@dataclass(frozen=True, slots=True)
class Said:
    """What we sent there. `text` is None before the first try, after erasure, and of letters; `code` is the provider's."""

    at: datetime
    channel: str
    campaign_id: UUID
    campaign: str
    language: str
    state: str
    reason: str | None
    code: str | None
    subject: str | None
    text: str | None


@dataclass(frozen=True, slots=True)
class Heard:
    """What came from there. `text` is None after erasure; `answer` names the automatic answer that was given.

    `held_back` are the media types of its attachments.
    """

    at: datetime
    id: UUID
    kind: str
    needs_human: bool
    binding: str
    person_id: UUID | None
    answer: str | None
    handled_at: datetime | None
    handled_by: str | None
    text: str | None
    held_back: tuple[str, ...] = ()

    @property
    def open(self) -> bool:
        """Whether somebody still has to handle it."""
        return self.handled_at is None and self.kind != ReplyKind.AUTO_REPLY


@dataclass(frozen=True, slots=True)
class Conversation:
    """One phone or mailbox: `sender` is masked unless the permit is in full, and of a mailbox where `channel` is e-mail.

    `turns` are in the order of time; `cut`: older ones are left out. `contact_state` is None for a stranger's. `attorneys` have
    answered from there, by id with their names; an erased one is left out. `newest` is its newest reply.
    """

    sender: str
    channel: str
    in_full: bool
    contact_state: str | None
    users: tuple[User, ...]
    attorneys: dict[UUID, str]
    turns: tuple[Said | Heard, ...]
    cut: bool
    newest: UUID
    waiting: int


def waiting(session: Session) -> int:
    """How many conversations have a reply that a person must read and nobody has handled."""
    return session.scalar(text(f"select count(distinct sender_index) from reply where {_OPEN} and needs_human")) or 0


def conversations(session: Session, query: Query, *, limit: int, offset: int = 0) -> tuple[list[Line], int]:
    """Conversations, the newest first, and how many fit in all: COUNTED + 1 where there are more. Nothing is opened."""
    values = {"waiting": query.waiting, "needs_human": query.needs_human, "kind": query.kind}
    chosen = _ALL
    if query != Query():
        chosen = _SOME.format(fits=f"handled_at is null and {_FITS}" if query.waiting else _FITS)
    total = session.scalar(text(f"select count(*) from (select 1 from ({chosen}) r limit {COUNTED + 1}) counted"), values)
    rows = session.execute(
        text(f"""
            select r.id, r.received_at, told.texts, told.waiting, told.needs_human, r.kind, r.binding, r.channel,
                (select count(distinct pc.person_id) from person_contact pc where pc.contact_point_id in {_POINTS}) as people,
                {_PROTECTED} as protected
            from (select * from ({chosen}) r order by r.received_at desc, r.id desc limit :limit offset :offset) r
            cross join lateral (
                select count(*) as texts, count(*) filter (where {_OPEN}) as waiting,
                    coalesce(bool_or(needs_human and {_OPEN}), false) as needs_human
                from reply where reply.sender_index = r.sender_index
            ) told
            order by r.received_at desc, r.id desc
        """),
        values | {"limit": limit, "offset": offset},
    )
    return [Line(*row) for row in rows], total or 0


def ask_to_list(session: Session, lines: Sequence[Line], *, by: Reader) -> ListPermit:
    """Leave to show who wrote, masked: one entry. Those of protected people are left out unless `by` supervises."""
    shown = tuple(line.id for line in lines if by.supervises or not line.protected)
    audit.record(session, by.actor, "conversation.list", "reply", conversations=len(shown), ids=[str(one) for one in shown])
    return ListPermit(shown)


def senders(session: Session, permit: ListPermit) -> dict[UUID, str]:
    """The masked numbers and addresses, by reply."""
    keys = keys_for(session, permit.replies)
    rows = session.execute(select(Reply.id, Reply.channel, Reply.sender_sealed).where(Reply.id.in_(permit.replies)))
    return {
        reply_id: file.masked(_kind(channel), keys[reply_id].open("reply.sender", reply_id, sealed)) if reply_id in keys else HIDDEN
        for reply_id, channel, sealed in rows
    }


def _kind(channel: str) -> ContactKind:
    return ContactKind.EMAIL if channel == Channel.EMAIL else ContactKind.PHONE


def require_visible(session: Session, reply_id: UUID, *, by: Reader) -> None:
    """Raises NoReply, or ProtectedRecord when a protected person uses the phone and `by` does not supervise."""
    protected = session.scalar(text(f"select {_PROTECTED} from reply r where r.id = :id"), {"id": reply_id})
    if protected is None:
        raise NoReply(str(reply_id))
    if protected and not by.supervises:
        raise ProtectedRecord


def ask_to_open(session: Session, reply_id: UUID, *, by: Reader, reason: RevealReason | None = None) -> Permit:
    """Leave to open a conversation and the names on it; with a reason, to see the number in full.

    Raises NoReply or ProtectedRecord.
    """
    require_visible(session, reply_id, by=by)
    people = [link.person_id for link in _links(session, reply_id)]
    names = file.ask_to_list(session, people, query="conversation", by=by)
    answered = session.scalars(
        text("""
            select distinct r.attorney_id from reply asked join reply r on r.sender_index = asked.sender_index
            where asked.id = :id and r.attorney_id is not null
        """),
        {"id": reply_id},
    ).all()
    counsel = attorney_file.Permit(())
    if answered:
        counsel = attorney_file.ask_to_list(session, answered, query="conversation", by=by)
    if reason is None:
        audit.record(session, by.actor, "conversation.open", "reply", reply_id)
    else:
        audit.record(session, by.actor, "conversation.reveal", "reply", reply_id, reason=reason)
    return Permit(reply_id, names, counsel, in_full=reason is not None)


def open_conversation(session: Session, permit: Permit) -> Conversation:
    """Raises Sealed when a field was moved or altered."""
    asked = session.get_one(Reply, permit.reply_id)
    replies = session.execute(
        select(Reply, Account.name)
        .outerjoin(Account, Account.id == Reply.handled_by)
        .where(Reply.sender_index == asked.sender_index)
        .order_by(Reply.received_at.desc(), Reply.id.desc())
        .limit(LONGEST)
    ).all()
    contact = session.scalar(
        select(ContactPoint).where(
            ContactPoint.kind.in_([ContactKind.PHONE, ContactKind.EMAIL]), ContactPoint.value_index == asked.sender_index
        )
    )
    keys = keys_for(session, [asked.id, *(reply.id for reply, _ in replies)])
    held_back = _held_back(session, [reply.id for reply, _ in replies])
    heard = [
        Heard(
            reply.received_at, reply.id, reply.kind, reply.needs_human, reply.binding, reply.person_id, reply.answer,
            reply.handled_at, name, keys[reply.id].open("reply.body", reply.id, reply.body_sealed) if reply.id in keys else None,
            held_back.get(reply.id, ()),
        )
        for reply, name in replies
    ]  # fmt: skip
    said = _said(session, asked.id)
    sender = keys[asked.id].open("reply.sender", asked.id, asked.sender_sealed) if asked.id in keys else HIDDEN
    briefs = file.briefs(session, permit.names)
    turns: list[Said | Heard] = sorted([*heard, *said], key=lambda turn: turn.at)
    return Conversation(
        sender=sender if permit.in_full else file.masked(_kind(asked.channel), sender),
        channel=asked.channel,
        in_full=permit.in_full,
        contact_state=contact.state if contact else None,
        users=tuple(
            User(link.person_id, link.role, link.safety, briefs[link.person_id])
            for link in _links(session, asked.id)
            if link.person_id in briefs
        ),
        attorneys=attorney_file.names(session, permit.attorneys.attorneys),
        turns=tuple(turns),
        cut=LONGEST in (len(heard), len(said)),
        newest=heard[0].id,
        waiting=sum(one.open for one in heard),
    )


def mark_all_handled(session: Session, newest: UUID, *, by: Account) -> int:
    """Mark every reply of the conversation up to this one as handled; how many. What came after it was not seen yet, and stays.

    Safe to repeat. Raises NoReply.
    """
    seen = session.get(Reply, newest)
    if seen is None:
        raise NoReply(str(newest))
    handled = session.scalars(
        text(f"""
            update reply set handled_at = now(), handled_by = :account
            where sender_index = :sender and {_OPEN} and (received_at, id) <= (:at, :id) returning id
        """),
        {"account": by.id, "sender": seen.sender_index, "at": seen.received_at, "id": seen.id},
    ).all()
    if handled:
        audit.record(session, by.actor, "conversation.handle", "reply", newest, ids=[str(one) for one in handled])
    return len(handled)


@dataclass(frozen=True, slots=True)
class _Link:
    person_id: UUID
    role: str
    safety: str


def _links(session: Session, reply_id: UUID) -> list[_Link]:
    """Who uses the phone or mailbox, each once: the owner first."""
    rows = session.execute(
        text(f"""
            select person_id, role, safety from (
                select distinct on (pc.person_id) pc.person_id, pc.role, pc.safety
                from reply r join person_contact pc on pc.contact_point_id in {_POINTS}
                where r.id = :id order by pc.person_id, pc.role <> 'own'
            ) link order by role <> 'own', person_id
        """),
        {"id": reply_id},
    )
    return [_Link(*row) for row in rows]


def _held_back(session: Session, replies: Sequence[UUID]) -> dict[UUID, tuple[str, ...]]:
    """The media types of what came along, by reply. Names and contents stay sealed."""
    found: dict[UUID, tuple[str, ...]] = {}
    rows = session.execute(
        select(ReplyAttachment.reply_id, ReplyAttachment.media_type)
        .where(ReplyAttachment.reply_id.in_(replies))
        .order_by(ReplyAttachment.media_type)
    )
    for reply_id, media_type in rows:
        found[reply_id] = (*found.get(reply_id, ()), media_type)
    return found


# Beside what went to that very phone or mailbox, the letters to whoever uses it, or to the attorney who answers from there.
_SAID = f"""
    select coalesce(a.started_at, m.created_at) as at, m.channel, m.campaign_id, c.title, m.language, m.state, m.reason,
        a.error_code, a.id, a.contact_point_id, a.body_sealed
    from message m join campaign c on c.id = m.campaign_id
    left join lateral (select * from attempt where message_id = m.id order by number desc limit 1) a on true
    where m.id in (
        select written.id from reply r join message written on written.contact_point_id in {_POINTS} where r.id = :reply
        union select posted.id from reply r
            join person_contact pc on pc.contact_point_id in {_POINTS}
            join message_person mp on mp.person_id = pc.person_id
            join message posted on posted.id = mp.message_id and posted.channel in ('letter', 'hand')
            where r.id = :reply
        union select posted.id from reply asked join reply r on r.sender_index = asked.sender_index
            join message posted on posted.attorney_id = r.attorney_id and posted.channel = 'attorney_letter'
            where asked.id = :reply
    )
    order by 1 desc limit {LONGEST}
"""


def _said(session: Session, reply_id: UUID) -> list[Said]:
    rows = session.execute(text(_SAID), {"reply": reply_id}).all()
    keys = keys_for(session, [row.contact_point_id for row in rows if row.contact_point_id])
    return [
        Said(
            row.at, row.channel, row.campaign_id, row.title, row.language, row.state, row.reason, row.error_code,
            *_content(row, keys),
        )
        for row in rows
    ]  # fmt: skip


def _content(row: Row[Any], keys: Mapping[UUID, DataKey]) -> tuple[str | None, str | None]:
    """Subject and text of what was handed over."""
    channel = Channel(row.channel)
    if not row.body_sealed or row.contact_point_id not in keys or not (channel is Channel.SMS or channel.is_mail):
        return None, None
    body = keys[row.contact_point_id].open("attempt.body", row.id, bytes(row.body_sealed))
    if channel is Channel.SMS:
        return None, body
    mail = json.loads(body)
    return mail["subject"], mail["text"]

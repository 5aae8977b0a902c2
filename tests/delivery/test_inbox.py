"""The inbox: one conversation a phone, opened only after the audit log says so."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach.access.accounts import Account, Role
from outreach.access.audit import AuditEntry
from outreach.access.sealing import erase
from outreach.db import new_id, now
from outreach.delivery import inbox, reply
from outreach.delivery.inbox import Conversation, Heard, Query, Said
from outreach.delivery.message import MessageState
from outreach.delivery.reply import NoReply, NotTheirs, Reply
from outreach.delivery.words import ReplyKind
from outreach.people.contact import ContactPoint, ContactRole, PersonContact
from outreach.people.file import ProtectedRecord, Reader, RevealReason
from outreach.people.person import Person
from tests.factories import make_account, make_campaign, make_contact, make_message, make_person, make_reply

ANA_PHONE, FAMILY_PHONE, STRANGE_PHONE = "+12025550142", "+12025550143", "+12025550144"


@pytest.fixture
def officer(session: Session) -> Account:
    return make_account(session)


@pytest.fixture
def reader(officer: Account) -> Reader:
    return Reader(officer.actor, supervises=False)


@pytest.fixture
def ana(session: Session) -> Person:
    person = make_person(session, name="SAMPLE, Ana")
    make_contact(session, person, value=ANA_PHONE)
    return person


def opened(session: Session, reply_id: object, reader: Reader, reason: RevealReason | None = None) -> Conversation:
    assert isinstance(reply_id, type(new_id()))
    return inbox.open_conversation(session, inbox.ask_to_open(session, reply_id, by=reader, reason=reason))


def listed(session: Session, **query: object) -> list[object]:
    lines, total = inbox.conversations(session, Query(**query), limit=50)  # type: ignore[arg-type]  # as each test gives it
    assert total == len(lines)
    return [line.id for line in lines]


# The list.


def test_a_phone_is_one_line_however_often_it_wrote(session: Session, ana: Person) -> None:
    make_reply(session, ANA_PHONE, "One", ana, received_at=now() - timedelta(hours=2))
    stranger = make_reply(session, STRANGE_PHONE, "Who?", received_at=now() - timedelta(hours=1))
    newest = make_reply(session, ANA_PHONE, "Two", ana)
    assert listed(session) == [newest.id, stranger.id], "the newest first, named by its newest reply"
    (line, other), _ = inbox.conversations(session, Query(), limit=50)
    assert (line.texts, line.waiting, line.people, other.people) == (2, 2, 1, 0)


def test_filters_keep_what_waits_what_a_person_must_read_and_a_kind(session: Session, ana: Person, officer: Account) -> None:
    stop = make_reply(session, ANA_PHONE, "STOP", ana, kind=ReplyKind.STOP, needs_human=False)
    asks = make_reply(session, STRANGE_PHONE, "Who?")
    done = make_reply(session, FAMILY_PHONE, "2", kind=ReplyKind.CALL_ME)
    reply.mark_handled(session, done.id, by=officer)
    session.flush()
    assert set(listed(session)) == {stop.id, asks.id, done.id}
    assert set(listed(session, waiting=True)) == {stop.id, asks.id}
    assert listed(session, waiting=True, needs_human=True) == [asks.id]
    assert listed(session, kind=ReplyKind.CALL_ME) == [done.id]
    assert listed(session, waiting=True, kind=ReplyKind.CALL_ME) == [], "one reply must fit all of it"
    assert inbox.waiting(session) == 1


def test_a_long_list_comes_in_pages(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [
        make_reply(session, f"+1202555{100 + number:04}", received_at=now() - timedelta(minutes=number)).id for number in range(5)
    ]
    lines, total = inbox.conversations(session, Query(), limit=2, offset=2)
    assert ([line.id for line in lines], total) == (made[2:4], 5)
    monkeypatch.setattr(inbox, "COUNTED", 3)
    assert inbox.conversations(session, Query(), limit=2)[1] == inbox.conversations(session, Query(waiting=True), limit=2)[1] == 4


def test_only_the_end_of_a_number_is_listed_and_the_log_says_of_which(session: Session, ana: Person, reader: Reader) -> None:
    one = make_reply(session, ANA_PHONE, "Hello", ana)
    lines, _ = inbox.conversations(session, Query(), limit=50)
    (shown,) = inbox.senders(session, inbox.ask_to_list(session, lines, by=reader)).values()
    assert shown.endswith(" 0142")
    assert "202" not in shown
    entry = session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "conversation.list")).one()
    assert entry.detail == {"conversations": 1, "ids": [str(one.id)]}


# One conversation.


def test_texts_of_both_sides_stand_in_the_order_of_time(session: Session, ana: Person, reader: Reader) -> None:
    sent = make_message(
        session,
        make_campaign(session, title="First"),
        _phone(session),
        ana,
        text="We have a message",
        started_at=now() - timedelta(hours=1),
    )
    first = make_reply(
        session, ANA_PHONE, "ayuda", ana, kind=ReplyKind.HELP, answer="help", received_at=now() - timedelta(minutes=30)
    )
    make_reply(session, STRANGE_PHONE, "Not here")
    make_reply(session, ANA_PHONE, "شكراً", ana)
    said, asked, thanked = opened(session, first.id, reader).turns
    assert isinstance(said, Said)
    assert isinstance(asked, Heard)
    assert isinstance(thanked, Heard)
    assert (said.text, said.campaign, said.language, said.state) == ("We have a message", "First", sent.language, "delivered")
    assert (asked.text, asked.answer, thanked.text) == ("ayuda", "help", "شكراً")


def _phone(session: Session) -> ContactPoint:
    return session.scalars(sa.select(ContactPoint)).one()


def test_everybody_who_uses_the_phone_is_named_the_owner_first(session: Session, ana: Person, reader: Reader) -> None:
    bo = make_person(session, name="SAMPLE, Bo")
    session.add(PersonContact(person_id=bo.id, contact_point_id=_phone(session).id, role=ContactRole.FAMILY))
    one = make_reply(session, ANA_PHONE, "Hello")
    assert [(user.brief.name, user.role) for user in opened(session, one.id, reader).users] == [
        ("SAMPLE, Ana", "own"),
        ("SAMPLE, Bo", "family"),
    ]


def test_the_number_is_masked_until_somebody_says_why(session: Session, ana: Person, reader: Reader) -> None:
    one = make_reply(session, ANA_PHONE, "Hello", ana)
    assert ANA_PHONE not in opened(session, one.id, reader).sender
    assert opened(session, one.id, reader, RevealReason.CONTACT).sender == ANA_PHONE
    entry = session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "conversation.reveal")).one()
    assert (entry.object_id, entry.detail) == (one.id, {"reason": "contact"})


def test_opening_is_logged_with_whose_names_were_shown(session: Session, ana: Person, reader: Reader) -> None:
    one = make_reply(session, ANA_PHONE, "Hello", ana)
    inbox.ask_to_open(session, one.id, by=reader)
    named, entry = session.scalars(sa.select(AuditEntry).order_by(AuditEntry.seq.desc()).limit(2)).all()[::-1]
    assert (named.action, named.detail["ids"]) == ("person.list", [str(ana.id)])
    assert (entry.action, entry.object_id) == ("conversation.open", one.id)


def test_a_stranger_is_nobody_and_is_read_all_the_same(session: Session, reader: Reader) -> None:
    one = make_reply(session, STRANGE_PHONE, "Who is this?")
    found = opened(session, one.id, reader)
    assert (found.users, found.contact_state, [turn.text for turn in found.turns]) == ((), None, ["Who is this?"])


def test_a_phone_that_a_protected_person_uses_is_for_supervisors(session: Session, reader: Reader, officer: Account) -> None:
    hidden, open_one = make_person(session, protected=True), make_person(session)
    make_contact(session, hidden, open_one, value=FAMILY_PHONE)
    one = make_reply(session, FAMILY_PHONE, "Hello", hidden, open_one)
    lines, _ = inbox.conversations(session, Query(), limit=50)
    assert [line.protected for line in lines] == [True]
    assert inbox.senders(session, inbox.ask_to_list(session, lines, by=reader)) == {}
    with pytest.raises(ProtectedRecord):
        inbox.ask_to_open(session, one.id, by=reader)
    assert len(opened(session, one.id, Reader(officer.actor, supervises=True)).users) == 2


def test_a_reply_stays_protected_when_its_person_left_the_phone(session: Session, reader: Reader) -> None:
    hidden = make_person(session, protected=True)
    one = make_reply(session, STRANGE_PHONE, "Hello", hidden)
    with pytest.raises(ProtectedRecord):
        inbox.require_visible(session, one.id, by=reader)


def test_what_was_erased_has_no_text_and_the_rest_stays(session: Session, ana: Person, reader: Reader) -> None:
    one = make_reply(session, ANA_PHONE, "Secret", ana)
    erase(session, one.id)
    found = opened(session, one.id, reader)
    assert ([turn.text for turn in found.turns], found.sender) == ([None], "••• ••• •••")


def test_there_is_nothing_of_another_id(session: Session, reader: Reader, officer: Account) -> None:
    with pytest.raises(NoReply):
        inbox.ask_to_open(session, new_id(), by=reader)
    with pytest.raises(NoReply):
        inbox.mark_all_handled(session, new_id(), by=officer)


def test_of_a_flood_only_the_newest_are_shown(session: Session, reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "LONGEST", 3)
    made = [make_reply(session, STRANGE_PHONE, str(number), received_at=now() - timedelta(minutes=number)) for number in range(5)]
    found = opened(session, made[0].id, reader)
    assert ([turn.text for turn in found.turns], found.cut) == (["2", "1", "0"], True)


# What is done.


def test_a_reply_is_bound_only_to_somebody_who_uses_the_phone(session: Session, ana: Person, officer: Account) -> None:
    one, strange = make_reply(session, ANA_PHONE, "Hello"), make_reply(session, STRANGE_PHONE, "Hello")
    with pytest.raises(NotTheirs):
        reply.bind(session, one.id, make_person(session).id, by=officer)
    with pytest.raises(NotTheirs):
        reply.bind(session, strange.id, ana.id, by=officer)
    reply.bind(session, one.id, ana.id, by=officer)
    assert (one.person_id, one.binding) == (ana.id, "staff")


def test_the_whole_conversation_is_handled_up_to_what_was_seen(session: Session, ana: Person, officer: Account) -> None:
    old = make_reply(session, ANA_PHONE, "One", ana, received_at=now() - timedelta(hours=2))
    seen = make_reply(session, ANA_PHONE, "Two", ana, received_at=now() - timedelta(hours=1))
    unseen, elsewhere = make_reply(session, ANA_PHONE, "Three", ana), make_reply(session, STRANGE_PHONE, "Hello")
    assert inbox.mark_all_handled(session, seen.id, by=officer) == 2
    assert inbox.mark_all_handled(session, seen.id, by=officer) == 0, "safe to repeat"
    session.expire_all()
    handled = {one.id: one.handled_by for one in session.scalars(sa.select(Reply))}
    assert handled == {old.id: officer.id, seen.id: officer.id, unseen.id: None, elsewhere.id: None}
    (entry,) = session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "conversation.handle"))
    assert set(entry.detail["ids"]) == {str(old.id), str(seen.id)}  # type: ignore[call-overload]  # a list, as written


def test_the_first_to_handle_a_reply_stays_named(session: Session, officer: Account) -> None:
    one = make_reply(session, STRANGE_PHONE, "Hello")
    for who in (officer, make_account(session, Role.SUPERVISOR)):
        reply.mark_handled(session, one.id, by=who)
    assert one.handled_by == officer.id


def test_a_text_that_has_not_left_has_no_words_yet(session: Session, ana: Person, reader: Reader) -> None:
    make_message(session, make_campaign(session), _phone(session), ana, state=MessageState.READY, attempts=0)
    one = make_reply(session, ANA_PHONE, "Hello", ana)
    assert [turn.text for turn in opened(session, one.id, reader).turns] == [None, "Hello"]

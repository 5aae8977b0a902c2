"""The inbox: who sees which conversation, that the log knows first, and what is done with a reply."""

import json
import re
from datetime import timedelta
from html import unescape
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach.access.accounts import Role
from outreach.access.audit import AuditEntry
from outreach.access.sealing import DataKey
from outreach.db import new_id, now
from outreach.delivery.message import Attempt
from outreach.delivery.reply import Binding, Reply, ReplyAttachment
from outreach.delivery.words import ReplyKind
from outreach.notices.channel import Channel
from outreach.people.contact import ContactKind, ContactPoint, ContactState
from outreach.people.person import Person
from tests.factories import make_attorney, make_campaign, make_contact, make_message, make_person, make_reply
from tests.web.conftest import Fetch, SignIn, submit

PHONE, SHARED_PHONE, STRANGE_PHONE = "+12025550142", "+12025550143", "+12025550144"


@pytest.fixture
def layla(session: Session) -> Person:
    person = make_person(session, name="SAMPLE, Layla", native="ليلى المثال", language="ar")
    make_contact(session, person, value=PHONE)
    session.commit()
    return person


@pytest.fixture
def answered(session: Session, layla: Person) -> Reply:
    """A text of ours in Arabic, and her answer."""
    phone = session.scalars(sa.select(ContactPoint)).one()
    make_message(
        session, make_campaign(session, title="First notice"), phone, layla, text="لديك رسالة مهمة", language="ar",
        started_at=now() - timedelta(hours=1),
    )  # fmt: skip
    reply = make_reply(session, PHONE, "شكراً <b>لكم</b>", layla)
    session.commit()
    return reply


def entries(session: Session, action: str) -> list[AuditEntry]:
    session.expire_all()
    return list(session.scalars(sa.select(AuditEntry).where(AuditEntry.action == action).order_by(AuditEntry.seq)))


# The list.


def test_the_list_shows_what_waits_and_no_text_name_or_number(
    sign_in: SignIn, page: Fetch, session: Session, answered: Reply
) -> None:
    make_reply(session, STRANGE_PHONE, "STOP", kind=ReplyKind.STOP, needs_human=False)
    session.commit()
    client = sign_in(Role.OFFICER)
    listed = page(client, "/replies")
    assert "1 to 1 of 1 conversations" in listed.text
    assert "••• ••• 0142" in listed.text
    for hidden in (PHONE, "Layla", "شكراً"):
        assert hidden not in listed.html
    assert f"/replies/{answered.id}" in listed.links()
    (entry,) = entries(session, "conversation.list")
    assert entry.detail["ids"] == [str(answered.id)]
    everything = page(client, "/replies?show=all")
    assert "STOP: nothing more goes there" in everything.text
    assert "nobody we know" in everything.text
    assert "0144" in page(client, "/replies?show=waiting&kind=stop").text
    assert "No conversation fits" in page(client, "/replies?show=all&kind=help").text


@pytest.mark.parametrize("query", ["show=nonsense", "kind=nonsense"])
def test_a_filter_that_is_none_is_not_there(sign_in: SignIn, page: Fetch, query: str) -> None:
    page(sign_in(Role.OFFICER), f"/replies?{query}", status=404)


def test_the_menu_counts_the_conversations_that_wait(sign_in: SignIn, page: Fetch, session: Session, answered: Reply) -> None:
    client = sign_in(Role.OFFICER)
    assert re.search(r"Replies 1 waiting", page(client, "/").text)
    assert "1 waiting" not in page(sign_in(Role.APPROVER), "/").text, "who cannot open them is not told"
    submit(client, f"/replies/{answered.id}/handled")
    assert "1 waiting" not in page(client, "/").text


def test_an_empty_inbox_says_so(sign_in: SignIn, page: Fetch) -> None:
    assert "Nothing waits for you" in page(sign_in(Role.OFFICER), "/replies").text


# A conversation.


def test_texts_of_both_sides_stand_in_their_own_direction(sign_in: SignIn, page: Fetch, answered: Reply) -> None:
    shown = page(sign_in(Role.OFFICER), f"/replies/{answered.id}")
    ours, theirs = shown.all("blockquote")
    assert (ours["lang"], ours["dir"], theirs["dir"]) == ("ar", "rtl", "auto")
    assert shown.text.index("لديك رسالة مهمة") < shown.text.index("شكراً")
    assert "&lt;b&gt;" in shown.html, "a text is only a text"
    for part in ("SAMPLE, Layla", "ليلى المثال", "Delivered", "First notice", "the only person there"):
        assert part in shown.text


def test_the_number_is_hidden_until_somebody_says_why(sign_in: SignIn, page: Fetch, session: Session, answered: Reply) -> None:
    client = sign_in(Role.OFFICER)
    assert PHONE not in page(client, f"/replies/{answered.id}").html
    page(client, f"/replies/{answered.id}/show", status=400, post={"reason": "curious"})
    assert PHONE in page(client, f"/replies/{answered.id}/show", post={"reason": "contact"}).text
    assert PHONE not in page(client, f"/replies/{answered.id}").html
    (entry,) = entries(session, "conversation.reveal")
    assert (entry.object_id, entry.detail) == (answered.id, {"reason": "contact"})


def test_without_an_entry_in_the_log_nothing_is_opened(
    sign_in: SignIn, page: Fetch, session: Session, answered: Reply, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = sign_in(Role.SUPERVISOR)
    opened: list[str] = []

    def note(_self: DataKey, context: str, *_: object) -> str:
        opened.append(context)
        return "OPENED"

    monkeypatch.setattr(DataKey, "open", note)
    session.execute(sa.text("alter table audit_entry add constraint broken check (action not like 'conversation.%')"))
    session.commit()
    for path, form in (
        ("/replies", None),
        (f"/replies/{answered.id}", None),
        (f"/replies/{answered.id}/show", {"reason": "contact"}),
    ):
        assert "OPENED" not in page(client, path, status=500, post=form).html
    assert opened == []


def test_the_log_is_committed_before_the_first_text_is_opened(
    sign_in: SignIn, session: Session, answered: Reply, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look at a field asks the log of another session whether the entry is there."""
    client = sign_in(Role.OFFICER)
    real, seen = DataKey.open, []

    def spy(self: DataKey, context: str, row: object, blob: bytes) -> str:
        seen.append(session.scalar(sa.select(sa.func.count()).where(AuditEntry.action == "conversation.open")))
        session.commit()
        return real(self, context, row, blob)  # type: ignore[arg-type]  # handed on as it came

    monkeypatch.setattr(DataKey, "open", spy)
    assert client.get(f"/replies/{answered.id}").status_code == 200
    assert seen
    assert set(seen) == {1}


def test_a_phone_that_must_not_be_used_says_so_first(sign_in: SignIn, page: Fetch, session: Session, answered: Reply) -> None:
    session.execute(sa.update(ContactPoint).values(state=ContactState.OPTED_OUT))
    session.commit()
    assert "Do not contact: Asked us to stop" in page(sign_in(Role.OFFICER), f"/replies/{answered.id}").text


def test_a_stranger_has_no_name_and_nobody_to_choose(sign_in: SignIn, page: Fetch, session: Session) -> None:
    reply = make_reply(session, STRANGE_PHONE, "Who is this?")
    session.commit()
    shown = page(sign_in(Role.OFFICER), f"/replies/{reply.id}")
    assert "never say what this is about" in shown.text
    assert not any(str(form.get("action")).endswith("/person") for form, _ in shown.forms)


def test_a_phone_of_a_protected_person_is_for_supervisors(sign_in: SignIn, page: Fetch, session: Session) -> None:
    hidden = make_person(session, name="SAMPLE, Hidden", protected=True)
    make_contact(session, hidden, value=PHONE)
    reply = make_reply(session, PHONE, "Hello", hidden)
    session.commit()
    officer = sign_in(Role.OFFICER)
    listed = page(officer, "/replies")
    assert "Protected record" in listed.text
    assert str(reply.id) not in listed.html
    assert "Only a supervisor can open" in page(officer, f"/replies/{reply.id}", status=403).text
    for path, form in (
        ("show", {"reason": "contact"}),
        ("person", {"person": str(hidden.id)}),
        ("handled", {}),
        ("all-handled", {}),
    ):
        page(officer, f"/replies/{reply.id}/{path}", status=403, post=form)
    session.expire_all()
    assert reply.handled_at is None
    assert entries(session, "conversation.open") == []
    assert "SAMPLE, Hidden" in page(sign_in(Role.SUPERVISOR), f"/replies/{reply.id}").text


def test_there_is_nothing_of_another_id(sign_in: SignIn, page: Fetch) -> None:
    client = sign_in(Role.OFFICER)
    page(client, f"/replies/{uuid4()}", status=404)
    for path in ("person", "handled", "all-handled"):
        page(client, f"/replies/{uuid4()}/{path}", status=404, post={"person": str(uuid4())})


# What is done.


def test_of_a_shared_phone_staff_say_whose_reply_it_is(sign_in: SignIn, page: Fetch, session: Session, layla: Person) -> None:
    bo, elsewhere = make_person(session, name="SAMPLE, Bo"), make_person(session)
    make_contact(session, layla, bo, value=SHARED_PHONE)
    reply = make_reply(session, SHARED_PHONE, "It is me", layla, bo)
    session.commit()
    client = sign_in(Role.OFFICER)
    shown = page(client, f"/replies/{reply.id}")
    assert "several people are there" in shown.text
    assert "Whose reply is it?" in shown.text
    page(client, f"/replies/{reply.id}/person", status=400, post={"person": ""})
    page(client, f"/replies/{reply.id}/person", status=409, post={"person": str(elsewhere.id)})
    answer = submit(client, f"/replies/{reply.id}/person", {"person": str(bo.id)})
    assert answer.location == f"/replies/{reply.id}#reply-{reply.id}"
    assert "SAMPLE, Bo : matched by staff" in page(client, f"/replies/{reply.id}").text
    (entry,) = entries(session, "reply.bind")
    assert (entry.object_id, entry.detail) == (reply.id, {"person": str(bo.id)})


def test_one_reply_is_marked_as_handled(sign_in: SignIn, page: Fetch, session: Session, answered: Reply) -> None:
    client = sign_in(Role.OFFICER, name="Olive Officer")
    submit(client, f"/replies/{answered.id}/handled")
    shown = page(client, f"/replies/{answered.id}").text
    assert "Everything is handled" in shown
    assert re.search(r"handled .* UTC , Olive Officer", shown)


def test_a_whole_conversation_is_marked_up_to_what_was_seen(
    sign_in: SignIn, page: Fetch, session: Session, answered: Reply
) -> None:
    client = sign_in(Role.OFFICER)
    assert page(client, f"/replies/{answered.id}").text.count("Mark all as handled") == 1
    later = make_reply(session, PHONE, "One more thing", received_at=now() + timedelta(seconds=1))
    session.commit()
    answer = submit(client, f"/replies/{answered.id}/all-handled")
    assert answer.location == "/replies"
    session.expire_all()
    assert answered.handled_at is not None
    assert later.handled_at is None, "it came while they were reading"
    assert "1 reply is marked as handled" in page(client, "/replies").text


# Mails.

MAILBOX = "layla@example.org"


def mailed(session: Session, person: Person, subject: str, body: str, **columns: object) -> None:
    """A mail of ours to a mailbox of the person's."""
    contact = make_contact(session, person, value=MAILBOX, kind=ContactKind.EMAIL)
    content = json.dumps({"subject": subject, "text": body})
    message = make_message(session, make_campaign(session), contact, person, text=content, channel=Channel.EMAIL, **columns)
    session.execute(sa.update(Attempt).where(Attempt.message_id == message.id).values(channel=Channel.EMAIL))


def test_a_mailbox_is_a_conversation_with_what_was_mailed_and_what_is_held_back(
    sign_in: SignIn, page: Fetch, session: Session, layla: Person
) -> None:
    mailed(session, layla, "An important message", "Call us, please.", started_at=now() - timedelta(hours=1))
    reply = make_reply(session, MAILBOX, "Here is my letter", layla)
    for media_type in ("image/png", "application/pdf"):
        held = ReplyAttachment(id=new_id(), reply_id=reply.id, media_type=media_type, size=3, name_sealed=b"secret.png")
        session.add(held)
    session.commit()
    client = sign_in(Role.OFFICER)
    listed = page(client, "/replies")
    assert "Mailbox l•••@example.org" in listed.text
    assert MAILBOX not in listed.html
    shown = page(client, f"/replies/{reply.id}")
    for part in ("An important message", "Call us, please.", "Here is my letter", "SAMPLE, Layla", "Who uses this mailbox"):
        assert part in shown.text
    assert "2 attachments are held back : application/pdf, image/png" in shown.text.replace("held back:", "held back :")
    assert "secret.png" not in shown.html
    assert MAILBOX not in shown.html
    assert MAILBOX in page(client, f"/replies/{reply.id}/show", post={"reason": "contact"}).text


def test_an_answer_by_machine_waits_for_nobody(sign_in: SignIn, page: Fetch, session: Session, layla: Person) -> None:
    mailed(session, layla, "Subject", "Text")
    reply = make_reply(session, MAILBOX, "I am away", layla, kind=ReplyKind.AUTO_REPLY, needs_human=False)
    session.commit()
    client = sign_in(Role.OFFICER)
    assert "No conversation fits" in page(client, "/replies?show=waiting").text
    assert "Answered by a machine" in page(client, "/replies?show=all").text
    shown = page(client, f"/replies/{reply.id}")
    assert "I am away" in shown.text
    assert "Everything is handled" in shown.text
    assert "Mark as handled" not in shown.text


def test_an_attorneys_answer_names_the_attorney_and_shows_no_client(
    sign_in: SignIn, page: Fetch, session: Session, layla: Person
) -> None:
    attorney = make_attorney(session, name="Sample Counsel", email=MAILBOX)
    reply = make_reply(session, MAILBOX, "I no longer represent them", attorney_id=attorney.id, binding=Binding.ATTORNEY)
    session.commit()
    client = sign_in(Role.OFFICER)
    assert "an attorney" in page(client, "/replies").text
    shown = page(client, f"/replies/{reply.id}")
    assert "Sample Counsel attorney" in shown.text
    assert f"/attorneys/{attorney.id}" in shown.links()
    assert "from an attorney's office" in unescape(shown.text)
    (entry,) = entries(session, "attorney.list")
    assert entry.detail["ids"] == [str(attorney.id)]


def test_what_an_attorney_answers_about_a_protected_client_is_for_supervisors(
    sign_in: SignIn, page: Fetch, session: Session
) -> None:
    attorney = make_attorney(session, email=MAILBOX)
    contact = session.get_one(ContactPoint, attorney.email_point_id)
    hidden = make_person(session, protected=True)
    message = make_message(
        session, make_campaign(session), contact, hidden, channel=Channel.ATTORNEY_EMAIL, attorney_id=attorney.id, attempts=0
    )
    reply = make_reply(
        session, MAILBOX, "About my client", attorney_id=attorney.id, message_id=message.id, binding=Binding.ATTORNEY
    )
    session.commit()
    page(sign_in(Role.OFFICER), f"/replies/{reply.id}", status=403)
    assert "About my client" in page(sign_in(Role.SUPERVISOR), f"/replies/{reply.id}").text

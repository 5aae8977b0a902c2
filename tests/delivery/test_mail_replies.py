"""What comes back by e-mail: whose it is taken for, and what is believed of a sender that can be made up."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach.access.sealing import key_for
from outreach.campaigns.outcome import OutcomeState
from outreach.delivery.mail_reply import receive_mail
from outreach.delivery.message import Attempt, MessageState
from outreach.delivery.reply import Binding, Received, Reply, ReplyAttachment
from outreach.delivery.words import ReplyKind
from outreach.notices.channel import Channel
from outreach.people.contact import ContactKind, ContactPoint, ContactRole
from outreach.people.person import Person
from outreach.providers.contract import Attachment, InboundMail
from tests.factories import make_attorney, make_campaign, make_contact, make_message, make_outcome, make_person

ANA, ELSEWHERE = "ana@example.org", "somebody@example.net"


class Mailed:
    """Ana, who was sent a mail, and what comes back."""

    def __init__(self, session: Session, *, role: ContactRole = ContactRole.OWN, people: int = 1) -> None:
        self.session = session
        self.people: list[Person] = [make_person(session) for _ in range(people)]
        self.contact: ContactPoint = make_contact(session, *self.people, value=ANA, kind=ContactKind.EMAIL, role=role)
        campaign = make_campaign(session)
        for person in self.people:
            make_outcome(session, campaign, person, OutcomeState.REACHED)
        message = make_message(session, campaign, self.contact, *self.people, channel=Channel.EMAIL)
        self.token: UUID = session.scalars(sa.select(Attempt.id).where(Attempt.message_id == message.id)).one()
        session.execute(sa.update(Attempt).values(channel=Channel.EMAIL))
        waiting = make_message(
            session, make_campaign(session), self.contact, *self.people, channel=Channel.EMAIL, state=MessageState.READY, attempts=0
        )
        self.waiting: UUID = waiting.id

    def write(self, body: str, *, sender: str = ANA, signed: bool = True, **facts: object) -> Received:
        mail = InboundMail(uuid4().hex, self.token if signed else None, sender, body, automatic=False)
        return receive_mail(self.session, "sendgrid", replace(mail, **facts))  # type: ignore[arg-type]  # as each test gives them

    def state(self) -> str:
        self.session.expire_all()
        return self.contact.state

    def outcome(self) -> str:
        return str(self.session.scalar(sa.text("select state from outcome order by state desc limit 1")))

    def last(self) -> Reply:
        self.session.expire_all()
        return self.session.scalars(sa.select(Reply).order_by(Reply.received_at.desc())).first() or pytest.fail("no reply")


@pytest.fixture
def mailed(session: Session) -> Mailed:
    return Mailed(session)


@pytest.mark.parametrize("sender", [ANA, "Ana@Example.ORG"])
def test_one_with_our_address_and_from_the_mailbox_means_told(mailed: Mailed, sender: str) -> None:
    assert mailed.write("1", sender=sender).kind == ReplyKind.ACKNOWLEDGE
    assert mailed.outcome() == "told"
    found = mailed.last()
    assert (found.binding, found.needs_human, found.person_id) == (Binding.ONLY_PERSON, False, mailed.people[0].id)


@pytest.mark.parametrize(
    ("sender", "signed"), [(ANA, False), (ELSEWHERE, True)], ids=["a sender that was made up", "our address, from elsewhere"]
)
@pytest.mark.parametrize("body", ["1", "START"])
def test_what_is_half_proven_tells_nobody_and_is_for_staff(mailed: Mailed, sender: str, signed: bool, body: str) -> None:
    mailed.contact.state = "opted_out" if body == "START" else "usable"
    before = mailed.contact.state
    mailed.write(body, sender=sender, signed=signed)
    assert (mailed.outcome(), mailed.state()) == ("reached", before)
    found = mailed.last()
    assert (found.binding, found.needs_human, found.person_id) == (Binding.UNPROVEN, True, mailed.people[0].id)


def test_a_wrong_person_is_believed_only_with_our_address(mailed: Mailed) -> None:
    mailed.write("9", signed=False)
    assert mailed.state() == "usable"
    mailed.write("9", sender=ELSEWHERE)
    assert mailed.state() == "quarantined"
    assert mailed.session.scalar(sa.text("select reason from message where state = 'cancelled'")) == "wrong_number"


@pytest.mark.parametrize(("sender", "signed"), [(ANA, True), (ANA, False), (ELSEWHERE, True)])
def test_stop_is_obeyed_whoever_says_it_and_what_waits_is_cancelled(mailed: Mailed, sender: str, signed: bool) -> None:
    mailed.write("STOP", sender=sender, signed=signed)
    assert mailed.state() == "opted_out"
    assert mailed.session.scalar(sa.text("select state from message where id = :id"), {"id": mailed.waiting}) == "cancelled"
    assert mailed.last().needs_human is not (signed and sender == ANA)
    mailed.write("START")
    assert mailed.state() == "usable"


def test_a_stranger_is_a_stranger_whatever_they_say(mailed: Mailed) -> None:
    for body in ("STOP", "1", "9"):
        mailed.write(body, sender=ELSEWHERE, signed=False)
        found = mailed.last()
        assert (found.binding, found.needs_human, found.contact_point_id) == (Binding.STRANGER, True, None)
    assert (mailed.state(), mailed.outcome()) == ("usable", "reached")


def test_a_token_that_names_no_mail_of_ours_is_none(mailed: Mailed) -> None:
    mailed.write("1", token=uuid4())
    assert mailed.last().binding == Binding.UNPROVEN
    assert mailed.outcome() == "reached"


@pytest.mark.parametrize(
    ("body", "kind", "outcome", "needs_human"),
    [
        ("1", ReplyKind.ACKNOWLEDGE, "told", False),
        ("\n 1. \n", ReplyKind.ACKNOWLEDGE, "told", False),
        ("1\n\nAna Sample", ReplyKind.ACKNOWLEDGE, "told", True),
        ("Recibido\n\nnúmero equivocado", ReplyKind.TEXT, "reached", True),
        ("1\nSTOP", ReplyKind.STOP, "reached", True),
        ("1. Who are you?\n2. Why?", ReplyKind.TEXT, "reached", True),
        ("Dear sirs,\n\nI got your mail.", ReplyKind.TEXT, "reached", True),
        ("2", ReplyKind.CALL_ME, "reached", True),
        ("HELP", ReplyKind.HELP, "reached", True),
        ("", ReplyKind.TEXT, "reached", True),
    ],
)
def test_a_mail_is_read_by_its_first_line_and_the_rest_is_for_a_person(
    mailed: Mailed, body: str, kind: ReplyKind, outcome: str, needs_human: bool
) -> None:
    assert mailed.write(body) == Received(True, mailed.last().id, kind, None), "and never answered"
    assert mailed.outcome() == outcome
    assert mailed.last().needs_human is needs_human


@pytest.mark.parametrize("role", [ContactRole.FAMILY, ContactRole.SHELTER, ContactRole.OTHER])
def test_one_from_somebody_elses_mailbox_tells_nobody(session: Session, role: ContactRole) -> None:
    mailed = Mailed(session, role=role)
    mailed.write("1")
    assert mailed.outcome() == "reached"
    assert mailed.last().needs_human


def test_of_a_shared_mailbox_staff_say_whose_it_is(session: Session) -> None:
    mailed = Mailed(session, people=2)
    mailed.write("1")
    assert mailed.outcome() == "reached"
    assert (mailed.last().binding, mailed.last().person_id) == (Binding.SHARED, None)


@pytest.mark.parametrize("body", ["1", "STOP", "9"])
def test_what_a_machine_wrote_is_kept_and_means_nothing(mailed: Mailed, body: str) -> None:
    assert mailed.write(body, automatic=True).kind == ReplyKind.AUTO_REPLY
    assert (mailed.state(), mailed.outcome(), mailed.last().needs_human) == ("usable", "reached", False)


def test_the_same_mail_handed_over_twice_is_obeyed_once(mailed: Mailed) -> None:
    mailed.write("STOP", provider_id="the same")
    mailed.write("START")
    assert mailed.write("STOP", provider_id="the same") == Received(False, None, None, None)
    assert mailed.state() == "usable"


def test_one_tells_of_its_own_campaign_only(mailed: Mailed) -> None:
    other = make_campaign(mailed.session)
    make_outcome(mailed.session, other, mailed.people[0], OutcomeState.REACHED)
    make_message(mailed.session, other, mailed.contact, mailed.people[0], channel=Channel.EMAIL)
    mailed.write("1")
    states = mailed.session.scalars(sa.text("select state from outcome order by state")).all()
    assert states == ["reached", "told"]


def test_attachments_are_kept_sealed_and_one_that_was_too_large_by_its_name(mailed: Mailed) -> None:
    files = (Attachment("letter.png", "image/png", b"\x89PNG"), Attachment("film.mp4", "video/mp4", b""))
    received = mailed.write("See here", attachments=files)
    assert received.reply_id is not None
    key = key_for(mailed.session, received.reply_id)
    kept, lost = mailed.session.scalars(sa.select(ReplyAttachment).order_by(ReplyAttachment.size.desc())).all()
    assert (kept.media_type, kept.size) == ("image/png", 4)
    assert key.open("reply_attachment.name", kept.id, kept.name_sealed) == "letter.png"
    assert key.open_bytes("reply_attachment.content", kept.id, kept.content_sealed or b"") == b"\x89PNG"
    assert key.open("reply_attachment.name", lost.id, lost.name_sealed) == "film.mp4"
    assert lost.content_sealed is None


def test_a_mail_that_claims_to_be_an_attorneys_is_shown_as_theirs_and_read_by_a_person(session: Session) -> None:
    attorney = make_attorney(session, email="counsel@example.com")
    mail = InboundMail("one", None, "counsel@example.com", "1", automatic=False)
    receive_mail(session, "sendgrid", mail)
    found = session.scalars(sa.select(Reply)).one()
    assert (found.attorney_id, found.person_id, found.binding, found.needs_human) == (attorney.id, None, Binding.ATTORNEY, True)

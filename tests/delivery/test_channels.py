"""Who is told by which way: decided by custody, contact points and representation, at planning and again when a message leaves."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach import jobs
from outreach.access.accounts import Account, Role
from outreach.access.sealing import create_key, key_for, vault_of
from outreach.campaigns import audience, campaign, rules
from outreach.campaigns import counsel as counsel_track
from outreach.campaigns.campaign import Campaign, Step
from outreach.campaigns.outcome import OutcomeState
from outreach.campaigns.rules import NotAllowedRule, Rule
from outreach.db import new_id, now
from outreach.delivery import events, plan
from outreach.delivery.claim import Rules, claim
from outreach.delivery.mails import MailRules, mails
from outreach.delivery.paper import ClaimedLetter, PaperRules, claim_letters
from outreach.delivery.projection import project
from outreach.delivery.record import Limits, Result, record
from outreach.delivery.sweep import cancel_told
from outreach.notices import notice
from outreach.notices.channel import Channel
from outreach.notices.letters import vendors
from outreach.people.attorney import Attorney, Representation
from outreach.people.contact import AddressGrade, ContactKind, ContactPoint, ContactRole, PersonContact, Safety
from outreach.people.custody import Custody
from outreach.people.incident import Incident
from outreach.people.person import Person
from outreach.providers.contract import Mail, Receipt, Refusal, Report, Verdict
from outreach.providers.postgrid import PostGridLetters
from tests.delivery.conftest import HOUSE, LEASE
from tests.factories import (
    make_account,
    make_campaign,
    make_contact,
    make_custody_event,
    make_facility,
    make_incident,
    make_person,
    make_rendition,
)
from tests.stage import ANY_HOUR, phone

ADDRESS = "12 Sample Street\nSpringfield, IL 62701"
PAPER = PaperRules(vendors.load("generic_10"), ("Letter Line", "PO Box 5550", "Springfield, IL 62701"), "Office of Notices", True)
LETTER = "# A sample letter\n\nDear ((name)),\n\nyour code is ((code)), your reference ((reference))."
TO_COUNSEL = "# A sample letter\n\nDear ((name)),\n\nabout your clients:\n\n((clients))\n\nReference ((reference))."


@dataclass
class Office:
    """A campaign about people of one incident, with approved texts for every channel, and what a test does with it."""

    session: Session
    incident: Incident
    notice_id: UUID
    by: Account
    campaign: Campaign | None = None
    facilities: dict[str, UUID] = field(default_factory=dict)

    def person(self, custody: Custody = Custody.RELEASED, facility: str | None = None, **columns: Any) -> Person:
        person = make_person(self.session, incident=self.incident, custody=Custody.UNKNOWN, **columns)
        self.moved(person, custody, facility, as_of=date(2022, 12, 2))
        return person

    def moved(self, person: Person, custody: Custody, facility: str | None = None, *, as_of: date | None = None) -> None:
        if facility and facility not in self.facilities:
            self.facilities[facility] = make_facility(self.session, name=facility).id
        make_custody_event(
            self.session, person, state=custody, facility_id=self.facilities.get(facility or ""), as_of=as_of or date(2023, 1, 1),
            recorded_at=now() - timedelta(days=1) if as_of else now(),
        )  # fmt: skip
        self.session.refresh(person)

    def phone(self, person: Person, number: int, **options: object) -> ContactPoint:
        return make_contact(self.session, person, value=phone(number), **options)  # type: ignore[arg-type]  # passed on

    def email(self, *people: Person, value: str | None = None, **options: object) -> ContactPoint:
        value = value or f"sample{new_id().hex[-8:]}@example.org"
        return make_contact(self.session, *people, value=value, kind=ContactKind.EMAIL, **options)  # type: ignore[arg-type]

    def address(self, person: Person, grade: AddressGrade = AddressGrade.GOOD, **options: object) -> ContactPoint:
        return make_contact(self.session, person, value=ADDRESS, kind=ContactKind.POST, grade=grade, **options)  # type: ignore[arg-type]

    def attorney(self, name: str = "Sample COUNSEL", *, email: bool = True, post: bool = True) -> Attorney:
        attorney_id = new_id()
        sealed = create_key(self.session, attorney_id).seal("attorney.name", attorney_id, name)
        attorney = Attorney(id=attorney_id, name_sealed=sealed)
        if email:
            attorney.email_point_id = self.email(value=f"counsel{attorney_id.hex[-8:]}@example.com").id
        if post:
            attorney.post_point_id = make_contact(
                self.session, value="1 Court Square\nSpringfield, IL 62701", kind=ContactKind.POST, grade=AddressGrade.GOOD
            ).id
        self.session.add(attorney)
        self.session.flush()
        return attorney

    def represented(self, person: Person, attorney: Attorney, *, verified: bool = True) -> Representation:
        found = Representation(
            person_id=person.id, attorney_id=attorney.id, form="g28", source="staff", entered_by=self.by.id,
            verified_by=make_account(self.session, Role.APPROVER).id if verified else None, verified_at=now() if verified else None,
        )  # fmt: skip
        self.session.add(found)
        self.session.flush()
        return found

    def end(self, representation: Representation) -> None:
        representation.ended_on, representation.ended_at, representation.ended_as = date(2023, 1, 1), now(), "withdrawn"
        self.session.flush()

    def launch(self, *ladder: Channel | tuple[Channel, int]) -> None:
        self.campaign = make_campaign(
            self.session,
            notice_id=self.notice_id,
            audience={"incidents": [str(self.incident.id)]},
            launched_at=now() - timedelta(minutes=1),
            **ANY_HOUR,
        )
        for position, rung in enumerate(ladder, 1):
            channel, wait = rung if isinstance(rung, tuple) else (rung, 0)
            self.session.add(Step(id=new_id(), campaign_id=self.campaign.id, position=position, channel=channel, wait_hours=wait))
        self.session.flush()
        self.plan()

    def plan(self) -> None:
        while steps := plan.due_steps(self.session):
            plan.plan(self.session, steps[0])

    def standing(self, person: Person) -> str:
        row = self.session.execute(sa.text("select state, reason from outcome where person_id = :id"), {"id": person.id}).one()
        return row.state if row.reason is None else f"{row.state}:{row.reason}"

    def counsel(self, person: Person) -> list[str]:
        rows = self.session.execute(
            sa.text("select state, reason from counsel_outcome where person_id = :id order by state, reason"), {"id": person.id}
        )
        return [row.state if row.reason is None else f"{row.state}:{row.reason}" for row in rows]

    def messages(self, person: Person | None = None) -> list[str]:
        """The channels of the messages (about the person), with their state."""
        about = "where exists (select 1 from message_person mp where mp.message_id = m.id and mp.person_id = :id)" if person else ""
        rows = self.session.execute(
            sa.text(f"select channel, state from message m {about} order by channel, state"), {"id": person.id if person else None}
        )
        return [f"{row.channel}:{row.state}" for row in rows]

    def claim_texts(self) -> int:
        return len(claim(self.session, Channel.SMS, 100, Rules(HOUSE, LEASE, "twilio")).claimed)

    def claim_mails(self, channel: Channel = Channel.EMAIL) -> list[Mail]:
        composer = mails(MailRules("https://outreach.example.org", "reply.example.org"))
        batch = claim(self.session, channel, 100, Rules(HOUSE, LEASE, "sendgrid", composer))
        return [one.envelope for one in batch.claimed if isinstance(one.envelope, Mail)]

    def claim_letters(self, channel: Channel = Channel.LETTER) -> list[ClaimedLetter]:
        return claim_letters(self.session, channel, 500, Rules(HOUSE, LEASE, "print_room"), PAPER)[0]


TEXTS = {
    Channel.SMS: (None, "((program)): ((phone))"),
    Channel.EMAIL: ("A letter for you", "There is a letter for you. Call ((phone))."),
    Channel.LETTER: (None, LETTER),
    Channel.ATTORNEY_EMAIL: ("A letter for you", "There is a letter for you about ((count)) of your files. Call ((phone))."),
    Channel.ATTORNEY_LETTER: (None, TO_COUNSEL),
}


@pytest.fixture
def office(session: Session) -> Office:
    incident, by = make_incident(session), make_account(session)
    said = notice.create(session, title="Sample notice", by=by)
    for channel, (subject, text) in TEXTS.items():
        for language in ("en",) if channel.to_attorney else ("es", "en"):
            make_rendition(session, said, language, channel=channel, subject=subject, text=text)
    return Office(session, incident, said.id, by)


def everybody() -> Sequence[Channel]:
    return list(Channel)


def test_a_released_person_is_told_by_every_way_that_leads_to_them(office: Office) -> None:
    ana = office.person()
    office.phone(ana, 1), office.email(ana), office.address(ana)
    office.launch(*everybody())
    assert office.messages(ana) == ["email:ready", "letter:ready", "sms:ready"]
    assert office.standing(ana) == "planned"


def test_in_custody_the_letter_goes_to_the_facility_by_hand_and_by_post_and_no_phone_rings(office: Office) -> None:
    ana = office.person(Custody.DETAINED, "Sample Center")
    office.phone(ana, 1, safety=Safety.YES), office.email(ana, safety=Safety.YES), office.address(ana, safety=Safety.YES)
    office.launch(*everybody())
    assert (office.standing(ana), office.messages(ana)) == ("planned", ["hand:ready", "letter:ready"])
    (letter,) = office.claim_letters()
    assert letter.content.recipient[1] == "Sample Center"
    assert letter.content.marking[0] == "LEGAL MAIL"
    assert letter.facility_id == ana.facility_id


@pytest.mark.parametrize("custody", [Custody.REMOVED, Custody.DEPARTED])
def test_nothing_goes_abroad_before_a_safety_review_has_signed_the_contact_point_off(office: Office, custody: Custody) -> None:
    ana, bo = office.person(custody), office.person(custody)
    for person, number in ((ana, 1), (bo, 2)):
        office.phone(person, number, safety=Safety.YES)
    link = office.session.scalars(sa.select(PersonContact).where(PersonContact.person_id == bo.id)).one()
    link.reviewed_by, link.reviewed_at = office.by.id, now()
    office.launch(*everybody())
    assert (office.standing(ana), office.messages(ana)) == ("exhausted:removed", [])
    assert office.messages(bo) == ["sms:ready"]


@pytest.mark.parametrize("custody", [Custody.IN_TRANSIT, Custody.OTHER_AGENCY, Custody.UNKNOWN])
def test_whom_no_letter_can_find_is_told_through_counsel_or_listed(office: Office, custody: Custody) -> None:
    ana, bo = office.person(custody), office.person(custody)
    office.represented(ana, office.attorney())
    for person in (ana, bo):
        office.address(person, safety=Safety.YES)
    office.launch(*everybody())
    assert office.messages(ana) == ["attorney_email:ready", "attorney_letter:ready"]
    assert office.messages(bo) == []
    assert office.standing(bo).startswith("excluded:")


def test_the_dead_are_nobodys_addressee(office: Office) -> None:
    ana = office.person(Custody.DECEASED)
    office.represented(ana, office.attorney())
    office.address(ana)
    office.launch(*everybody())
    assert (office.standing(ana), office.messages(ana)) == ("excluded:deceased", [])


@pytest.mark.parametrize("grade", [grade for grade in AddressGrade if not grade.mailable])
def test_an_address_graded_bad_is_never_mailed_to(office: Office, grade: AddressGrade) -> None:
    ana = office.person()
    office.address(ana, grade, safety=Safety.YES)
    office.launch(Channel.LETTER)
    assert (office.standing(ana), office.messages(ana)) == ("exhausted:bad_address", [])


def test_family_gets_no_letter_and_nothing_at_all_without_a_written_consent(office: Office) -> None:
    ana, bo = office.person(), office.person()
    for person in (ana, bo):
        office.address(person, role=ContactRole.FAMILY, safety=Safety.YES)
    office.phone(ana, 1, role=ContactRole.FAMILY, safety=Safety.YES)
    refused = office.phone(bo, 2, role=ContactRole.FAMILY, safety=Safety.YES)
    office.session.execute(sa.update(PersonContact).where(PersonContact.contact_point_id == refused.id).values(consent_on=None))
    office.launch(Channel.SMS, Channel.LETTER)
    assert office.messages(ana) == ["sms:ready"]
    assert office.messages(bo) == []
    assert office.standing(bo) == "exhausted:needs_consent"


def test_a_protected_person_is_written_to_at_the_safe_address_whatever_else_is_on_file(office: Office) -> None:
    ana, bo = office.person(protected=True), office.person(protected=True)
    office.address(ana), office.address(bo)
    safe = office.address(ana, role=ContactRole.OTHER, safety=Safety.YES)
    office.launch(Channel.LETTER)
    assert office.session.scalar(sa.text("select contact_point_id from message")) == safe.id
    assert office.standing(bo) == "exhausted:protected"


def test_the_safe_address_of_a_protected_person_overrides_the_facilitys_too(office: Office) -> None:
    ana, bo = (office.person(Custody.DETAINED, "Sample Center", protected=True) for _ in range(2))
    safe = office.address(ana, role=ContactRole.OTHER, safety=Safety.YES)
    office.launch(Channel.LETTER)
    letters = {letter.person_id: letter for letter in office.claim_letters()}
    assert letters[ana.id].facility_id is None
    assert letters[ana.id].content.marking == ()
    assert letters[bo.id].content.recipient[1] == "Sample Center"
    found = office.session.scalars(sa.text("select contact_point_id from message where person_id = :id"), {"id": ana.id}).all()
    assert found == [safe.id]


@pytest.mark.parametrize("channel", [Channel.LETTER, Channel.HAND])
@pytest.mark.parametrize(
    ("custody", "facility", "reason"),
    [
        (Custody.DETAINED, "Other Center", "moved"),
        (Custody.RELEASED, None, "moved"),
        (Custody.REMOVED, None, "moved"),
        (Custody.IN_TRANSIT, None, "in_custody"),
        (Custody.DECEASED, None, "deceased"),
    ],
)
def test_who_moved_since_planning_gets_no_letter_where_they_were(
    office: Office, channel: Channel, custody: Custody, facility: str | None, reason: str
) -> None:
    ana = office.person(Custody.DETAINED, "Sample Center")
    office.launch(channel)
    office.moved(ana, custody, facility)
    assert office.claim_letters(channel) == []
    assert office.messages(ana) == [f"{channel}:cancelled"]
    if channel is Channel.HAND and custody in (Custody.RELEASED, Custody.REMOVED):
        reason = "not_planned" if custody is Custody.RELEASED else "removed"
    assert office.standing(ana) == f"exhausted:{reason}"


@pytest.mark.parametrize("noticed", ["at planning", "at the claim"])
def test_who_is_transferred_in_mid_campaign_gets_a_letter_at_the_new_place(office: Office, noticed: str) -> None:
    ana = office.person(Custody.DETAINED, "Sample Center")
    office.launch(Channel.HAND, Channel.LETTER)
    office.moved(ana, Custody.DETAINED, "Other Center")
    if noticed == "at planning":
        # A sweep comes by while the old letter still seems right; only its claim finds out.
        plan.revisit(office.session)
    assert office.claim_letters(Channel.HAND) == []
    office.session.execute(sa.text("update message set updated_at = clock_timestamp() where state = 'cancelled'"))
    assert plan.revisit(office.session) == 1
    assert office.messages(ana) == ["hand:cancelled", "hand:ready", "letter:ready"]
    assert office.standing(ana) == "planned"
    (letter,) = office.claim_letters(Channel.HAND)
    assert letter.content.recipient[1] == "Other Center"
    assert plan.revisit(office.session) == 0


def test_who_is_released_in_mid_campaign_gets_what_the_released_get(office: Office) -> None:
    ana = office.person(Custody.DETAINED, "Sample Center")
    office.phone(ana, 1)
    office.launch(Channel.SMS, Channel.HAND)
    office.moved(ana, Custody.RELEASED)
    assert plan.revisit(office.session) == 1
    assert "sms:ready" in office.messages(ana)
    assert office.claim_texts() == 1


def test_planning_again_about_who_moved_never_doubles_a_message(office: Office) -> None:
    ana = office.person()
    office.phone(ana, 1)
    office.launch(Channel.SMS)
    office.moved(ana, Custody.RELEASED, as_of=None)
    for _ in range(3):
        plan.revisit(office.session)
    assert office.messages(ana) == ["sms:ready"]


def test_fifty_clients_of_one_attorney_are_one_mail_and_one_letter_and_none_is_named_in_the_mail(office: Office) -> None:
    counsel = office.attorney()
    clients = [office.person(name=f"Client NUMBER{n}") for n in range(50)]
    for client in clients:
        office.represented(client, counsel)
    office.launch(Channel.ATTORNEY_EMAIL, Channel.ATTORNEY_LETTER)
    assert office.messages() == ["attorney_email:ready", "attorney_letter:ready"]
    (mail,) = office.claim_mails(Channel.ATTORNEY_EMAIL)
    assert "50" in mail.text
    assert "NUMBER" not in mail.text + mail.html + mail.subject
    (letter,) = office.claim_letters(Channel.ATTORNEY_LETTER)
    named = {line for text in letter.content.texts for block in text.blocks for line in block.lines}
    assert {f"Client NUMBER{n}" for n in range(50)} <= named
    assert letter.person_id is None


def test_the_client_of_two_attorneys_is_told_of_by_both(office: Office) -> None:
    ana = office.person()
    for name in ("Sample ONE", "Sample TWO"):
        office.represented(ana, office.attorney(name))
    office.launch(Channel.ATTORNEY_EMAIL)
    assert len(office.claim_mails(Channel.ATTORNEY_EMAIL)) == 2
    assert office.counsel(ana) == ["planned", "planned"]


def test_an_attorney_who_leaves_in_mid_campaign_is_told_about_those_who_stay_only(office: Office) -> None:
    counsel = office.attorney()
    stays, leaves = office.person(name="Who STAYS"), office.person(name="Who LEAVES")
    office.represented(stays, counsel)
    ending = office.represented(leaves, counsel)
    office.launch(Channel.ATTORNEY_LETTER)
    office.end(ending)
    (letter,) = office.claim_letters(Channel.ATTORNEY_LETTER)
    text = str(letter.content.texts)
    assert "Who STAYS" in text
    assert "Who LEAVES" not in text
    assert office.counsel(leaves) == ["exhausted:representation_ended"]


def test_an_attorney_who_left_all_their_clients_hears_nothing(office: Office) -> None:
    ana = office.person()
    ending = office.represented(ana, office.attorney())
    office.launch(Channel.ATTORNEY_EMAIL)
    office.end(ending)
    assert office.claim_mails(Channel.ATTORNEY_EMAIL) == []
    assert office.messages(ana) == ["attorney_email:cancelled"]
    assert office.counsel(ana) == ["exhausted:representation_ended"]


def test_an_appearance_that_nobody_has_verified_tells_nobody(office: Office) -> None:
    ana = office.person()
    office.represented(ana, office.attorney(), verified=False)
    office.launch(Channel.ATTORNEY_EMAIL)
    assert office.messages(ana) == []
    assert office.session.scalar(sa.text("select counsel from outcome")) == "none"


def test_whom_no_attorneys_step_is_for_is_planned_only_while_one_is_to_come(office: Office) -> None:
    ana = office.person(Custody.DECEASED)
    office.represented(ana, office.attorney())
    office.launch(Channel.ATTORNEY_EMAIL, (Channel.ATTORNEY_LETTER, 24))
    assert counsel_track.standing(office.session) == {"planned": 1}
    office.session.execute(sa.update(Step).values(planned_at=now()))
    assert counsel_track.standing(office.session) == {"excluded": 1}


def test_the_two_tracks_stand_beside_each_other(office: Office) -> None:
    ana, bo = office.person(), office.person()
    office.phone(ana, 1)
    office.represented(ana, office.attorney())
    office.represented(bo, office.attorney(email=False))
    office.launch(Channel.SMS, Channel.ATTORNEY_EMAIL)
    assert (office.standing(ana), office.counsel(ana)) == ("planned", ["planned"])
    assert (office.standing(bo), office.counsel(bo)) == ("exhausted:no_contact", ["exhausted:attorney_unreachable"])
    office.session.execute(sa.text("update counsel_outcome set state = 'told' where state = 'planned'"))
    assert cancel_told(office.session) == 1
    assert office.messages(ana) == ["attorney_email:cancelled", "sms:ready"]


@pytest.mark.parametrize("channel", [Channel.LETTER, Channel.HAND])
def test_who_is_back_where_they_were_gets_the_letter_that_was_cancelled(office: Office, channel: Channel) -> None:
    ana = office.person(Custody.DETAINED, "Sample Center")
    office.launch(channel)
    office.moved(ana, Custody.IN_TRANSIT)
    assert office.claim_letters(channel) == []
    assert office.standing(ana) == "exhausted:in_custody"
    office.moved(ana, Custody.DETAINED, "Sample Center")
    assert plan.revisit(office.session) == 1
    assert (office.standing(ana), office.messages(ana)) == ("planned", [f"{channel}:ready"])
    assert len(office.claim_letters(channel)) == 1
    assert plan.revisit(office.session) == 0


@pytest.mark.parametrize("said", ["at once", "in a report"])
def test_one_letter_that_a_mail_house_cannot_post_does_not_close_the_facility_for_the_others(office: Office, said: str) -> None:
    office.person(Custody.DETAINED, "Sample Center"), office.person(Custody.DETAINED, "Sample Center")
    home = office.address(office.person())
    office.launch(Channel.LETTER)
    limits = Limits(attempts=3, retry_seconds=60, filtered=5)
    letters = claim_letters(office.session, Channel.LETTER, 500, Rules(HOUSE, LEASE, PostGridLetters.name), PAPER)[0]
    refused = next(one for one in letters if one.facility_id), next(one for one in letters if one.facility_id is None)
    for one in refused:
        if said == "at once":
            receipt = Receipt(one.token, Verdict.REFUSED, code="invalid_address_error", refusal=Refusal.BAD_ADDRESS)
            record(office.session, [Result(one.message_id, receipt)], limits, PostGridLetters.name)
        else:
            report = Report(f"key {one.token}", one.token, f"letter_{one.token.hex}", "cancelled", "failed", "undeliverable")
            events.keep(office.session, PostGridLetters.name, report)
            events.apply(office.session, size=10, meaning=jobs.meaning, limits=lambda _: limits, filtered=5)
    rows = office.session.execute(sa.text("select id, state from contact_point where kind = 'post'"))
    states = {row.id: row.state for row in rows}
    assert states.pop(home.id) == "bad"
    assert set(states.values()) == {"usable"}


def test_what_was_cancelled_after_somebody_had_moved_is_not_taken_up_again(office: Office) -> None:
    ana = office.person()
    office.phone(ana, 1)
    office.launch(Channel.SMS)
    office.moved(ana, Custody.RELEASED)
    later = now() + timedelta(hours=1)
    office.session.execute(sa.text("update message set state = 'cancelled', reason = 'opted_out', updated_at = :at"), {"at": later})
    office.session.execute(sa.text("update outcome set state = 'exhausted', reason = 'opted_out'"))
    assert plan.revisit(office.session) == 0
    assert (office.standing(ana), office.messages(ana)) == ("exhausted:opted_out", ["sms:cancelled"])


def test_who_comes_to_a_phone_that_was_texted_already_is_listed_and_not_called_planned(office: Office) -> None:
    ana, bo = office.person(), office.person(Custody.DETAINED, "Sample Center")
    office.session.add(PersonContact(person_id=bo.id, contact_point_id=office.phone(ana, 1).id, role=ContactRole.OWN))
    office.launch(Channel.SMS)
    assert office.claim_texts() == 1
    office.moved(bo, Custody.RELEASED)
    assert plan.revisit(office.session) == 0
    assert office.messages(bo) == []
    assert office.standing(bo) == "exhausted:not_planned"


def test_a_claim_that_ended_while_others_were_decided_about_again_is_not_overlooked(office: Office) -> None:
    ana = office.person(Custody.DETAINED, "Sample Center")
    office.launch(Channel.HAND)
    office.moved(ana, Custody.DETAINED, "Other Center")
    assert office.claim_letters(Channel.HAND) == []
    # The claim began before the others' turn and was committed after it.
    cancelled, revisited = now() + timedelta(minutes=5), now() + timedelta(minutes=12)
    office.session.execute(sa.text("update message set updated_at = :at where state = 'cancelled'"), {"at": cancelled})
    office.session.execute(sa.update(Step).values(revisited_at=revisited))
    assert plan.revisit(office.session) == 1


@pytest.mark.parametrize("state", ["failed", "returned"])
def test_an_attorneys_message_that_failed_is_not_called_planned_because_somebody_else_moved(office: Office, state: str) -> None:
    ana, bo = office.person(), office.person()
    office.represented(ana, office.attorney())
    office.launch(Channel.ATTORNEY_EMAIL)
    assert len(office.claim_mails(Channel.ATTORNEY_EMAIL)) == 1
    office.session.execute(sa.text("update message set state = :state, reason = 'refused'"), {"state": state})
    project(office.session, list(office.session.scalars(sa.text("select id from message"))))
    office.moved(bo, Custody.RELIEF)
    assert plan.revisit(office.session) == 0
    assert office.counsel(ana) == ["exhausted:refused"]


def test_a_client_who_comes_to_an_attorney_after_the_message_left_is_listed_and_in_the_next_step(office: Office) -> None:
    ana, bo = office.person(), office.person()
    counsel = office.attorney()
    office.represented(ana, counsel)
    office.launch(Channel.ATTORNEY_EMAIL)
    assert len(office.claim_mails(Channel.ATTORNEY_EMAIL)) == 1
    office.represented(bo, counsel)
    assert plan.revisit(office.session) == 0
    assert office.counsel(bo) == ["exhausted:not_planned"]
    assert office.campaign is not None
    office.session.add(Step(id=new_id(), campaign_id=office.campaign.id, position=2, channel=Channel.ATTORNEY_LETTER, wait_hours=0))
    office.session.flush()
    office.plan()
    assert office.counsel(bo) == ["planned"]


def test_an_attorney_who_takes_over_in_mid_campaign_is_told(office: Office) -> None:
    ana = office.person()
    first = office.represented(ana, office.attorney())
    office.launch(Channel.ATTORNEY_EMAIL)
    office.end(first)
    assert office.claim_mails(Channel.ATTORNEY_EMAIL) == []
    office.represented(ana, office.attorney("Other COUNSEL"))
    assert plan.revisit(office.session) == 1
    assert office.counsel(ana) == ["exhausted:representation_ended", "planned"]
    assert len(office.claim_mails(Channel.ATTORNEY_EMAIL)) == 1


def test_who_first_has_an_attorney_in_mid_campaign_is_no_longer_shown_as_without(office: Office) -> None:
    ana = office.person()
    office.launch(Channel.ATTORNEY_EMAIL)
    assert office.session.scalar(sa.text("select counsel from outcome")) == "none"
    office.represented(ana, office.attorney())
    assert plan.revisit(office.session) == 1
    assert office.session.scalar(sa.text("select counsel from outcome")) == "represented"


def test_an_attorney_is_not_told_about_somebody_who_came_to_the_incident_after_the_launch(office: Office) -> None:
    ana = office.person()
    office.phone(ana, 1)
    office.launch(Channel.SMS)
    late = office.person()
    office.represented(late, office.attorney())
    assert office.campaign is not None
    office.session.add(Step(id=new_id(), campaign_id=office.campaign.id, position=2, channel=Channel.ATTORNEY_EMAIL, wait_hours=0))
    office.session.flush()
    office.plan()
    assert office.messages(late) == []
    assert office.session.scalar(sa.text("select count(*) from outcome")) == 1


def test_two_people_of_one_mailbox_and_language_share_a_mail(office: Office) -> None:
    ana, bo = office.person(), office.person()
    office.email(ana, bo)
    office.launch(Channel.EMAIL)
    assert office.messages() == ["email:ready"]
    (mail,) = office.claim_mails()
    assert mail.reply_to.address.endswith("@reply.example.org")


def test_a_letter_is_about_one_person_even_where_two_live(office: Office) -> None:
    ana, bo = office.person(Custody.DETAINED, "Sample Center"), office.person(Custody.DETAINED, "Sample Center")
    office.launch(Channel.LETTER)
    letters = office.claim_letters()
    assert {letter.person_id for letter in letters} == {ana.id, bo.id}
    assert len({letter.code for letter in letters}) == 2


def test_the_english_behind_a_letter_is_the_one_that_stood_beside_its_text_when_it_was_decided_on(office: Office) -> None:
    office.address(office.person())
    office.launch(Channel.LETTER)
    said = office.session.get_one(notice.Notice, office.notice_id)
    office.session.execute(
        sa.update(notice.Rendition).where(notice.Rendition.channel == Channel.LETTER, notice.Rendition.language == "en")
        .values(state=notice.RenditionState.RETIRED)
    )  # fmt: skip
    make_rendition(
        office.session, said, "en", channel=Channel.LETTER, text=LETTER + "\n\nA newer sentence.",
        approved_at=now() + timedelta(hours=1), version=2,
    )  # fmt: skip
    (letter,) = office.claim_letters()
    assert [each.language for each in letter.content.texts] == ["es", "en"]
    assert letter.content.texts[0].blocks == letter.content.texts[1].blocks


def test_a_letters_content_opens_with_the_persons_own_key_only(office: Office) -> None:
    ana = office.person()
    office.address(ana)
    office.launch(Channel.LETTER)
    (letter,) = office.claim_letters()
    row = office.session.execute(sa.text("select id, body_sealed, sealed_under from attempt")).one()
    assert row.sealed_under == ana.id
    assert "Sample PERSON" in key_for(office.session, ana.id).open("attempt.body", row.id, row.body_sealed)
    code = office.session.execute(sa.text("select code_hash from access_code")).scalar_one()
    assert letter.code is not None
    assert code == vault_of(office.session).keyed_hash("access_code", letter.code.replace("-", ""))


def test_a_name_that_no_font_can_print_keeps_the_letter_back_and_says_so(office: Office) -> None:
    ana = office.person(name="Sample \U00013000")
    office.address(ana)
    office.launch(Channel.LETTER)
    assert office.claim_letters() == []
    assert office.standing(ana) == "exhausted:missing_glyph"


def test_everybody_of_the_audience_is_counted_once_whatever_the_ladder(office: Office) -> None:
    people = [office.person(custody, "Sample Center" if custody is Custody.DETAINED else None) for custody in Custody]
    for number, person in enumerate(people):
        office.phone(person, number)
        office.address(person)
    office.launch(*everybody())
    assert office.session.scalar(sa.text("select count(*) from outcome")) == len(people)
    ways = dict.fromkeys(Channel)
    preview = audience.preview(office.session, office.notice_id, {"incidents": [str(office.incident.id)]}, ways)
    assert preview.people == len(people)
    planned = office.session.scalar(sa.text("select count(*) from outcome where state = 'planned'"))
    assert preview.count(OutcomeState.PLANNED) == planned


def test_the_shipped_plan_never_texts_who_is_inside_and_never_serves_who_is_outside(session: Session) -> None:
    shipped = rules.load(session)
    for custody, ways in shipped.items():
        assert not {way.channel for way in ways} & rules.NEVER[custody]
    assert shipped[Custody.DETAINED][0].channel is Channel.HAND
    assert all(way.needs_review for way in shipped[Custody.REMOVED] if not way.channel.to_attorney)


def test_a_changed_plan_is_obeyed_by_what_was_planned_before(office: Office) -> None:
    ana = office.person()
    office.phone(ana, 1)
    office.launch(Channel.SMS)
    supervisor = make_account(office.session, Role.SUPERVISOR)
    rules.change(office.session, Custody.RELEASED, [Rule(Channel.LETTER)], by=supervisor)
    assert office.claim_texts() == 0
    assert office.standing(ana) == "exhausted:not_planned"


@pytest.mark.parametrize(
    ("custody", "rule"),
    [
        (Custody.DETAINED, Rule(Channel.SMS)),
        (Custody.REMOVED, Rule(Channel.EMAIL)),
        (Custody.RELEASED, Rule(Channel.HAND)),
        (Custody.UNKNOWN, Rule(Channel.LETTER)),
        (Custody.RELEASED, Rule(Channel.SMS, -1)),
    ],
)
def test_some_plans_cannot_be_made(session: Session, custody: Custody, rule: Rule) -> None:
    with pytest.raises(NotAllowedRule):
        rules.change(session, custody, [rule], by=make_account(session, Role.SUPERVISOR))


def test_only_a_supervisor_changes_the_plan(session: Session) -> None:
    with pytest.raises(NotAllowedRule):
        rules.change(session, Custody.RELEASED, [Rule(Channel.SMS)], by=make_account(session, Role.APPROVER))


def test_the_ladder_of_the_plan_has_each_way_once_an_hour_for_whom_it_is(session: Session) -> None:
    ladder = campaign.planned_ladder(session)
    assert len({(rung.channel, rung.wait_hours) for rung in ladder}) == len(ladder)
    assert [rung.wait_hours for rung in ladder] == sorted(rung.wait_hours for rung in ladder)
    hand = next(rung for rung in ladder if rung.channel is Channel.HAND)
    assert hand.custodies == ("detained",)

"""Who is told by which way: decided by custody, contact points and consent, for everybody of the audience."""

import pytest
import sqlalchemy as sa

from outreach.campaigns import audience
from outreach.campaigns.outcome import OutcomeState
from outreach.db import now
from outreach.notices.channel import Channel
from outreach.people.contact import AddressGrade, ContactRole, PersonContact, Safety
from outreach.people.custody import Custody
from tests.delivery.office import Office, everybody, office

__all__ = ["office"]


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


def test_two_people_of_one_mailbox_and_language_share_a_mail(office: Office) -> None:
    ana, bo = office.person(), office.person()
    office.email(ana, bo)
    office.launch(Channel.EMAIL)
    assert office.messages() == ["email:ready"]
    (mail,) = office.claim_mails()
    assert mail.reply_to.address.endswith("@reply.example.org")


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

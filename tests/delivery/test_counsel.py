"""Attorneys as addressees: one message about all their clients, a track of their own, and nothing once they represent nobody."""

import pytest
import sqlalchemy as sa

from outreach.campaigns import counsel as counsel_track
from outreach.campaigns.campaign import Step
from outreach.db import new_id, now
from outreach.delivery import plan
from outreach.delivery.projection import project
from outreach.delivery.sweep import cancel_told
from outreach.notices.channel import Channel
from outreach.people.custody import Custody
from tests.delivery.office import Office, office

__all__ = ["office"]


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

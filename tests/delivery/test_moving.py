"""Whoever moves in mid-campaign: nothing goes where they were, and what is right for them now is decided on."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from outreach.campaigns.campaign import Step
from outreach.db import now
from outreach.delivery import plan
from outreach.notices.channel import Channel
from outreach.people.contact import ContactRole, PersonContact
from outreach.people.custody import Custody
from tests.delivery.office import Office, office

__all__ = ["office"]


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

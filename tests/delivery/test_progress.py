"""How a launched campaign stands: every figure adds up, and what is not known is said to be so."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach.campaigns.campaign import Campaign, CampaignState
from outreach.campaigns.outcome import OutcomeState, Reason
from outreach.db import now
from outreach.delivery import progress
from outreach.delivery.message import MessageState
from outreach.delivery.progress import Trouble
from outreach.notices.channel import Channel
from outreach.people.contact import ContactKind
from tests.factories import make_campaign, make_contact, make_message, make_outcome, make_paper, make_person


@pytest.fixture
def running(session: Session) -> Campaign:
    return make_campaign(session)


def text(session: Session, running: Campaign, state: MessageState, **columns: Any) -> None:
    person = make_person(session)
    make_message(session, running, make_contact(session, person), person, state=state, **columns)


def test_outcomes_add_up_to_the_audience_and_reasons_to_the_outcomes(session: Session, running: Campaign) -> None:
    elsewhere = make_campaign(session)
    standing = [
        (OutcomeState.TOLD, None), (OutcomeState.REACHED, None), (OutcomeState.REACHED, None),
        (OutcomeState.EXCLUDED, Reason.IN_CUSTODY), (OutcomeState.EXCLUDED, Reason.IN_CUSTODY),
        (OutcomeState.EXHAUSTED, Reason.NO_CONTACT),
    ]  # fmt: skip
    for state, reason in standing:
        person = make_person(session)
        make_outcome(session, running, person, state, reason)
        make_outcome(session, elsewhere, person, OutcomeState.PLANNED)
    found = progress.of(session, running.id)
    assert found.people == 6
    assert found.outcomes == {"told": 1, "reached": 2, "excluded": 2, "exhausted": 1}
    assert found.reasons == {("excluded", "in_custody"): 2, ("exhausted", "no_contact"): 1}


def test_texts_are_counted_by_state_and_trouble_by_reason_and_code(session: Session, running: Campaign) -> None:
    text(session, running, MessageState.DELIVERED)
    for _ in range(2):
        text(session, running, MessageState.FAILED, reason="opted_out", code="21610")
    text(session, running, MessageState.FAILED, reason="bad_contact", code="21211")
    text(session, running, MessageState.CANCELLED, reason="told", attempts=0)
    text(session, make_campaign(session), MessageState.FAILED, reason="refused", code="1")
    found = progress.of(session, running.id)
    assert found.messages == {"delivered": 1, "failed": 3, "cancelled": 1}
    assert found.trouble == (
        Trouble(Channel.SMS, "failed", "opted_out", "21610", 2),
        Trouble(Channel.SMS, "cancelled", "told", None, 1),
        Trouble(Channel.SMS, "failed", "bad_contact", "21211", 1),
    )


def test_what_waits_for_its_hours_is_not_due(session: Session, running: Campaign) -> None:
    later = now() + timedelta(hours=3)
    text(session, running, MessageState.READY, attempts=0, due_at=now() - timedelta(minutes=1))
    text(session, running, MessageState.READY, attempts=0, due_at=later)
    text(session, running, MessageState.READY, attempts=0, due_at=later + timedelta(hours=1))
    found = progress.of(session, running.id)
    assert (found.messages[MessageState.READY], found.due, found.opens_at) == (3, 1, later)


def test_what_is_not_known_is_shown_with_its_age_and_the_last_look(session: Session, running: Campaign) -> None:
    old, older, looked = (now() - timedelta(minutes=minutes) for minutes in (5, 9, 1))
    text(session, running, MessageState.UNKNOWN, started_at=old, checked_at=looked)
    text(session, running, MessageState.UNKNOWN, started_at=older)
    text(session, running, MessageState.DELIVERED, started_at=older - timedelta(hours=1))
    found = progress.of(session, running.id)
    assert (found.messages[MessageState.UNKNOWN], found.oldest_unknown, found.looked_up_at) == (2, older, looked)
    assert found.trouble == (), "what is not known is not lost"


def test_the_speed_of_the_last_minute_says_how_long_it_takes(session: Session, running: Campaign) -> None:
    for _ in range(4):
        text(session, running, MessageState.ACCEPTED)
    text(session, running, MessageState.ACCEPTED, started_at=now() - timedelta(minutes=2))
    assert progress.of(session, running.id).seconds_left is None, "nothing waits"
    for _ in range(2):
        text(session, running, MessageState.READY, attempts=0, due_at=now() - timedelta(minutes=1))
    found = progress.of(session, running.id)
    assert (found.per_minute, found.seconds_left) == (4, 30)


def test_a_campaign_that_was_not_launched_has_nobody(session: Session) -> None:
    found = progress.of(session, make_campaign(session, state=CampaignState.DRAFT).id)
    assert (found.people, found.messages, found.trouble, found.seconds_left) == (0, {}, (), None)


def test_the_list_has_every_campaign_newest_first_with_its_people(session: Session, running: Campaign) -> None:
    make_outcome(session, running, make_person(session), OutcomeState.TOLD)
    newer = make_campaign(session, state=CampaignState.DRAFT)
    assert [(line.id, line.outcomes.total()) for line in progress.lines(session)] == [(newer.id, 0), (running.id, 1)]


def test_paper_is_counted_by_its_way_and_waits_for_no_hours(session: Session, running: Campaign) -> None:
    text(session, running, MessageState.DELIVERED)
    for channel in (Channel.LETTER, Channel.LETTER, Channel.HAND):
        address = make_contact(session, kind=ContactKind.POST, value="12 Example Street")
        make_paper(session, running, make_person(session), address, channel)
    session.execute(sa.text("update message set state = 'sent' where channel = 'hand'"))
    found = progress.of(session, running.id)
    assert found.channels == {Channel.SMS: {"delivered": 1}, Channel.LETTER: {"submitting": 2}, Channel.HAND: {"sent": 1}}
    assert found.messages.total() == sum(counted.total() for counted in found.channels.values())
    assert found.on_paper == 2, "what was handed over has left the house"
    assert (found.due, found.later, found.per_minute, found.seconds_left) == (0, 0, 1, None)

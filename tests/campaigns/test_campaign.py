"""Who may let a campaign go, and what exactly they let go."""

from datetime import time
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from outreach.access.accounts import Account, Role
from outreach.access.audit import AuditEntry
from outreach.campaigns import campaign
from outreach.campaigns.campaign import Campaign, CampaignState, NoCampaign, Refused, Rung
from outreach.db import new_id
from outreach.delivery import plan
from outreach.notices import notice
from outreach.notices.notice import Notice, RenditionState
from outreach.people.incident import Exposure, Incident
from tests.factories import make_account, make_contact, make_incident, make_person, make_rendition


@pytest.fixture
def officer(session: Session) -> Account:
    return make_account(session)


@pytest.fixture
def approver(session: Session) -> Account:
    return make_account(session, Role.APPROVER)


@pytest.fixture
def said(session: Session) -> Notice:
    """A notice that can be sent in Spanish."""
    found = notice.create(session, title="Test notice")
    make_rendition(session, found, "es")
    return found


@pytest.fixture
def incident(session: Session) -> Incident:
    """Two people of one incident, both with a phone of their own."""
    found = make_incident(session)
    for _ in range(2):
        make_contact(session, make_person(session, incident=found))
    return found


@pytest.fixture
def draft(session: Session, officer: Account, said: Notice, incident: Incident) -> Campaign:
    return campaign.create(session, by=officer, **described(said, incident))


@pytest.fixture
def submitted(session: Session, officer: Account, draft: Campaign) -> Campaign:
    return campaign.submit(session, draft.id, by=officer)


@pytest.fixture
def approved(session: Session, approver: Account, submitted: Campaign) -> Campaign:
    return campaign.approve(session, submitted.id, by=approver, people=2)


def described(said: Notice, incident: Incident, **overrides: Any) -> dict[str, Any]:
    values = {
        "title": "First notice", "notice_id": said.id, "audience": {"incidents": [str(incident.id)]}, "ladder": [Rung()],
        "window": (time(9), time(20)), "window_reason": None,
    }  # fmt: skip
    return values | overrides


# Describing one.


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"title": "  "}, "Give the campaign a title"),
        ({"audience": {}}, "Choose at least one incident"),
        ({"ladder": []}, "at least one step"),
        ({"window": (time(20), time(9))}, "The hours end before they begin"),
        ({"window": (time(0), time(0))}, "need a reason"),
        ({"window": (time(0), time(0)), "window_reason": " "}, "need a reason"),
    ],
)
def test_what_makes_no_sense_is_refused(
    session: Session, officer: Account, said: Notice, incident: Incident, wrong: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(Refused, match=sentence):
        campaign.create(session, by=officer, **described(said, incident, **wrong))


def test_steps_are_put_in_the_order_of_their_time(session: Session, officer: Account, said: Notice, incident: Incident) -> None:
    made = campaign.create(session, by=officer, **described(said, incident, ladder=[Rung(72), Rung(), Rung(24)]))
    assert [step.wait_hours for step in campaign.steps(session, made.id)] == [0, 24, 72]


def test_there_is_no_campaign_of_another_id(session: Session) -> None:
    with pytest.raises(NoCampaign):
        campaign.get(session, new_id())


# Two people.


def test_nobody_approves_what_they_made_or_submitted(session: Session, draft: Campaign) -> None:
    first, second = make_account(session, Role.SUPERVISOR), make_account(session, Role.SUPERVISOR)
    draft.created_by = first.id
    campaign.submit(session, draft.id, by=second)
    for author in (first, second):
        with pytest.raises(Refused, match="somebody else has to approve"):
            campaign.approve(session, draft.id, by=author, people=2)
    assert draft.state == CampaignState.SUBMITTED


@pytest.mark.parametrize("role", [Role.OFFICER, Role.AUDITOR])
def test_a_role_that_does_not_approve_is_refused(session: Session, submitted: Campaign, role: Role) -> None:
    with pytest.raises(Refused, match="Only an approver"):
        campaign.approve(session, submitted.id, by=make_account(session, role), people=2)


@pytest.mark.parametrize("column", ["created_by", "submitted_by"])
def test_the_database_refuses_an_approval_of_ones_own_work_too(session: Session, submitted: Campaign, column: str) -> None:
    own = make_account(session, Role.SUPERVISOR)
    setattr(submitted, column, own.id)
    session.flush()
    with pytest.raises(IntegrityError, match="campaign_two_people_check"):
        session.execute(sa.update(Campaign).where(Campaign.id == submitted.id).values(approved_by=own.id, state="approved"))


def test_the_database_refuses_an_approval_of_nothing_in_particular(session: Session, draft: Campaign, approver: Account) -> None:
    with pytest.raises(IntegrityError, match="campaign_two_people_check"):
        session.execute(
            sa.update(Campaign).where(Campaign.id == draft.id).values(approved_by=approver.id, submitted_by=draft.created_by)
        )


# An approval is of exactly this.


def test_an_approval_is_signed_with_the_number_and_the_digest(session: Session, approved: Campaign, approver: Account) -> None:
    assert (approved.state, approved.approved_by) == (CampaignState.APPROVED, approver.id)
    entry = session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "campaign.approve")).one()
    assert entry.detail == {"people": 2, "digest": approved.submitted_digest}


@pytest.mark.parametrize("typed", [0, 1, 3, 20])
def test_a_wrong_number_approves_nothing(session: Session, submitted: Campaign, approver: Account, typed: int) -> None:
    with pytest.raises(Refused, match=f"You typed {typed}, and the audience is 2 people"):
        campaign.approve(session, submitted.id, by=approver, people=typed)
    assert submitted.approved_by is None


def expose_another(session: Session, found: Campaign) -> None:
    session.add(
        Exposure(incident_id=found.audience["incidents"][0], person_id=make_person(session, language="ar").id, elements=["name"])
    )


def approve_another_text(session: Session, found: Campaign) -> None:
    make_rendition(session, session.get_one(Notice, found.notice_id), "fr")


def retire_the_text(session: Session, found: Campaign) -> None:
    session.execute(sa.text("update rendition set state = 'retired' where notice_id = :id"), {"id": found.notice_id})


def add_a_step(session: Session, found: Campaign) -> None:
    session.add(campaign.Step(id=new_id(), campaign_id=found.id, position=2, channel="sms", wait_hours=24))


def widen_the_hours(session: Session, found: Campaign) -> None:
    session.execute(sa.update(Campaign).where(Campaign.id == found.id).values(window_end=time(23)))


CHANGES = [expose_another, approve_another_text, retire_the_text, add_a_step, widen_the_hours]


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_since_it_was_submitted_cannot_be_approved(
    session: Session, submitted: Campaign, approver: Account, change: Any
) -> None:
    change(session, submitted)
    session.flush()
    with pytest.raises(Refused, match="have changed since"):
        campaign.approve(session, submitted.id, by=approver, people=2)


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_since_it_was_approved_cannot_be_launched(
    session: Session, approved: Campaign, officer: Account, change: Any
) -> None:
    change(session, approved)
    session.flush()
    with pytest.raises(Refused, match="have changed since"):
        campaign.launch(session, approved.id, by=officer)
    assert approved.launched_at is None


def test_a_draft_of_a_text_changes_nothing(session: Session, approved: Campaign, officer: Account) -> None:
    notice.draft(session, approved.notice_id, language="es", text="((program)): ((phone)), ((site))", by=officer)
    assert campaign.launch(session, approved.id, by=officer).state == CampaignState.RUNNING


def test_changing_or_sending_back_takes_the_approval_away(
    session: Session, approved: Campaign, officer: Account, approver: Account, said: Notice, incident: Incident
) -> None:
    campaign.change(session, approved.id, by=officer, **described(said, incident, title="Another"))
    assert (approved.state, approved.approved_by, approved.submitted_digest) == (CampaignState.DRAFT, None, None)
    campaign.submit(session, approved.id, by=officer)
    campaign.send_back(session, approved.id, by=approver)
    assert (approved.state, approved.submitted_by) == (CampaignState.DRAFT, None)


def test_a_campaign_that_would_text_nobody_is_not_submitted(session: Session, officer: Account, said: Notice) -> None:
    incident = make_incident(session)
    make_person(session, incident=incident)  # has no phone
    made = campaign.create(session, by=officer, **described(said, incident))
    with pytest.raises(Refused, match="Nobody would get a message"):
        campaign.submit(session, made.id, by=officer)


# Going, pausing, going on.


def test_it_is_launched_once_and_planned_once(session: Session, approved: Campaign, officer: Account) -> None:
    campaign.launch(session, approved.id, by=officer)
    with pytest.raises(Refused, match="Only an approved campaign can be launched"):
        campaign.launch(session, approved.id, by=officer)
    (step,) = campaign.steps(session, approved.id)
    assert [plan.plan(session, step.id) for _ in range(2)] == [2, 0]


@pytest.mark.parametrize("state", [CampaignState.DRAFT, CampaignState.SUBMITTED])
def test_what_nobody_approved_is_not_launched(
    session: Session, submitted: Campaign, officer: Account, state: CampaignState
) -> None:
    submitted.state = state
    with pytest.raises(Refused, match="Only an approved campaign"):
        campaign.launch(session, submitted.id, by=officer)


def test_a_launched_campaign_cannot_be_changed(
    session: Session, approved: Campaign, officer: Account, said: Notice, incident: Incident
) -> None:
    campaign.launch(session, approved.id, by=officer)
    with pytest.raises(Refused, match="was launched"):
        campaign.change(session, approved.id, by=officer, **described(said, incident))
    with pytest.raises(Refused, match="sent back"):
        campaign.send_back(session, approved.id, by=officer)


def test_pausing_stops_planning_and_resuming_goes_on(session: Session, approved: Campaign, officer: Account) -> None:
    campaign.launch(session, approved.id, by=officer)
    (step,) = campaign.steps(session, approved.id)
    campaign.pause(session, approved.id, reason="staff", by=officer.actor)
    assert plan.plan(session, step.id) == 0
    campaign.pause(session, approved.id, reason="filtered")
    assert approved.state_reason == "staff", "pausing a paused campaign changes nothing"
    resumed = campaign.resume(session, approved.id, by=officer)
    assert resumed.state == CampaignState.RUNNING
    assert resumed.state_reason is None
    assert plan.plan(session, step.id) == 2
    with pytest.raises(Refused, match="Only a paused campaign"):
        campaign.resume(session, approved.id, by=officer)


def test_only_a_running_campaign_can_be_paused(session: Session, approved: Campaign, officer: Account) -> None:
    with pytest.raises(Refused, match="Only a running campaign"):
        campaign.pause(session, approved.id, reason="staff", by=officer.actor)


def test_a_refusal_keeps_its_sentence_and_its_values_apart(session: Session, submitted: Campaign, approver: Account) -> None:
    with pytest.raises(Refused) as caught:
        campaign.approve(session, submitted.id, by=approver, people=7)
    assert caught.value.values == {"typed": 7, "people": 2}
    assert caught.value.sentence % caught.value.values == str(caught.value)


def test_starters_cannot_be_sent_by_a_campaign(session: Session, officer: Account, incident: Incident) -> None:
    notice.create_starters(session)
    shipped = session.scalars(sa.select(Notice).where(Notice.purpose == "notice", Notice.created_by.is_(None))).one()
    made = campaign.create(session, by=officer, **described(shipped, incident))
    assert {one.rendition.state for versions in notice.versions(session, shipped.id).values() for one in versions} == {
        RenditionState.DRAFT
    }
    with pytest.raises(Refused, match="Nobody would get a message"):
        campaign.submit(session, made.id, by=officer)

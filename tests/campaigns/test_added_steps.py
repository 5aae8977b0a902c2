"""Sending again: only as a new step, asked for by one person and approved by another."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from outreach.access.accounts import Account, Role
from outreach.access.audit import AuditEntry
from outreach.campaigns import added_step
from outreach.campaigns.added_step import Expected, NoStep
from outreach.campaigns.campaign import CampaignState, Refused, Rung, Step
from outreach.db import now
from outreach.delivery import plan, projection
from outreach.notices.channel import Channel
from outreach.people.custody import Custody
from tests.delivery.office import Office, office
from tests.delivery.test_ladder import came_to, move_on, reachable
from tests.factories import make_account

__all__ = ["office"]


@pytest.fixture
def approver(office: Office) -> Account:
    return make_account(office.session, Role.APPROVER)


def add(office: Office, channel: Channel = Channel.EMAIL, wait: int = 0, by: Account | None = None) -> Step:
    assert office.campaign
    return added_step.add_step(office.session, office.campaign.id, Rung(wait, channel), by=by or office.by)


def approve(office: Office, step: Step, by: Account, *, hours_ago: float = 0.1) -> None:
    """A test is one transaction, for which the time stands still: it was approved a while before."""
    added_step.approve_step(office.session, step.id, by=by)
    step.approved_at = now() - timedelta(hours=hours_ago)
    office.session.flush()


def test_an_added_step_comes_only_once_somebody_else_has_approved_it(office: Office, approver: Account) -> None:
    ana, bo = reachable(office, 1), reachable(office, 2)
    office.launch(Channel.SMS, (Channel.LETTER, 96))
    office.session.execute(sa.text("update outcome set state = 'told' where person_id = :id"), {"id": bo.id})
    supervisor = make_account(office.session, Role.SUPERVISOR)
    step = add(office, by=supervisor)
    came_to(office, ana, "failed", "bad_contact")
    assert plan.due_steps(office.session) == []
    assert (move_on(office), office.messages(ana)) == (1, ["letter:ready", "sms:failed"]), (
        "the letter, and nothing of the added step"
    )
    assert added_step.expected(office.session, step) == Expected(untold=1, people=1, messages=1, as_of=now())
    with pytest.raises(Refused, match="somebody else"):
        added_step.approve_step(office.session, step.id, by=supervisor)
    with pytest.raises(Refused, match="Only an approver"):
        added_step.approve_step(office.session, step.id, by=office.by)
    approve(office, step, approver)
    with pytest.raises(Refused, match="already"):
        added_step.approve_step(office.session, step.id, by=approver)
    office.plan()
    assert office.messages(ana) == ["email:ready", "letter:ready", "sms:failed"], "though the letter's own time has not come"
    assert office.messages(bo) == ["sms:ready"]
    actions = office.session.scalars(sa.select(AuditEntry.action).where(AuditEntry.action.like("campaign.%_step")))
    assert sorted(actions) == ["campaign.add_step", "campaign.approve_step"]


def test_the_hours_of_an_added_step_count_from_its_approval(office: Office, approver: Account) -> None:
    ana, bo = reachable(office, 1), reachable(office, 2)
    office.launch(Channel.SMS)
    step = add(office, wait=48)
    office.session.execute(sa.text("update campaign set launched_at = launched_at - interval '90 days'"))
    approve(office, step, approver)
    came_to(office, bo, "failed", "bad_contact")
    assert plan.due_steps(office.session) == []
    assert move_on(office) == 1, "who was not reached does not wait"
    step.approved_at = now() - timedelta(hours=49)
    office.session.flush()
    office.plan()
    assert office.messages(ana) == ["email:ready", "sms:ready"]
    assert office.messages(bo) == ["email:ready", "sms:failed"]


def test_steps_are_added_after_all_others_and_do_not_wait_for_one_another(office: Office, approver: Account) -> None:
    ana = reachable(office, 1)
    office.launch(Channel.SMS, (Channel.HAND, 24))
    first, second = add(office, Channel.SMS), add(office)
    assert (first.position, second.position) == (3, 4)
    approve(office, second, approver)
    office.plan()
    assert office.messages(ana) == ["email:ready", "sms:ready"]
    approve(office, first, approver)
    office.plan()
    assert office.messages(ana) == ["email:ready", "sms:ready", "sms:ready"]


@pytest.mark.parametrize(
    ("who", "allowed"),
    [
        (lambda office: office.by, True),
        (lambda office: make_account(office.session, Role.APPROVER), True),
        (lambda office: make_account(office.session), False),
    ],
    ids=["its author", "an approver", "another officer"],
)
def test_a_step_can_be_withdrawn_before_its_approval(office: Office, who: Callable[[Office], Account], allowed: bool) -> None:
    office.launch(Channel.SMS)
    step_id = add(office).id
    if not allowed:
        with pytest.raises(Refused, match="Only whoever added"):
            added_step.withdraw_step(office.session, step_id, by=who(office))
        return
    added_step.withdraw_step(office.session, step_id, by=who(office))
    with pytest.raises(NoStep):
        added_step.get(office.session, step_id)


def test_what_was_approved_or_launched_cannot_be_withdrawn(office: Office, approver: Account) -> None:
    office.launch(Channel.SMS)
    step = add(office)
    added_step.approve_step(office.session, step.id, by=approver)
    with pytest.raises(Refused, match="approved already"):
        added_step.withdraw_step(office.session, step.id, by=office.by)
    launched = office.session.scalars(sa.select(Step.id).where(Step.position == 1)).one()
    with pytest.raises(NoStep):
        added_step.withdraw_step(office.session, launched, by=office.by)


@pytest.mark.parametrize(
    ("state", "sentence"),
    [(CampaignState.DONE, "is done"), (CampaignState.STOPPED, "stopped for good"), (CampaignState.APPROVED, "change its steps")],
)
def test_only_a_campaign_that_goes_on_can_be_added_to(
    office: Office, approver: Account, state: CampaignState, sentence: str
) -> None:
    office.launch(Channel.SMS)
    step = add(office)
    assert office.campaign
    office.campaign.state = state
    office.session.flush()
    with pytest.raises(Refused, match=sentence):
        add(office)
    with pytest.raises(Refused, match=sentence):
        added_step.approve_step(office.session, step.id, by=approver)


@pytest.mark.parametrize(
    ("rung", "sentence"),
    [(Rung(24 * 91, Channel.SMS), "90 days"), (Rung(-1, Channel.SMS), "90 days"), (Rung(0, Channel.SMS, ()), "whom")],
)
def test_a_step_that_makes_no_sense_is_refused(office: Office, rung: Rung, sentence: str) -> None:
    office.launch(Channel.SMS)
    assert office.campaign
    with pytest.raises(Refused, match=sentence):
        added_step.add_step(office.session, office.campaign.id, rung, by=office.by)


def test_a_campaign_stays_open_while_a_step_waits_for_approval(office: Office) -> None:
    ana = office.person(Custody.RELEASED)
    office.phone(ana, 1)
    office.launch(Channel.SMS)
    came_to(office, ana, "failed", "bad_contact")
    step = add(office)
    assert projection.finish(office.session) == []
    added_step.withdraw_step(office.session, step.id, by=office.by)
    assert office.campaign
    assert projection.finish(office.session) == [office.campaign.id]

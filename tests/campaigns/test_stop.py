"""Stopping for good, and pausing: within two seconds nothing more leaves, nothing is planned, and every outcome says why."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach import jobs
from outreach.access.accounts import Account
from outreach.access.audit import AuditEntry
from outreach.campaigns import campaign
from outreach.campaigns.campaign import Campaign, CampaignState, Refused
from outreach.delivery import plan, pulling, stopping
from outreach.delivery.letter import LetterState
from outreach.delivery.message import MessageState
from tests.delivery.test_spending import Limited
from tests.factories import make_account, make_campaign, make_person, make_run
from tests.stage import Stage, poll, stage

__all__ = ["stage"]


@pytest.fixture
def officer(session: Session) -> Account:
    return make_account(session)


def stopped(session: Session, found: Campaign, by: Account) -> None:
    campaign.stop(session, found.id, reason="A wrong text", by=by)
    session.flush()
    while stopping.cancel(session, size=2):
        pass


def counted(session: Session, what: str, table: str) -> dict[str, int]:
    return {row[0]: row[1] for row in session.execute(sa.text(f"select {what}, count(*) from {table} group by 1"))}


def test_everything_that_waits_is_cancelled_and_people_stand_as_stopped(session: Session, officer: Account) -> None:
    limited = Limited(session, people=6)
    limited.claim(1)
    trying_again = session.scalar(sa.text("select id from message where state = 'submitting'"))
    session.execute(sa.text("update message set state = 'undelivered', due_at = now() where id = :id"), {"id": trying_again})
    taken = limited.claim(1).claimed[0]
    stopped(session, limited.campaign, officer)
    assert counted(session, "coalesce(reason, state)", "message") == {"stopped": 5, "submitting": 1}, (
        "what a carrier may have is left to its reports"
    )
    assert counted(session, "concat_ws(':', state, reason)", "outcome") == {"exhausted:stopped": 5, "planned": 1}
    assert limited.claim().seen == 0
    assert taken.message_id != trying_again


def test_nothing_more_is_planned(session: Session, officer: Account) -> None:
    limited = Limited(session, people=1, waits=(0, 24))
    stopped(session, limited.campaign, officer)
    session.execute(sa.text("update campaign set launched_at = now() - interval '2 days'"))
    assert plan.due_steps(session) == []


@pytest.mark.parametrize("state", [CampaignState.RUNNING, CampaignState.PAUSED])
def test_a_stop_is_for_good_and_says_who_and_why(session: Session, officer: Account, state: CampaignState) -> None:
    found = make_campaign(session, state=state)
    campaign.stop(session, found.id, reason=" A wrong text ", by=officer)
    assert (found.state, found.state_reason, found.state_by) == (CampaignState.STOPPED, "A wrong text", officer.id)
    assert session.scalars(sa.select(AuditEntry.action).where(AuditEntry.object_id == found.id)).all() == ["campaign.stop"]
    for again in (campaign.resume, campaign.pass_canary):
        with pytest.raises(Refused):
            again(session, found.id, by=officer)


@pytest.mark.parametrize(
    ("state", "reason"), [(CampaignState.RUNNING, "  "), (CampaignState.DONE, "x"), (CampaignState.DRAFT, "x")]
)
def test_what_is_over_or_has_no_reason_is_not_stopped(
    session: Session, officer: Account, state: CampaignState, reason: str
) -> None:
    found = make_campaign(session, state=state)
    with pytest.raises(Refused):
        campaign.stop(session, found.id, reason=reason, by=officer)


def test_printed_letters_of_a_stopped_campaign_are_pulled(session: Session, officer: Account) -> None:
    found = make_campaign(session)
    run = make_run(session, found, make_person(session))
    assert pulling.to_pull(session, run.id) == []
    stopped(session, found, officer)
    assert [pull.reason for pull in pulling.to_pull(session, run.id)] == ["stopped"]
    assert pulling.pull_moved(session) == 1
    assert session.scalar(sa.text("select state from letter")) == LetterState.PULLED
    assert session.execute(sa.text("select state, reason from message")).one() == (MessageState.CANCELLED, "stopped")


def pause(session: Session, found: Stage) -> None:
    campaign.pause(session, found.campaign_id, reason="staff")


def stop(session: Session, found: Stage) -> None:
    campaign.stop(session, found.campaign_id, reason="A wrong text", by=make_account(session))


@pytest.mark.parametrize("stage", [{"sms_segments_per_second": "4", "lease_seconds": "120"}], indirect=True)
@pytest.mark.parametrize("act", [pause, stop])
def test_no_text_leaves_later_than_two_seconds_after_it(stage: Stage, act: Callable[[Session, Stage], Any]) -> None:
    stage.cast(30)
    stage.plan()
    at_work = threading.Thread(target=stage.dispatch)
    at_work.start()
    poll(lambda: stage.accepted() >= 2)
    with stage.sessions.begin() as session:
        act(session, stage)
    acted, began = time.time(), time.monotonic()
    at_work.join(20)
    assert time.monotonic() - began < 3, "nobody waits for turns that are of no use"
    sent = [text["created"] for text in stage.control.messages()]
    assert len(sent) < 20
    assert max(sent) < acted + 2
    jobs.sweep_once(stage.machine)
    assert stage.dispatch() == 0
    waiting = "cancelled" if act is stop else "ready"
    assert stage.states()[waiting] == 30 - len(sent)
    stage.check_promises()

"""The pages of tasks, and of steps that are added: what is shown, to whom, and what closing and approving do."""

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from outreach import jobs
from outreach.access.accounts import Account, Role
from outreach.access.audit import AuditEntry
from outreach.campaigns import added_step
from outreach.campaigns.campaign import Campaign, CampaignState, Rung, Step
from outreach.campaigns.outcome import OutcomeState, Reason
from outreach.db import now
from outreach.delivery import exhausted
from outreach.delivery.exhausted import Resolution
from outreach.delivery.message import MessageState
from outreach.delivery.task import Task, TaskKind
from outreach.notices.channel import Channel
from outreach.people.person import Person
from outreach.web.staff import task_words
from tests.factories import make_account, make_campaign, make_contact, make_incident, make_message, make_outcome, make_person
from tests.web.conftest import Fetch, SignIn, submit


class Case:
    """A campaign of one text that did not reach Ana, and the task about her."""

    def __init__(self, session: Session, *, protected: bool = False) -> None:
        incident = make_incident(session)
        self.by = make_account(session)
        self.campaign: Campaign = make_campaign(
            session, audience={"incidents": [str(incident.id)]}, created_by=self.by.id, launched_at=now()
        )
        self.ana: Person = make_person(session, name="Ana SAMPLE", incident=incident, protected=protected)
        phone = make_contact(session, self.ana, value="+12025550123")
        make_message(session, self.campaign, phone, self.ana, state=MessageState.FAILED, reason=Reason.BAD_CONTACT, code="21211")
        make_outcome(session, self.campaign, self.ana, OutcomeState.EXHAUSTED, Reason.BAD_CONTACT)
        session.execute(sa.update(Step).values(planned_at=now()))
        assert exhausted.open_and_close(session) == (1, 0)
        self.task = session.scalars(sa.select(Task)).one()
        session.commit()

    @property
    def address(self) -> str:
        return f"/tasks/{self.task.id}"


def test_the_list_names_nobody_and_leads_to_the_task(session: Session, sign_in: SignIn, page: Fetch) -> None:
    case = Case(session)
    seen = page(sign_in(Role.OFFICER), "/tasks")
    assert "SAMPLE" not in seen.text
    assert case.address in seen.html
    assert "The number or address does not work" in seen.text
    assert 'Tasks <span class="count">1<' in seen.html, "the menu counts it"
    assert "No task fits." in page(sign_in(Role.OFFICER), "/tasks?show=closed").text
    assert "No task fits." in page(sign_in(Role.OFFICER), "/tasks?kind=undecided").text
    page(sign_in(Role.OFFICER), "/tasks?kind=nonsense", status=404)


def test_an_approver_sees_that_there_are_tasks_and_not_whom_they_are_about(session: Session, sign_in: SignIn, page: Fetch) -> None:
    case = Case(session)
    approver = sign_in(Role.APPROVER)
    assert case.address not in page(approver, "/tasks").html
    assert approver.get(case.address).status_code == 403


def test_opening_a_task_shows_what_was_tried_in_plain_words_and_is_on_record(
    session: Session, sign_in: SignIn, page: Fetch
) -> None:
    case = Case(session)
    officer = make_account(session)
    seen = page(sign_in(officer), case.address)
    assert "Ana SAMPLE" in seen.text
    assert "The provider said: the number or address does not exist" in seen.text
    assert "(code 21211)" in seen.text
    assert "555-0123" not in seen.text.replace(" ", "")
    opened = session.scalars(sa.select(AuditEntry.object_id).where(AuditEntry.action == "person.open"))
    assert opened.all() == [case.ana.id]


def test_a_protected_persons_task_is_a_supervisors(session: Session, sign_in: SignIn, page: Fetch) -> None:
    case = Case(session, protected=True)
    officer = sign_in(Role.OFFICER)
    assert case.address not in page(officer, "/tasks").html
    assert officer.get(case.address).status_code == 403
    form = {"resolution": "other", "note": "A note."}
    assert submit(officer, f"{case.address}/close", form).status_code == 403
    assert "Ana SAMPLE" in page(sign_in(Role.SUPERVISOR), case.address).text


def test_closing_needs_what_was_done_and_a_note_and_says_that_it_is_no_proof(
    session: Session, sign_in: SignIn, page: Fetch
) -> None:
    case = Case(session)
    officer = sign_in(Role.OFFICER)
    assert "This is no proof" in page(officer, case.address).text
    close = f"{case.address}/close"
    assert "Choose what was done" in page(officer, close, status=400, post={"resolution": "settled", "note": "A note."}).text
    assert "Write what was done" in page(officer, close, status=400, post={"resolution": "other", "note": " "}).text
    form = {"resolution": Resolution.TOLD_OTHERWISE, "note": "Told her at the desk."}
    assert submit(officer, close, dict(form)).status_code == 302
    assert "closed meanwhile" in page(officer, close, status=409, post=dict(form)).text
    seen = page(officer, case.address).text
    assert "They were told in person or by phone." in seen
    assert "Told her at the desk." in seen
    assert "They were told in person or by phone" in page(officer, "/tasks?show=closed").text
    assert session.scalar(sa.text("select state from outcome")) == "exhausted"


def test_a_step_is_added_by_one_person_and_approved_by_another(
    session: Session, sign_in: SignIn, page: Fetch, rings: list[tuple[object, ...]]
) -> None:
    case = Case(session)
    home = f"/campaigns/{case.campaign.id}"
    officer, approver = sign_in(make_account(session, name="Sample AUTHOR")), sign_in(Role.APPROVER)
    assert f"{home}/steps/new" in page(officer, home).html
    page(officer, f"{home}/steps/new")
    assert "whole number of hours" in page(officer, f"{home}/steps", status=400, post={"channel": "sms", "wait": "soon"}).text
    answer = submit(officer, f"{home}/steps", {"channel": "sms", "wait": "48", "custodies": "released"})
    assert answer.status_code == 302
    step = session.scalars(sa.select(Step).where(Step.added_at.is_not(None))).one()
    assert (step.channel, step.wait_hours, step.custodies) == ("sms", 48, ["released"])
    mine = page(officer, answer.location)
    assert "It waits for an approver who did not add it." in mine.text
    assert "Waits for approval" in page(officer, home).text
    theirs = page(approver, answer.location)
    assert "2 days after its approval" in theirs.text
    assert "People who are not told 1 Of these, would get a message 1 Messages 1" in theirs.text
    assert rings == []
    assert submit(approver, f"{answer.location}/approve").status_code == 302
    assert rings == [(jobs.plan_campaign, str(case.campaign.id))]
    assert "approved already" in page(approver, f"{answer.location}/withdraw", status=409, post={}).text
    elsewhere = make_campaign(session)
    session.commit()
    assert approver.get(f"/campaigns/{elsewhere.id}/steps/{step.id}").status_code == 404


def test_a_step_is_withdrawn_and_a_campaign_that_is_over_says_why_none_can_be_added(
    session: Session, sign_in: SignIn, page: Fetch
) -> None:
    case = Case(session)
    home, officer = f"/campaigns/{case.campaign.id}", sign_in(case.by)
    step = added_step.add_step(session, case.campaign.id, Rung(0, Channel.SMS), by=session.get_one(Account, case.by.id))
    session.commit()
    assert submit(officer, f"{home}/steps/{step.id}/withdraw").status_code == 302
    assert "Withdrawn" in page(officer, home).text
    session.execute(sa.update(Campaign).values(state=CampaignState.DONE, finished_at=now()))
    session.commit()
    assert "no step can be added" in page(officer, home).text
    assert "is done" in page(officer, f"{home}/steps", status=400, post={"channel": "sms", "wait": "0"}).text
    assert "The campaign is over" in page(officer, case.address).text


@pytest.mark.parametrize(("codes", "table"), [(TaskKind, task_words.KINDS), (Resolution, task_words.RESOLUTIONS)])
def test_every_code_has_its_words(app: Flask, codes: type, table: dict[str, object]) -> None:
    assert set(codes) == set(table)  # type: ignore[call-overload]  # each is an enumeration

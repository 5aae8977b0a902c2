"""The promises, against faults drawn at random: nobody falls out, nothing is lost, nothing is sent twice."""

import random
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from outreach import jobs
from outreach.access.accounts import Role
from outreach.delivery import plan
from outreach.people.contact import ContactRole, PersonContact, Safety
from outreach.people.custody import Custody
from tests.factories import make_account, make_contact, make_incident, make_person
from tests.stage import Stage, make_notice, make_running, phone

PEOPLE = 40
FAULTS: dict[str, dict[str, Any]] = {
    "rate_limit": {"chance": 0.1},
    "error_before": {"chance": 0.1},
    "error_after": {"chance": 0.1},
    "drop_before": {"chance": 0.1},
    "drop_after": {"chance": 0.1},
    "cut_off": {"chance": 0.1},
    "truncated": {"chance": 0.1},
    "no_sid": {"chance": 0.1},
    "refuse": {"chance": 0.1, "code": 30001},
    "doubled": {"chance": 0.3},
    "reordered": {"chance": 0.3, "ms": 20},
    "missing": {"chance": 0.3},
    "bad_signature": {"chance": 0.2},
}


@pytest.mark.parametrize("seed", range(4))
def test_under_faults_everybody_is_told_once_and_counted_once(stage: Stage, seed: int) -> None:
    drawn = random.Random(seed)
    stage.cast(PEOPLE, waits=(0, 24))
    for fault in drawn.sample(list(FAULTS), 8):
        stage.control.fault(fault, **FAULTS[fault])
    for code in (30003, 30005):
        stage.control.fault("fate", status="undelivered", code=code, chance=0.15)
    stage.plan()
    for _ in range(3):  # Checked at every moment, not only in the end.
        acts: list[Callable[[], object]] = [stage.dispatch, stage.callbacks, lambda: jobs.sweep_once(stage.machine)]
        for act in drawn.sample(acts, 3):
            act()
            stage.check_outcomes()
            stage.check_books(settled=False)
        stage.later(hours=1)
    stage.control.clear_faults()
    stage.run_until_quiet()
    assert set(stage.outcomes()) <= {"reached", "exhausted:bad_contact", "exhausted:not_delivered"}
    stage.check_promises()


def test_planning_a_step_twice_adds_nothing(stage: Stage) -> None:
    stage.cast(5)
    stage.plan()
    stage.plan()
    with stage.sessions.begin() as session:
        step = session.scalar(sa.text("select id from step"))
        assert plan.plan(session, step) == 0
    assert stage.states() == {"ready": 5}
    assert stage.outcomes() == {"planned": 5}


def test_a_later_step_is_sent_to_everybody_who_has_not_answered(stage: Stage) -> None:
    stage.cast(3, waits=(0, 24))
    stage.run_until_quiet()
    stage.control.answer(phone(0), "1")
    stage.callbacks()
    stage.execute("update campaign set launched_at = launched_at - interval '2 days'")
    stage.run_until_quiet()
    assert stage.outcomes() == {"reached": 2, "told": 1}
    assert stage.accepted() == 3 + 2
    stage.check_outcomes()


def test_a_campaign_is_done_when_everything_is_decided_and_not_before(stage: Stage) -> None:
    stage.cast(2)
    stage.control.fault("drop_after", next=1)
    stage.plan()
    stage.dispatch()
    jobs.sweep_once(stage.machine)
    assert stage.scalar("select state from campaign") == "running"
    stage.run_until_quiet()
    jobs.sweep_once(stage.machine)
    assert stage.scalar("select state from campaign") == "done"


def test_a_failure_reported_after_the_end_is_no_message_that_waits_for_ever(stage: Stage) -> None:
    stage.cast(1)
    stage.plan()
    stage.control.set(paused=True)
    stage.control.fault("fate", status="undelivered", code=30003)
    stage.dispatch()
    stage.execute("update message set updated_at = now() - interval '4 days'")
    stage.execute("update campaign set state = 'done'")
    stage.control.set(paused=False)
    stage.callbacks()
    assert stage.outcomes() == {"exhausted:not_delivered": 1}


traits = st.fixed_dictionaries(
    {
        "custody": st.sampled_from(Custody),
        "language": st.sampled_from(["es", "fr", "fa", None]),
        "second_language": st.sampled_from(["es", None]),
        "reads": st.sampled_from([True, False, None]),
        "protected": st.booleans(),
    }
)
links = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(ContactRole), st.sampled_from(Safety)), max_size=2, unique_by=lambda link: link[0]
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people=st.lists(st.tuples(traits, links), min_size=1, max_size=8))
def test_whoever_is_in_the_audience_has_exactly_one_outcome_and_a_reason_or_a_message(
    session: Session, people: list[tuple[dict[str, Any], list[tuple[int, ContactRole, Safety]]]]
) -> None:
    with session.begin_nested() as savepoint:
        incident = make_incident(session)
        campaign = make_running(session, incident, make_notice(session, ("es", "fr"), by=make_account(session, Role.APPROVER)))
        phones = [make_contact(session, value=phone(number)) for number in range(4)]
        for columns, linked in people:
            person = make_person(session, incident=incident, **columns)
            for number, role, safety in linked:
                session.add(PersonContact(person_id=person.id, contact_point_id=phones[number].id, role=role, safety=safety))
        session.flush()
        (step,) = plan.due_steps(session)
        plan.plan(session, step)
        rows = session.execute(
            sa.text("""
                select o.state, o.reason, count(m.id) as messages from outcome o
                left join message_person mp on mp.person_id = o.person_id
                left join message m on m.id = mp.message_id and m.campaign_id = o.campaign_id
                where o.campaign_id = :id group by o.person_id, o.state, o.reason
            """),
            {"id": campaign.id},
        ).all()
        savepoint.rollback()
    assert len(rows) == len(people)
    for row in rows:
        assert (row.messages == 1) == (row.state == "planned")
        assert (row.reason is None) == (row.state == "planned")

"""Attempts whose outcome nobody knows: settled by token, by listing, by event, in that order; else by a person, once."""

import asyncio
from datetime import timedelta
from itertools import pairwise

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from outreach import jobs
from outreach.access.accounts import Role
from outreach.access.sealing import erase
from outreach.db import now
from outreach.delivery import events, reconcile, undecided
from outreach.delivery.look import LookResult
from outreach.delivery.reconcile import Answer, Undecided, Waits
from outreach.delivery.task import Task
from outreach.delivery.undecided import AlreadySettled, Decision, NoReason
from outreach.jobs.machine import text_provider
from outreach.providers.contract import Report
from tests.factories import make_account
from tests.stage import Stage, phone

AT_ONCE = Waits(0, 0, ())


def lose(stage: Stage, fault: str = "drop_after") -> None:
    """One text whose answer is lost, with no report of it."""
    stage.cast(1)
    stage.plan()
    stage.control.set(paused=True)
    stage.control.fault(fault, next=1)
    stage.dispatch()
    assert stage.states() == {"unknown": 1}


def look(stage: Stage) -> tuple[list[Undecided], list[Answer]]:
    """One reconciler's look into the books, without what it makes of it."""
    provider = text_provider(stage.settings)
    with stage.sessions.begin() as session:
        taken = reconcile.take(session, provider.name, AT_ONCE, 10)
    asked = asyncio.run(reconcile._ask(provider, taken, seconds=60))
    return [one for one, _ in asked], [answer for _, answer in asked]


def settle(stage: Stage, seen: tuple[list[Undecided], list[Answer]]) -> None:
    with stage.sessions.begin() as session:
        reconcile.settle(session, "twilio", *seen)


def look_and_settle(stage: Stage) -> None:
    settle(stage, look(stage))


def tasks(sessions: sessionmaker[Session]) -> list[Task]:
    with sessions() as session:
        return list(session.scalars(sa.select(Task).order_by(Task.opened_at)))


def test_a_report_by_our_token_settles_it_before_the_books_are_asked_and_the_books_before_absence_counts(stage: Stage) -> None:
    lose(stage)
    # Absent twice, long after its lease, as the one look says; the callback with our token is there and not projected yet.
    taken, _ = look(stage)
    absent = [Answer(True, ())]
    stage.execute("update attempt set checks = 1, lease_until = now() - interval '1 day'")
    releasable = [Undecided(t.attempt_id, t.message_id, None, t.to, t.body_digest, t.started_at, releasable=True) for t in taken]
    with stage.sessions.begin() as session:
        events.keep(session, "twilio", Report("SM1:sent", taken[0].attempt_id, "SM1", "sent", "sent", None))
    settle(stage, (releasable, absent))
    assert stage.states() == {"unknown": 1}
    jobs.apply_due(stage.machine)
    assert stage.states() == {"sent": 1}


def test_what_another_look_has_found_is_not_freed_by_one_that_had_not(stage: Stage) -> None:
    lose(stage)
    stage.execute("update attempt set checks = 1, lease_until = now() - interval '1 day'")
    early, _ = look(stage)
    late = look(stage)
    settle(stage, late)
    settle(stage, (early, [Answer(True, ())]))
    assert stage.states() == {"unknown": 1}
    jobs.apply_due(stage.machine)
    assert stage.states() == {"accepted": 1}
    stage.control.set(paused=False)
    stage.run_until_quiet()
    assert stage.accepted() == 1


def test_however_many_look_at_once_or_settle_late_proven_absence_frees_one_attempt(stage: Stage) -> None:
    lose(stage, "drop_before")
    look_and_settle(stage)
    stage.later(hours=1)
    seen = [look(stage) for _ in range(3)]
    for one in seen[:2]:
        settle(stage, one)
    assert stage.states() == {"ready": 1}
    stage.control.fault("drop_before", next=1)
    stage.dispatch()  # The next attempt is lost as well, so that there is something a late look could free by mistake.
    assert stage.states() == {"unknown": 1}
    settle(stage, seen[2])
    assert stage.states() == {"unknown": 1}
    assert stage.states("attempt") == {"not_sent": 1, "unknown": 1}


def test_every_look_is_kept_and_those_in_a_row_that_came_to_the_same_are_one(stage: Stage) -> None:
    lose(stage)
    rule = stage.control.fault("read_error")
    for _ in range(3):
        look_and_settle(stage)
    stage.control.remove_fault(rule)
    look_and_settle(stage)
    with stage.sessions() as session:
        rows = session.execute(sa.text("select result, times from look order by id")).all()
    assert [tuple(row) for row in rows] == [(LookResult.UNREACHABLE, 3), (LookResult.FOUND, 1)]


def test_what_the_books_do_not_settle_for_a_day_is_one_task_which_the_engine_closes_when_it_is_settled_after_all(
    stage: Stage,
) -> None:
    lose(stage)
    rule = stage.control.fault("read_error")
    jobs.sweep_once(stage.machine)
    assert tasks(stage.sessions) == []
    stage.later(hours=25)
    for _ in range(2):
        jobs.sweep_once(stage.machine)
    (task,) = tasks(stage.sessions)
    assert (task.kind, task.campaign_id, task.closed_at) == ("undecided", stage.campaign_id, None)
    stage.control.remove_fault(rule)
    for _ in range(2):
        stage.later(hours=1)
        jobs.sweep_once(stage.machine)
        jobs.apply_due(stage.machine)
    (task,) = tasks(stage.sessions)
    assert (task.resolution, task.closed_by) == ("settled", None)


def test_an_attempt_to_an_erased_phone_is_put_before_a_person_and_never_freed_by_itself(stage: Stage) -> None:
    lose(stage, "drop_before")
    with stage.sessions.begin() as session:
        erase(session, stage.contact(0).id)
    for _ in range(4):
        stage.later(hours=12)
        jobs.sweep_once(stage.machine)
    assert stage.states() == {"unknown": 1}
    (task,) = tasks(stage.sessions)
    with stage.sessions.begin() as session:
        found = undecided.evidence(session, task.id)
        assert [one.result for one in found.looks] == [LookResult.ERASED]
        undecided.decide(session, task.id, Decision.HANDED_OVER, "The number is gone.", by=make_account(session, Role.SUPERVISOR))
    with stage.sessions() as session:
        assert undecided.evidence(session, task.id).note == "The number is gone."


@pytest.mark.parametrize("stage", [{"mail_provider": "smtp", "smtp_host": "127.0.0.1", "smtp_security": "none"}], indirect=True)
def test_a_mail_whose_relay_never_answered_is_put_before_a_person_as_soon_as_no_answer_is_waited_for(stage: Stage) -> None:
    lose(stage, "drop_before")
    stage.execute("update attempt set provider = 'smtp', channel = 'email'")
    jobs.sweep_once(stage.machine)
    assert tasks(stage.sessions) == []
    stage.later(hours=1)
    jobs.sweep_once(stage.machine)
    assert len(tasks(stage.sessions)) == 1


@pytest.mark.parametrize(
    ("decision", "message", "attempt", "texts"),
    [(Decision.HANDED_OVER, "accepted", "accepted", 0), (Decision.NOT_HANDED_OVER, "ready", "not_sent", 1)],
)
def test_a_person_decides_once_with_a_reason_that_is_sealed_and_an_entry_in_the_audit_log(
    stage: Stage, decision: Decision, message: str, attempt: str, texts: int
) -> None:
    lose(stage, "drop_before")
    stage.control.fault("read_error")
    stage.later(hours=25)
    jobs.sweep_once(stage.machine)
    (task,) = tasks(stage.sessions)
    with stage.sessions.begin() as session:
        by = make_account(session, Role.APPROVER)
        with pytest.raises(NoReason):
            undecided.decide(session, task.id, decision, "  ", by=by)
        undecided.decide(session, task.id, decision, "The carrier's desk said so.", by=by)
    assert (stage.states(), stage.states("attempt")) == ({message: 1}, {attempt: 1})
    assert stage.outcomes() == {"in_progress": 1}
    with stage.sessions.begin() as session:
        found = undecided.evidence(session, task.id)
        assert (found.note, found.task.resolution) == ("The carrier's desk said so.", decision)
        assert b"desk" not in (found.task.note_sealed or b"desk")
        with pytest.raises(AlreadySettled):
            undecided.decide(session, task.id, Decision.NOT_HANDED_OVER, "Once more.", by=by)
    assert stage.scalar("select count(*) from audit_entry where action = 'attempt.decide'") == 1
    stage.control.clear_faults()
    stage.dispatch()
    assert stage.accepted() == texts


def test_what_is_freed_in_a_campaign_that_is_over_goes_on_the_worked_list(stage: Stage) -> None:
    lose(stage, "drop_before")
    stage.control.fault("read_error")
    stage.later(hours=25)
    jobs.sweep_once(stage.machine)
    stage.execute("update campaign set state = 'done'")
    (task,) = tasks(stage.sessions)
    with stage.sessions.begin() as session:
        by = make_account(session, Role.APPROVER)
        undecided.decide(session, task.id, Decision.NOT_HANDED_OVER, "It is not in their log.", by=by)
    assert stage.outcomes() == {"exhausted:not_delivered": 1}


def test_a_person_cannot_decide_against_a_report_that_has_come(stage: Stage) -> None:
    lose(stage)
    stage.later(hours=25)
    rule = stage.control.fault("read_error")
    jobs.sweep_once(stage.machine)
    stage.control.remove_fault(rule)
    (task,) = tasks(stage.sessions)
    look_and_settle(stage)  # It is found, and not projected yet.
    with stage.sessions.begin() as session:
        by = make_account(session, Role.SUPERVISOR)
        with pytest.raises(AlreadySettled):
            undecided.decide(session, task.id, Decision.NOT_HANDED_OVER, "I looked.", by=by)
    stage.control.set(paused=False)
    stage.run_until_quiet()
    assert stage.accepted() == 1


def test_the_schema_refuses_what_no_decision_may_do(stage: Stage) -> None:
    lose(stage, "drop_before")
    for table, steps in (("attempt", ["not_sent", "unknown"]), ("message", ["accepted", "ready"])):
        for _, wrong in pairwise(steps):
            stage.execute(f"update {table} set state = '{steps[0]}'")
            with pytest.raises(IntegrityError):
                stage.execute(f"update {table} set state = '{wrong}'")


def test_the_evidence_shows_what_else_went_there_and_neither_a_text_nor_a_number(stage: Stage) -> None:
    lose(stage)
    stage.later(hours=25)
    stage.control.fault("read_error")
    jobs.sweep_once(stage.machine)
    (task,) = tasks(stage.sessions)
    with stage.sessions() as session:
        found = undecided.evidence(session, task.id)
    assert (found.number, found.attempts, found.over, found.restored) == (1, 1, False, False)
    assert found.others == ()
    assert len(found.people) == 1
    assert found.attempt.started_at < now() - timedelta(hours=24)
    assert phone(0) not in repr(found)

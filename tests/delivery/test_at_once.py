"""Everything happens at once, on several workers: nothing twice, and nobody waits for ever."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import sqlalchemy as sa

from outreach import jobs
from outreach.delivery import reply
from outreach.delivery.claim import Rules, claim
from outreach.delivery.record import Limits, Result, record
from outreach.jobs import Machine
from outreach.providers.contract import Inbound, Receipt, Refusal, Verdict
from tests.delivery.conftest import HOUSE, LEASE
from tests.stage import Stage, phone

PEOPLE = 60


def all_at_once(*acts: Callable[[], object]) -> list[object]:
    """Run these at the same moment, each in a thread; their results. Whatever one raises is raised."""
    gate = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> object:
        gate.wait(10)
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts, timeout=60))


def test_several_dispatchers_planners_and_sweepers_at_once_tell_everybody_once(stage: Stage) -> None:
    stage.cast(PEOPLE)
    all_at_once(*[stage.plan] * 4)
    assert stage.states() == {"ready": PEOPLE}
    small = Machine(replace(stage.settings, sms_batch=7), stage.sessions)
    sent = all_at_once(*[lambda: jobs.send_due(small).sent] * 4, lambda: jobs.sweep_once(small), stage.plan)
    assert sum(n for n in sent if isinstance(n, int)) == PEOPLE
    stage.run_until_quiet()
    assert stage.outcomes() == {"reached": PEOPLE}
    assert stage.accepted() == PEOPLE
    stage.check_promises()


def test_several_sweepers_reconcile_each_unknown_once(stage: Stage) -> None:
    stage.cast(20)
    stage.control.fault("drop_after")
    stage.plan()
    stage.dispatch()
    assert stage.states() == {"unknown": 20}
    for _ in range(3):
        all_at_once(*[lambda: jobs.sweep_once(stage.machine)] * 3, *[lambda: jobs.apply_due(stage.machine)] * 3)
        stage.later(hours=1)
    stage.control.clear_faults()
    stage.run_until_quiet()
    assert stage.accepted() == 20
    stage.check_promises()


def test_a_refusal_is_recorded_while_the_phone_says_stop_and_nothing_deadlocks(stage: Stage) -> None:
    """Both close the contact point and settle its message; each must lock them in the same order."""
    stage.cast(30)
    stage.plan()
    with stage.sessions.begin() as session:
        batch = claim(session, "sms", 100, Rules(HOUSE, LEASE, "twilio"))
    results = [
        Result(c.message_id, Receipt(c.envelope.token, Verdict.REFUSED, code="21211", refusal=Refusal.BAD_ADDRESS))
        for c in batch.claimed
    ]

    def write_down(chunk: list[Result]) -> Callable[[], None]:
        def act() -> None:
            with stage.sessions.begin() as session:
                record(session, chunk, Limits(3, 60), "twilio")

        return act

    def stop(numbers: range) -> Callable[[], None]:
        def act() -> None:
            for number in numbers:
                with stage.sessions.begin() as session:
                    reply.receive(session, "twilio", Inbound(f"SM{number:032x}", phone(number), "STOP"), HOUSE)

        return act

    all_at_once(
        write_down(results[::2]),
        write_down(results[1::2]),
        stop(range(30)),
        stop(range(29, -1, -1)),
        lambda: jobs.apply_due(stage.machine),
    )
    assert stage.states() == {"failed": 30}
    assert stage.scalar("select count(*) from contact_point where state <> 'opted_out'") == 0
    stage.check_outcomes()


def test_reports_are_applied_once_though_several_workers_are_at_it(stage: Stage) -> None:
    stage.cast(PEOPLE)
    stage.control.fault("doubled")
    stage.plan()
    stage.dispatch()
    stage.control.wait_until_quiet()
    waiting = stage.scalar("select count(*) from event where applied_at is null")
    applied = all_at_once(*[lambda: jobs.apply_due(stage.machine)] * 4)
    assert sum(n for n in applied if isinstance(n, int)) == waiting
    stage.check_promises()


def test_a_later_step_is_planned_while_reports_about_the_earlier_one_come_in(stage: Stage) -> None:
    stage.cast(PEOPLE, waits=(0, 24))
    stage.control.fault("fate", status="undelivered", code=99999, chance=0.5)
    stage.plan()
    stage.dispatch()
    stage.control.wait_until_quiet()
    stage.execute("update campaign set launched_at = launched_at - interval '2 days'")
    all_at_once(lambda: jobs.apply_due(stage.machine), stage.plan, lambda: jobs.sweep_once(stage.machine), stage.plan)
    assert stage.scalar("select count(*) from message m join step s on s.id = m.step_id where s.position = 2") == PEOPLE
    stage.check_outcomes()


def test_a_message_in_another_workers_hands_is_passed_over_and_not_waited_for(stage: Stage) -> None:
    stage.cast(2)
    stage.plan()
    with stage.sessions.begin() as holding:
        holding.execute(sa.text("select 1 from message order by due_at, id limit 1 for update"))
        with stage.sessions.begin() as session:
            session.execute(sa.text("set local lock_timeout = '2s'"))
            assert claim(session, "sms", 10, Rules(HOUSE, LEASE, "twilio")).seen == 1

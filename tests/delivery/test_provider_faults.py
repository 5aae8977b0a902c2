"""Whatever the provider or the network does: one right outcome, and one accepted text for each decision."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from outreach import jobs
from tests.stage import Stage

COUNT = 3


@dataclass(frozen=True)
class Case:
    """What strikes each first request, what we make of it at once, and what it all comes to."""

    name: str
    fault: str
    at_once: str  # of the messages, after one dispatch
    attempt: str  # of the first attempts, after one dispatch
    outcomes: dict[str, int]  # in the end
    accepted: int = COUNT
    options: dict[str, Any] = field(default_factory=dict)


REACHED = {"reached": COUNT}
CASES = [
    Case("429 without Retry-After", "rate_limit", "ready", "not_sent", REACHED),
    Case("429 with Retry-After", "rate_limit", "ready", "not_sent", REACHED, options={"retry_after": 7}),
    Case("the phone said STOP (21610)", "refuse", "failed", "refused", {"exhausted:opted_out": COUNT}, 0, {"code": 21610}),
    Case("no such number (21211)", "refuse", "failed", "refused", {"exhausted:bad_contact": COUNT}, 0, {"code": 21211}),
    Case("a landline (21614)", "refuse", "failed", "refused", {"exhausted:bad_contact": COUNT}, 0, {"code": 21614}),
    Case("taken for spam (30007)", "refuse", "failed", "refused", {"exhausted:filtered": COUNT}, 0, {"code": 30007}),
    Case("a queue that is full (30001)", "refuse", "ready", "refused", REACHED, options={"code": 30001}),
    Case("a code nobody knows (29999)", "refuse", "failed", "refused", {"exhausted:refused": COUNT}, 0, {"code": 29999}),
    Case("500 before it was taken", "error_before", "unknown", "unknown", REACHED, options={"http_status": 500}),
    Case("502 before it was taken", "error_before", "unknown", "unknown", REACHED, options={"http_status": 502}),
    Case("503 before it was taken", "error_before", "unknown", "unknown", REACHED, options={"http_status": 503}),
    Case("500 after it was taken", "error_after", "unknown", "unknown", REACHED, options={"http_status": 500}),
    Case("503 after it was taken", "error_after", "unknown", "unknown", REACHED, options={"http_status": 503}),
    Case("dropped before it was taken", "drop_before", "unknown", "unknown", REACHED),
    Case("dropped after it was taken", "drop_after", "unknown", "unknown", REACHED),
    Case("cut off in the middle of the answer", "cut_off", "unknown", "unknown", REACHED),
    Case("answered later than we wait", "slow", "unknown", "unknown", REACHED, options={"ms": 1500}),
    Case("half of the JSON", "truncated", "unknown", "unknown", REACHED),
    Case("an HTML page instead of JSON", "wrong_type", "unknown", "unknown", REACHED),
    Case("accepted without a sid", "no_sid", "unknown", "unknown", REACHED),
]


@pytest.mark.parametrize("stage", [{"sms_timeout_seconds": "0.7"}], indirect=True)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_fault_has_one_right_outcome(stage: Stage, case: Case) -> None:
    stage.cast(COUNT)
    stage.plan()
    stage.control.set(paused=True)  # No report comes before we have looked.
    stage.control.fault(case.fault, next=COUNT, **case.options)
    stage.dispatch()
    assert stage.states() == {case.at_once: COUNT}
    assert stage.states("attempt") == {case.attempt: COUNT}
    stage.check_books(settled=False)
    stage.control.set(paused=False)
    stage.run_until_quiet()
    assert stage.outcomes() == case.outcomes
    assert stage.accepted() == case.accepted
    assert stage.control.summary()["duplicates"] == 0
    stage.check_promises()


def test_a_carrier_that_is_down_is_not_sent_and_asked_again_ever_more_rarely(stage: Stage) -> None:
    stage.cast(COUNT)
    stage.plan()
    stage.carrier.stop()
    waits = []
    for _ in range(5):
        assert stage.dispatch() == 0
        assert stage.states() == {"ready": COUNT}
        assert stage.states("attempt").keys() == {"not_sent"}
        waits.append(float(stage.scalar("select extract(epoch from min(due_at) - now()) from message")))
        stage.later(hours=1)
    assert all(later > 1.2 * sooner for sooner, later in pairwise(waits))
    stage.carrier.start()
    stage.run_until_quiet()
    assert stage.outcomes() == REACHED
    stage.check_promises()


def test_a_wait_that_the_carrier_asks_for_is_kept(stage: Stage) -> None:
    stage.cast(1)
    stage.plan()
    stage.control.fault("rate_limit", next=1, retry_after=600)
    stage.dispatch()
    assert stage.scalar("select extract(epoch from due_at - now()) from message") > 0.7 * 600


@pytest.mark.parametrize("refusal", [{"code": 20003, "http_status": 401}, {"code": 30034}, {"code": 29999, "http_status": 403}])
def test_a_fault_of_our_own_account_stops_the_provider_and_costs_nobody_anything(stage: Stage, refusal: dict[str, int]) -> None:
    stage.cast(COUNT)
    stage.plan()
    rule = stage.control.fault("refuse", **refusal)
    stage.dispatch()
    kind = "filtered" if refusal["code"] == 30034 else "configuration"
    assert stage.breakers() == [(kind, "twilio", str(refusal["code"]))]
    assert stage.states() == {"ready": COUNT}
    assert stage.outcomes() == {"in_progress": COUNT}
    assert stage.scalar("select count(*) from audit_entry where action = 'breaker.open'") == 1
    assert stage.dispatch() == 0
    stage.control.remove_fault(rule)
    stage.execute("update breaker set closed_at = now()")
    stage.run_until_quiet()
    assert stage.outcomes() == REACHED
    stage.check_promises()


def test_back_off_spends_no_try_and_a_transient_refusal_spends_one(stage: Stage) -> None:
    stage.cast(1)
    stage.plan()
    stage.control.fault("rate_limit", next=5)
    for _ in range(5):
        stage.dispatch()
        stage.later(hours=1)
    stage.control.fault("refuse", code=30001)
    for _ in range(stage.settings.sms_attempts - 1):
        stage.dispatch()
        stage.later(hours=1)
        assert stage.states() == {"ready": 1}
    stage.dispatch()
    assert stage.states() == {"failed": 1}
    assert stage.outcomes() == {"exhausted:refused": 1}


@pytest.mark.parametrize("stage", [{"filtered_limit": "3", "sms_batch": "2", "sms_in_flight": "1"}], indirect=True)
def test_a_carriers_filter_stops_the_step_before_it_spoils_everybody(stage: Stage) -> None:
    stage.cast(10)
    stage.plan()
    stage.control.fault("refuse", code=30007)
    stage.dispatch()
    assert stage.breakers() == [("filtered", "step", "30007")]
    assert stage.states() == {"failed": 4, "ready": 6}  # the batch in which the third refusal came is the last one


@pytest.mark.parametrize("stage", [{"filtered_limit": "3"}], indirect=True)
@pytest.mark.parametrize(
    ("code", "kind", "stopped"),
    [(30007, "filtered", "step"), (30034, "filtered", "twilio"), (30002, "configuration", "twilio")],
)
def test_reports_of_a_filter_or_of_our_account_stop_what_they_are_about(stage: Stage, code: int, kind: str, stopped: str) -> None:
    stage.cast(4)
    stage.plan()
    stage.control.fault("fate", status="undelivered", code=code)
    stage.dispatch()
    stage.callbacks()
    assert stage.breakers() == [(kind, stopped, str(code))]


@pytest.mark.parametrize("fault", ["drop_after", "drop_before"])
def test_an_unknown_is_freed_only_by_two_looks_into_readable_books(stage: Stage, fault: str) -> None:
    stage.cast(1)
    stage.plan()
    stage.control.set(paused=True)
    stage.control.fault(fault, next=1)
    stage.dispatch()
    rule = stage.control.fault("read_error")
    for _ in range(4):
        stage.later(hours=1)
        jobs.sweep_once(stage.machine)
        assert stage.states() == {"unknown": 1}
    stage.control.remove_fault(rule)
    stage.later(hours=1)
    jobs.sweep_once(stage.machine)
    assert stage.states() == {"unknown": 1}  # one look is no proof
    stage.later(hours=1)
    jobs.sweep_once(stage.machine)
    jobs.apply_due(stage.machine)
    assert stage.states() == ({"accepted": 1} if fault == "drop_after" else {"ready": 1})


@pytest.mark.parametrize("missing", ["delivered", "sent"])
def test_a_report_that_never_comes_is_made_up_for_by_asking(stage: Stage, missing: str) -> None:
    stage.cast(COUNT)
    stage.plan()
    stage.control.fault("missing", statuses=[missing])
    stage.dispatch()
    stage.callbacks()
    jobs.sweep_once(stage.machine)
    jobs.apply_due(stage.machine)
    assert stage.outcomes() == REACHED
    stage.check_promises()


def test_callbacks_that_are_doubled_reordered_late_or_wrongly_signed_change_nothing_in_the_end(stage: Stage) -> None:
    stage.cast(12)
    for fault, options in (("doubled", {}), ("reordered", {"ms": 30}), ("late", {"ms": 30}), ("bad_signature", {"chance": 0.3})):
        stage.control.fault(fault, to="*", **options)
    stage.run_until_quiet()
    stage.later(hours=2)
    stage.run_until_quiet()
    assert stage.outcomes() == {"reached": 12}
    stage.check_promises()

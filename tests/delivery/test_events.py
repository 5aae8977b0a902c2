"""Reports come doubled, late, in any order, before our own record, or about nothing that we know: the truth comes out the same."""

from collections.abc import Sequence
from itertools import permutations
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from outreach import jobs
from outreach.access.accounts import Role
from outreach.delivery import events, plan, reconcile
from outreach.delivery.claim import Claimed, Rules, claim
from outreach.delivery.record import Limits, Result, record
from outreach.delivery.sweep import retry_undelivered
from outreach.providers.contract import Receipt, Refusal, Report, Verdict
from outreach.providers.twilio import STATES
from tests.delivery.conftest import HOUSE, LEASE
from tests.factories import make_account, make_incident
from tests.stage import make_notice, make_recipients, make_running

RULES = Rules(HOUSE, LEASE, "twilio")
LIMITS = Limits(attempts=3, retry_seconds=60)


class Journey:
    """One message to one person, and what happens to it."""

    def __init__(self, session: Session) -> None:
        self.session = session
        incident = make_incident(session)
        make_recipients(session, incident, 1)
        make_running(session, incident, make_notice(session, by=make_account(session, Role.APPROVER)))
        for step in plan.due_steps(session):
            plan.plan(session, step)
        self.attempts: list[UUID] = []
        self.claimed: Claimed | None = None

    def claim(self) -> bool:
        """Whether there was anything to send."""
        batch = claim(self.session, "sms", 10, RULES)
        for item in batch.claimed:
            self.claimed = item
            self.attempts.append(item.envelope.token)
        return bool(batch.claimed)

    def record(self, verdict: Verdict, *, attempt: int = -1, refusal: Refusal | None = None) -> None:
        assert self.claimed is not None
        token = self.attempts[attempt]
        sid = self.sid(attempt) if verdict == Verdict.ACCEPTED else None
        record(self.session, [Result(self.claimed.message_id, Receipt(token, verdict, sid, "1", refusal))], LIMITS, "twilio")

    def sid(self, attempt: int = -1) -> str:
        return f"SM{self.attempts[attempt].hex}"

    def hear(self, status: str, code: str | None = None, *, attempt: int = -1, sid: str | None = None) -> bool:
        """Keep a report; whether it was a new one."""
        sid = sid or self.sid(attempt)
        report = Report(f"{sid}:{status}:{code or ''}", self.attempts[attempt], sid, status, STATES[status], code)
        return events.keep(self.session, "twilio", report) == 1

    def apply(self) -> None:
        events.apply(self.session, size=100, meaning=jobs.meaning, limits=lambda _: LIMITS)

    def hear_all(self, reports: Sequence[tuple[str, str | None]], *, at_once: bool) -> None:
        for status, code in reports:
            self.hear(status, code)
            if not at_once:
                self.apply()
        self.apply()

    def later(self) -> None:
        """Whatever waits has waited long enough."""
        self.session.execute(sa.text("update message set due_at = now() where due_at is not null"))
        self.session.execute(sa.text("update attempt set lease_until = now() - interval '1 hour', checked_at = null"))

    def release(self) -> None:
        """The worker never came back, and the carrier's books were twice seen without the text."""
        self.later()
        reconcile.expire_leases(self.session)
        for _ in range(2):
            taken = reconcile.take(self.session, "twilio", reconcile.Waits(0, 0, ()), 10)
            reconcile.settle(self.session, "twilio", taken, [reconcile.Answer(True, ())] * len(taken))

    @property
    def state(self) -> str:
        return str(self.session.scalar(sa.text("select state from message")))

    @property
    def outcome(self) -> str:
        return str(self.session.scalar(sa.text("select concat_ws(':', state, reason) from outcome")))

    def attempt_state(self, attempt: int = -1) -> str:
        return str(self.session.scalar(sa.text("select state from attempt where id = :id"), {"id": self.attempts[attempt]}))


@pytest.fixture
def journey(session: Session) -> Journey:
    journey = Journey(session)
    assert journey.claim()
    return journey


ENDS = {
    ("delivered", None): ("delivered", "reached"),
    ("undelivered", "30005"): ("undelivered", "exhausted:bad_contact"),
    ("undelivered", "30003"): ("undelivered", "in_progress"),
    ("undelivered", "99999"): ("undelivered", "exhausted:not_delivered"),
    ("failed", "30007"): ("failed", "exhausted:filtered"),
    ("failed", "21610"): ("failed", "exhausted:opted_out"),
    ("canceled", None): ("failed", "exhausted:not_delivered"),
}


@pytest.mark.parametrize("at_once", [True, False], ids=["applied together", "applied one by one"])
@pytest.mark.parametrize("recorded", ["before", "in the middle", "after", "never"])
@pytest.mark.parametrize("end", ENDS, ids=lambda end: f"{end[0]} {end[1]}")
def test_reports_in_every_order_and_doubled_come_to_the_same_end(
    session: Session, end: tuple[str, str | None], recorded: str, at_once: bool
) -> None:
    for order in permutations([("queued", None), ("sent", None), end]):
        with session.begin_nested() as savepoint:
            journey = Journey(session)
            journey.claim()
            if recorded == "before":
                journey.record(Verdict.ACCEPTED)
            journey.hear_all(order[:2], at_once=at_once)
            if recorded == "in the middle":
                journey.record(Verdict.ACCEPTED)
            journey.hear_all([*order, order[0]], at_once=at_once)
            if recorded == "after":
                journey.record(Verdict.ACCEPTED)
            assert (journey.state, journey.outcome) == ENDS[end]
            assert journey.attempt_state() == STATES[end[0]]
            savepoint.rollback()


def test_the_same_report_twice_is_kept_once(journey: Journey) -> None:
    assert journey.hear("sent")
    assert not journey.hear("sent")
    journey.apply()
    assert not journey.hear("sent")


@pytest.mark.parametrize("late", ["while it waits", "when it is due again", "when it is handed over again", "when that is taken"])
def test_delivered_after_undelivered_wins_however_late_it_comes(journey: Journey, late: str) -> None:
    journey.record(Verdict.ACCEPTED)
    journey.hear_all([("undelivered", "30003")], at_once=True)
    assert journey.outcome == "in_progress"
    if late != "while it waits":
        journey.later()
        retry_undelivered(journey.session)
    if late in ("when it is handed over again", "when that is taken"):
        assert journey.claim()
    if late == "when that is taken":
        journey.record(Verdict.ACCEPTED)
    journey.hear("delivered", attempt=0)
    journey.apply()
    assert (journey.state, journey.outcome) == ("delivered", "reached")
    journey.later()
    retry_undelivered(journey.session)
    assert not journey.claim()
    if len(journey.attempts) == 2:
        journey.record(Verdict.ACCEPTED)
        journey.hear_all([("sent", None), ("undelivered", "30005")], at_once=True)
        assert (journey.state, journey.outcome) == ("delivered", "reached")


@pytest.mark.parametrize("message_state", ["cancelled", "blocked", "failed", "undelivered", "ready"])
def test_delivered_is_believed_whatever_became_of_the_message_meanwhile(journey: Journey, message_state: str) -> None:
    journey.record(Verdict.ACCEPTED)
    journey.hear_all([("undelivered", "30003")], at_once=True)
    if message_state != "undelivered":
        journey.session.execute(sa.text("update message set state = 'ready', due_at = now()"))
    if message_state == "failed":
        journey.session.execute(sa.text("update message set state = 'submitting'"))
    if message_state not in ("undelivered", "ready"):
        journey.session.execute(sa.text("update message set state = :state"), {"state": message_state})
    journey.hear_all([("delivered", None)], at_once=True)
    assert (journey.state, journey.outcome) == ("delivered", "reached")


def test_a_late_sent_does_not_call_back_a_failure_or_its_retry(journey: Journey) -> None:
    journey.record(Verdict.ACCEPTED)
    journey.hear_all([("undelivered", "30003")], at_once=True)
    journey.later()
    retry_undelivered(journey.session)
    journey.hear_all([("sent", None)], at_once=True)
    assert journey.state == "ready"
    assert journey.claim()


def test_a_failure_that_may_pass_is_tried_as_often_as_the_settings_say_and_no_more(journey: Journey) -> None:
    for number in range(LIMITS.attempts):
        journey.record(Verdict.ACCEPTED)
        journey.hear_all([("undelivered", "30003")], at_once=True)
        journey.later()
        retry_undelivered(journey.session)
        assert journey.claim() == (number + 1 < LIMITS.attempts)
    assert (journey.state, journey.outcome) == ("undelivered", "exhausted:not_delivered")


def test_a_report_about_nothing_we_know_is_kept_marked_and_changes_nothing(journey: Journey) -> None:
    journey.attempts.append(uuid4())
    journey.hear("delivered")
    journey.apply()
    assert journey.session.scalar(sa.text("select problem from event")) == "no_attempt"
    assert journey.state == "submitting"


def test_a_report_with_another_texts_sid_changes_nothing(journey: Journey) -> None:
    journey.record(Verdict.ACCEPTED)
    journey.hear("delivered", sid=f"SM{'0' * 32}")
    journey.apply()
    assert journey.session.scalar(sa.text("select problem from event")) == "other_provider_id"
    assert journey.state == "accepted"


@pytest.mark.parametrize("at_once", [True, False], ids=["applied together", "applied one by one"])
@pytest.mark.parametrize("known", [True, False], ids=["a sid that we know", "a sid that we do not know yet"])
def test_one_sid_reported_for_two_attempts_does_not_stop_all_other_reports(journey: Journey, at_once: bool, known: bool) -> None:
    if known:
        journey.record(Verdict.ACCEPTED)
        journey.hear_all([("undelivered", "30003")], at_once=True)
    else:
        journey.record(Verdict.REFUSED, refusal=Refusal.TRANSIENT)
    journey.later()
    retry_undelivered(journey.session)
    journey.claim()
    for attempt, status in ((1, "delivered"), (0, "sent")) if known else ((0, "delivered"), (1, "failed")):
        journey.hear(status, sid=journey.sid(0), attempt=attempt)
        if not at_once:
            journey.apply()
    journey.hear("sent", attempt=1)
    journey.apply()
    assert journey.session.scalar(sa.text("select count(*) from event where applied_at is null")) == 0
    assert journey.session.scalar(sa.text("select count(*) from event where problem = 'other_provider_id'")) == 1
    assert journey.attempt_state(1) == "sent"


def test_an_attempt_nobody_finished_never_blocks_its_phone(journey: Journey) -> None:
    """Its message was settled by another attempt, and its worker is gone."""
    journey.record(Verdict.ACCEPTED)
    journey.hear_all([("undelivered", "30003")], at_once=True)
    journey.later()
    retry_undelivered(journey.session)
    journey.claim()
    journey.hear("delivered", attempt=0)
    journey.apply()
    journey.release()
    assert journey.attempt_state(1) == "not_sent"
    assert journey.state == "delivered"


def test_whoever_may_have_got_a_text_from_a_worker_that_died_is_in_progress(journey: Journey) -> None:
    assert journey.outcome == "planned"
    journey.later()
    reconcile.expire_leases(journey.session)
    assert (journey.state, journey.outcome) == ("unknown", "in_progress")


class TestAnAttemptThatWasGivenUp:
    """Absence was proved twice, and yet the carrier had the text: a worker frozen for longer than anybody thought."""

    @pytest.fixture
    def released(self, journey: Journey) -> Journey:
        journey.release()
        assert (journey.state, journey.attempt_state()) == ("ready", "not_sent")
        return journey

    @pytest.mark.parametrize(("status", "state"), [("sent", "sent"), ("delivered", "delivered")])
    def test_a_report_about_it_keeps_it_from_being_sent_again(self, released: Journey, status: str, state: str) -> None:
        released.hear_all([(status, None)], at_once=True)
        assert (released.state, released.attempt_state()) == (state, state)
        assert not released.claim()

    def test_the_late_answer_to_its_call_keeps_it_from_being_sent_again(self, released: Journey) -> None:
        released.record(Verdict.ACCEPTED)
        assert (released.state, released.attempt_state()) == ("accepted", "accepted")
        assert not released.claim()

    @pytest.mark.parametrize("verdict", [Verdict.NOT_SENT, Verdict.UNKNOWN, Verdict.ACCEPTED])
    def test_its_late_result_does_not_disturb_the_next_attempt(self, released: Journey, verdict: Verdict) -> None:
        released.claim()
        released.record(verdict, attempt=0)
        assert (released.state, released.attempt_state(1)) == ("submitting", "open")
        assert not released.claim()
        released.record(Verdict.ACCEPTED)
        assert (released.state, released.attempt_state(1)) == ("accepted", "accepted")

    @pytest.mark.parametrize("status", ["sent", "undelivered", "failed"])
    def test_a_report_about_it_while_the_next_one_is_alive_stops_no_other_report(self, released: Journey, status: str) -> None:
        released.claim()
        released.record(Verdict.ACCEPTED)
        released.hear(status, attempt=0)
        released.hear("sent")
        released.apply()
        assert (released.state, released.attempt_state(1)) == ("sent", "sent")


STEPS = ["claim", "accepted", "unknown", "not_sent", "refused", "release", "later", "apply"]
HEARD = [("sent", None), ("delivered", None), ("undelivered", "30003"), ("undelivered", "30005"), ("failed", None)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(STEPS) | st.tuples(st.integers(0, 2), st.sampled_from(HEARD)), max_size=14))
def test_no_order_of_events_raises_or_forgets_a_delivery_or_leaves_a_message_without_a_way_on(
    session: Session, steps: list[str | tuple[int, tuple[str, str | None]]]
) -> None:
    with session.begin_nested() as savepoint:
        journey = Journey(session)
        delivered = False
        for step in steps:
            if isinstance(step, tuple):
                number, (status, code) = step
                if number < len(journey.attempts):
                    journey.hear(status, code, attempt=number)
                    delivered = delivered or status == "delivered"
            elif step == "claim":
                journey.claim()
            elif step == "release":
                journey.release()
            elif step == "later":
                journey.later()
                retry_undelivered(session)
            elif step == "apply":
                journey.apply()
            elif journey.attempts:
                journey.record(Verdict(step), refusal=Refusal.TRANSIENT if step == "refused" else None)
        journey.apply()
        if delivered:
            assert (journey.state, journey.outcome) == ("delivered", "reached")
        journey.release()
        journey.later()
        retry_undelivered(session)
        journey.claim()
        open_attempts = session.scalar(sa.text("select count(*) from attempt where state in ('open', 'unknown')"))
        assert journey.state in ("submitting", "accepted", "sent", "delivered", "undelivered", "failed", "cancelled")
        assert (open_attempts == 1) == (journey.state == "submitting")
        savepoint.rollback()

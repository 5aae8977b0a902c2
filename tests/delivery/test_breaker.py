"""Breakers: each kind opened by what really opens it, nothing sent while one is open, and counts that start afresh."""

from datetime import datetime, timedelta
from threading import Thread
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach import jobs
from outreach.access.accounts import Role
from outreach.db import now
from outreach.delivery import breaker, heartbeat
from outreach.delivery.breaker import Breaker, BreakerKind, Fault, Finding, MayNotClose, Tolerance
from outreach.providers.contract import Refusal
from tests.factories import make_account, make_campaign, make_contact, make_message, make_person
from tests.stage import Stage, mailbox, phone

# Small samples, so that few people are enough.
SMALL = {
    "breaker_sample": "10", "breaker_address_share": "0.5", "breaker_refusal_share": "0.2", "breaker_unknown_share": "0.2",
    "breaker_mail_sample": "10", "breaker_bounce_share": "0.2", "breaker_complaint_share": "0.1",
    "sms_batch": "2", "sms_in_flight": "1", "mail_batch": "2", "mail_in_flight": "1",
}  # fmt: skip
small = pytest.mark.parametrize("stage", [SMALL], indirect=True)


def close_all(stage: Stage) -> None:
    with stage.sessions.begin() as session:
        by = make_account(session, Role.SUPERVISOR)
        for found in session.scalars(sa.select(Breaker).where(Breaker.closed_at.is_(None))).all():
            breaker.close(session, found.id, by=by)


@small
@pytest.mark.parametrize(
    ("fault", "options", "opened", "gone"),
    [
        ("refuse", {"code": 29999}, ("refusals", "step", "29999"), 4),
        ("refuse", {"code": 21211}, ("refusals", "step", "21211"), 6),  # half of the numbers may be bad
        ("drop_after", {}, ("unknowns", "twilio", "ServerDisconnectedError"), 6),  # never fewer than five
    ],
)
def test_what_a_provider_answers_too_often_stops_what_it_is_about_until_somebody_has_looked(
    stage: Stage, fault: str, options: dict[str, int], opened: tuple[str, str, str], gone: int
) -> None:
    stage.cast(12)
    stage.plan()
    rule = stage.control.fault(fault, **options)
    stage.dispatch()
    assert stage.breakers() == [opened]
    assert stage.states()["ready"] == 12 - gone, "the batch that was one too many is the last one"
    with stage.sessions() as session:
        assert jobs.dispatch not in jobs.due(session, jobs.carriers(stage.settings)), "nobody is rung for what nobody may send"
    assert stage.dispatch() == 0
    stage.control.remove_fault(rule)
    close_all(stage)
    assert stage.dispatch() == 12 - gone
    assert stage.breakers() == [], "what came before it was closed counts no more"
    stage.check_books(settled=False)


@small
def test_refusals_within_what_is_normal_stop_nothing(stage: Stage) -> None:
    stage.cast(12)
    stage.plan()
    # 21408: one number abroad must not stop everybody else's text.
    for number, code in enumerate((21211, 21211, 21211, 21408, 21408, 29999, 29999)):
        stage.control.fault("refuse", to=phone(number), code=code)
    stage.dispatch()
    stage.callbacks()
    assert stage.breakers() == []
    assert stage.states() == {"failed": 7, "delivered": 5}


@pytest.mark.parametrize(("turned_away", "opened"), [(6, ["refusals"]), (5, [])])
def test_a_provider_that_turns_away_most_for_now_stops_the_step_though_all_of_it_is_tried_again(
    session: Session, turned_away: int, opened: list[str]
) -> None:
    campaign = make_campaign(session)
    messages = [make_message(session, campaign, make_contact(session, make_person(session)), state="unknown").id for _ in range(10)]
    refused = {"ids": messages[:turned_away]}
    session.execute(sa.text("update attempt set state = 'refused' where message_id = any(:ids)"), refused)
    session.execute(sa.text("update message set state = 'ready' where id = any(:ids)"), refused)
    faults = [Fault(messages[0], Refusal.TRANSIENT, "451")]
    assert [one.kind for one in breaker.of_answers(session, "twilio", faults, Tolerance(sample=10))] == opened


@small
def test_what_fails_again_when_it_is_tried_again_is_no_news_of_the_rest(stage: Stage) -> None:
    stage.cast(12)
    stage.plan()
    for number in range(4):
        stage.control.fault("fate", to=phone(number), status="undelivered", code=30003)
    stage.run_until_quiet()
    assert stage.states("attempt") == {"delivered": 8, "undelivered": 12}, "eight of the latest ten failed"
    assert stage.breakers() == []


@small
def test_failures_that_are_reported_later_count_like_refusals(stage: Stage) -> None:
    stage.cast(4)
    stage.plan()
    for number in range(3):
        stage.control.fault("fate", to=phone(number), status="failed", code=29999)
    stage.dispatch()
    assert stage.breakers() == []
    stage.callbacks()
    assert stage.breakers() == [("refusals", "step", "29999")]
    assert stage.scalar("select figures from breaker") == {"bad": 3, "of": 4}


def test_what_a_dead_worker_leaves_behind_is_no_fault_of_the_provider(session: Session) -> None:
    campaign = make_campaign(session)
    messages = [make_message(session, campaign, make_contact(session, make_person(session)), state="unknown").id for _ in range(6)]
    faults = [Fault(messages[0], None, "TimeoutError")]
    assert breaker.of_answers(session, "twilio", faults, Tolerance()) == []
    session.execute(sa.text("update attempt set error_code = 'TimeoutError'"))
    (found,) = breaker.of_answers(session, "twilio", faults, Tolerance())
    assert (found.kind, found.provider, found.figures) == (BreakerKind.UNKNOWNS, "twilio", {"bad": 6, "of": 6})


@small
@pytest.mark.parametrize(
    ("name", "opened"), [("bounce", ("bounces", "sendgrid", "bounce:5.1.1")), ("spamreport", ("complaints", "sendgrid", None))]
)
def test_mails_that_come_back_or_are_called_spam_stop_the_provider_before_it_stops_us(
    stage: Stage, name: str, opened: tuple[str, str, str]
) -> None:
    stage.cast_mail([*(f"{name}.{number}@example.org" for number in range(3)), mailbox(1)])
    stage.plan()
    stage.dispatch_mail()
    stage.callbacks()
    assert stage.breakers() == [opened]


@pytest.mark.parametrize("stage", [{"sendgrid_api_key": "another"}], indirect=True)
def test_a_key_that_is_refused_stops_the_provider_at_once_and_no_other(stage: Stage) -> None:
    stage.cast_mail([mailbox(number) for number in range(3)])
    stage.plan()
    stage.dispatch_mail()
    assert stage.breakers() == [("configuration", "sendgrid", "http_401")]
    assert stage.states() == {"ready": 3}
    stage.cast(1)
    stage.plan()
    assert stage.dispatch() == 1


@pytest.mark.parametrize(
    ("provider", "code"),
    [("smtp", "connect 535 5.7.8"), ("postgrid", "http_401"), ("sendgrid", "http_401"), ("twilio", "20003"), ("twilio", "63038")],
)
def test_a_refused_sign_in_or_account_is_a_matter_of_configuration_with_every_provider(
    session: Session, provider: str, code: str
) -> None:
    fault = Fault(UUID(int=1), jobs.meaning(provider, code), code)
    (found,) = breaker.of_answers(session, provider, [fault], Tolerance())
    assert (found.kind, found.provider, found.code) == (BreakerKind.CONFIGURATION, provider, code)


@pytest.mark.parametrize("stage", [{"filtered_limit": "3", "sms_batch": "1", "sms_in_flight": "1"}], indirect=True)
def test_a_filter_is_counted_afresh_once_its_breaker_was_closed(stage: Stage) -> None:
    stage.cast(8)
    stage.plan()
    stage.control.fault("refuse", code=30007)
    for gone in (3, 6):
        stage.dispatch()
        assert stage.breakers() == [("filtered", "step", "30007")]
        assert stage.states()["failed"] == gone
        close_all(stage)
    assert stage.scalar("select count(*) from breaker") == 2


@pytest.mark.parametrize(
    ("columns", "fault", "kind"),
    [
        ({"state": "failed", "reason": "refused"}, Fault(UUID(int=1), Refusal.REVIEW, "29999"), BreakerKind.REFUSALS),
        ({"state": "unknown"}, Fault(UUID(int=1), None, "29999"), BreakerKind.UNKNOWNS),
    ],
)
def test_what_came_before_a_breaker_was_closed_counts_no_more(
    session: Session, columns: dict[str, Any], fault: Fault, kind: BreakerKind
) -> None:
    campaign, tolerance = make_campaign(session), Tolerance(sample=10, refusals=0.4, unknowns=0.4)

    def more(count: int, started_at: datetime) -> None:
        for _ in range(count):
            contact = make_contact(session, make_person(session))
            make_message(session, campaign, contact, code="29999", started_at=started_at, **columns)

    more(5, now() - timedelta(minutes=1))
    (found,) = breaker.of_answers(session, "twilio", [fault], tolerance)
    assert (found.kind, found.figures) == (kind, {"bad": 5, "of": 5})
    (opened,) = breaker.trip(session, [found])
    breaker.close(session, opened, by=make_account(session, Role.SUPERVISOR))
    later = now() + timedelta(seconds=1)
    more(4, later)
    assert breaker.of_answers(session, "twilio", [fault], tolerance) == []
    more(1, later)
    assert [each.kind for each in breaker.of_answers(session, "twilio", [fault], tolerance)] == [kind]


def sleep_through(stage: Stage, hours: float) -> None:
    """Nobody is at work for so long, while everything that is due stays so."""
    stage.later(hours=hours)
    gone = {"gone": timedelta(hours=hours)}
    stage.execute("update heartbeat set beat_at = beat_at - :gone", **gone)
    stage.execute("update campaign set launched_at = launched_at - :gone, state_at = state_at - :gone", **gone)
    stage.execute("update breaker set opened_at = opened_at - :gone, closed_at = closed_at - :gone", **gone)


def test_a_schedule_found_hours_late_is_not_sent_before_somebody_has_looked(stage: Stage) -> None:
    stage.cast(3)
    jobs.sweep_once(stage.machine)
    assert stage.states() == {"ready": 3}
    sleep_through(stage, 4)
    # At once, as after a start of the machine: whoever is first, nobody sends.
    threads = [Thread(target=stage.dispatch) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stage.breakers() == [("late", "step", None)]
    assert stage.scalar("select figures from breaker") == {"hours": 4, "waiting": 3}
    assert stage.states() == {"ready": 3}
    close_all(stage)
    sleep_through(stage, 4)
    jobs.sweep_once(stage.machine)
    assert stage.breakers() == [("late", "step", None)], "a sweep says that somebody is there, so it decides as well"
    close_all(stage)
    assert stage.dispatch() == 3
    assert stage.breakers() == []


WHY_NOT_LATE = {
    "somebody was at work": "update heartbeat set beat_at = now() - interval '2 hours'",
    "nothing was due for so long": "update message set due_at = now() - interval '2 hours'",
    "it was paused before": "update campaign set state_at = now() - interval '2 hours'",
    "somebody is to look at the first ones": "update campaign set canary = 1",
    "a breaker held it until now": """
        insert into breaker (id, kind, provider, figures, opened_at, closed_at)
        values (gen_random_uuid(), 'unknowns', 'twilio', '{}', now(), now())
    """,
    "yesterday was full": """
        insert into spending (campaign_id, day, messages, letters, segments, cost)
        select id, current_date - 1, 5, 0, 5, 0 from campaign
    """,
}


@pytest.mark.parametrize("why", WHY_NOT_LATE.values(), ids=list(WHY_NOT_LATE))
def test_what_was_held_for_another_reason_is_not_late(session: Session, why: str) -> None:
    campaign = make_campaign(session, per_day=5)
    make_message(session, campaign, make_contact(session, make_person(session)), state="ready", attempts=0)
    session.execute(sa.text("update message set due_at = now() - interval '4 hours'"))
    session.execute(sa.text("insert into heartbeat (name, beat_at) values ('sms', now() - interval '4 hours')"))
    nested = session.begin_nested()
    assert heartbeat.attend(session, "sms", "twilio", timedelta(hours=3)), "late, but for what follows"
    nested.rollback()
    session.execute(sa.text(why))
    assert not heartbeat.attend(session, "sms", "twilio", timedelta(hours=3))


def test_a_breaker_opens_once_and_only_who_answers_for_it_closes_it(session: Session) -> None:
    finding = Finding(BreakerKind.UNKNOWNS, "twilio", code="TimeoutError", figures={"bad": 5, "of": 100})
    (opened,) = breaker.trip(session, [finding, finding])
    assert breaker.trip(session, [finding]) == []
    for role in (Role.OFFICER, Role.AUDITOR):
        with pytest.raises(MayNotClose):
            breaker.close(session, opened, by=make_account(session, role))
    approver = make_account(session, Role.APPROVER)
    for _ in range(2):
        assert breaker.close(session, opened, by=approver).closed_by == approver.id
    actions = session.execute(sa.text("select action, object_id from audit_entry where action like 'breaker.%' order by seq")).all()
    assert actions == [("breaker.open", opened), ("breaker.close", opened)]
    assert breaker.trip(session, [finding]) != [opened], "what goes on going wrong opens another"


def test_two_processes_that_find_the_same_wait_for_each_other_and_open_it_once(stage: Stage) -> None:
    findings = [Finding(BreakerKind.CONFIGURATION, "twilio"), Finding(BreakerKind.CONFIGURATION, "sendgrid")]
    opened: list[UUID] = []

    def find(those: list[Finding]) -> None:
        with stage.sessions.begin() as session:
            opened.extend(breaker.trip(session, those))

    threads = [Thread(target=find, args=(findings[::way],)) for way in (1, -1) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == stage.scalar("select count(*) from breaker") == 2

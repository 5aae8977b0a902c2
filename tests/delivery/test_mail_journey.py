"""E-mail from the plan to the answer, against the sandbox's SendGrid: everybody mailed once, counted once, and heard."""

import json
import random
import signal
from collections import Counter
from datetime import date
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from redis import Redis

from outreach import jobs
from outreach.delivery import inbox
from outreach.delivery.inbox import Query
from outreach.notices.channel import Channel
from outreach.people.attorney import Ending
from outreach.people.contact import PersonContact
from outreach.people.incident import Incident
from outreach.people.person import Person
from tests.delivery.test_killed_workers import start
from tests.factories import make_attorney, make_contact, make_incident, make_person, make_representation
from tests.stage import Stage, mailbox, make_notice, make_running, phone

PEOPLE = 12
MAILS = "*@*"
FAULTS: dict[str, dict[str, Any]] = {
    "rate_limit": {"chance": 0.15},
    "error_before": {"chance": 0.15},
    "drop_before": {"chance": 0.15},
    "drop_after": {"chance": 0.15},
    "error_after": {"chance": 0.15},
    "cut_off": {"chance": 0.15},
    "doubled": {"chance": 0.4},
    "reordered": {"chance": 0.4, "ms": 20},
    "late": {"chance": 0.3, "ms": 50},
    "missing": {"chance": 0.2},
    "bad_signature": {"chance": 0.2},
}


@pytest.mark.parametrize("seed", range(2))
def test_under_faults_everybody_is_mailed_once_and_counted_once(stage: Stage, seed: int) -> None:
    drawn = random.Random(seed)
    stage.cast_mail([mailbox(number) for number in range(PEOPLE)])
    for fault in drawn.sample(list(FAULTS), 7):
        stage.control.fault(fault, to=MAILS, **FAULTS[fault])
    stage.plan()
    for _ in range(2):  # Checked at every moment, not only in the end.
        stage.dispatch_mail()
        stage.check_outcomes()
        stage.check_books(settled=False)
        jobs.sweep_once(stage.machine)
        stage.callbacks()
        stage.later(hours=1)
    stage.control.clear_faults()
    stage.run_until_quiet()
    assert stage.outcomes() == {"reached": PEOPLE}
    assert stage.mailed() == PEOPLE
    stage.check_promises()


@pytest.mark.parametrize("fault", ["drop_after", "error_after", "error_before", "drop_before", "rate_limit"])
def test_each_way_an_answer_can_fail_ends_in_one_mail(stage: Stage, fault: str) -> None:
    stage.cast_mail([mailbox(0)])
    stage.control.fault(fault, to=MAILS, next=1)
    stage.run_until_quiet()
    assert stage.mailed() == 1
    assert stage.outcomes() == {"reached": 1}
    stage.check_promises()


def test_reports_doubled_and_in_the_wrong_order_are_counted_once(stage: Stage) -> None:
    stage.cast_mail([mailbox(0)])
    stage.control.fault("doubled", to=MAILS)
    stage.control.fault("reordered", to=MAILS, ms=20)
    stage.run_until_quiet()
    assert stage.outcomes() == {"reached": 1}
    assert stage.scalar("select count(*) from event") == 2, "processed and delivered"


SMALL = {"mail_batch": "4", "mail_in_flight": "1", "lease_seconds": "5", "mail_timeout_seconds": "1"}


@pytest.mark.parametrize("stage", [SMALL], indirect=True)
def test_a_worker_killed_in_the_middle_of_a_batch_is_reconciled_by_the_activity(stage: Stage) -> None:
    stage.cast_mail([mailbox(number) for number in range(4)])
    stage.plan()
    stage.control.set(paused=True)  # no report tells what the worker did
    worker = start(stage, "kill", "after the second mail", overrides=SMALL)
    assert worker.wait(60) == -signal.SIGKILL
    assert stage.mailed() == 2
    stage.check_books(settled=False)
    stage.check_outcomes()
    for _ in range(3):
        stage.later(hours=1)
        jobs.sweep_once(stage.machine)
    jobs.apply_due(stage.machine)
    assert stage.states() == {"accepted": 2, "ready": 2}, "two stand in the Email Activity, two are proved not to"
    stage.control.set(paused=False)
    stage.run_until_quiet()
    assert stage.outcomes() == {"reached": 4}
    assert stage.mailed() == 4
    stage.check_promises()


def test_a_redis_that_was_emptied_loses_nothing(stage: Stage) -> None:
    stage.cast_mail([mailbox(0)])
    stage.plan()
    jobs.ring(stage.settings, jobs.dispatch_mail)
    with Redis.from_url(stage.settings.redis_url) as client:
        client.flushdb()
    with stage.sessions() as session:
        assert jobs.dispatch_mail in jobs.due(session, jobs.carriers(stage.settings)), "PostgreSQL knows what there is to do"
    stage.run_until_quiet()
    assert stage.outcomes() == {"reached": 1}


def test_a_block_is_tried_again_and_says_nothing_against_the_address(stage: Stage) -> None:
    stage.cast_mail([mailbox(0)])
    stage.control.fault("fate", to=mailbox(0), status="blocked", next=1)
    stage.run_until_quiet()
    assert stage.mailed() == 2
    assert stage.outcomes() == {"reached": 1}
    assert stage.mailbox(mailbox(0)).state == "usable"


@pytest.mark.parametrize("stage", [{"sms_attempts": "1", "mail_attempts": "3"}], indirect=True)
def test_a_mail_has_as_many_tries_as_mails_have(stage: Stage) -> None:
    stage.cast_mail([mailbox(0)])
    stage.control.fault("fate", to=mailbox(0), status="blocked")
    stage.run_until_quiet()
    assert stage.mailed() == 3
    assert stage.outcomes() == {"exhausted:not_delivered": 1}
    assert stage.mailbox(mailbox(0)).state == "usable"


def test_a_bounce_after_delivered_returns_the_mail_and_closes_the_address(stage: Stage) -> None:
    stage.cast_mail(["returned.1@example.org"])
    stage.run_until_quiet()
    assert stage.states() == {"returned": 1}
    assert stage.mailbox("returned.1@example.org").state == "bad"
    assert stage.outcomes() == {"exhausted:bad_contact": 1}
    assert stage.scalar("select count(*) from event where problem is not null") == 0


@pytest.mark.parametrize("word", ["spamreport", "unsubscribe", "oneclick"])
def test_an_objection_ends_the_channel_for_the_mailbox_and_never_the_duty(stage: Stage, word: str) -> None:
    address = f"{word}.1@example.org"
    (person,) = stage.cast_mail([address], steps=((Channel.EMAIL, 0), (Channel.EMAIL, 24), (Channel.SMS, 24)))
    with stage.sessions.begin() as session:
        make_contact(session, session.get_one(Person, person), value=phone(0))
    stage.run_until_quiet()
    reasons = {"spamreport": "sendgrid:spam_report", "unsubscribe": "sendgrid:unsubscribed", "oneclick": "link:stop"}
    contact = stage.mailbox(address)
    assert (contact.state, contact.state_reason) == ("opted_out", reasons[word])
    assert stage.outcomes() == {"reached": 1}, "what had arrived has arrived"
    assert stage.scalar("select count(*) from audit_entry where action = 'contact.close'") == 1
    stage.execute("update campaign set launched_at = launched_at - interval '2 days'")
    for _ in ("the second mail", "the text"):
        stage.plan()
    stage.run_until_quiet()
    assert (stage.mailed(), stage.accepted()) == (1, 1), "no other mail, and the text all the same"
    stage.check_promises()


def test_one_from_the_mailbox_that_was_written_to_means_told(stage: Stage) -> None:
    (person,) = stage.cast_mail([mailbox(0)])
    stage.run_until_quiet()
    stage.answer_mail(mailbox(0), "1")
    assert stage.outcomes() == {"told": 1}
    assert replies(stage) == [("acknowledge", "only_person", False, person)]
    with stage.sessions() as session:
        assert inbox.waiting(session) == 0


def test_an_out_of_office_notice_tells_nothing_and_nobody_waits_for_it(stage: Stage) -> None:
    (person,) = stage.cast_mail([mailbox(0)])
    stage.run_until_quiet()
    stage.answer_mail(mailbox(0), "1", machine=True)
    assert stage.outcomes() == {"reached": 1}
    assert replies(stage) == [("auto_reply", "only_person", False, person)]
    with stage.sessions() as session:
        (line,), _ = inbox.conversations(session, Query(), limit=9)
        assert (line.waiting, line.needs_human) == (0, False)
        assert inbox.conversations(session, Query(waiting=True), limit=9)[1] == 0


@pytest.mark.parametrize("body", ["STOP", "unsubscribe", "Stop\n\nAna Sample"])
def test_stop_by_mail_closes_the_mailbox(stage: Stage, body: str) -> None:
    stage.cast_mail([mailbox(0)], steps=((Channel.EMAIL, 0), (Channel.EMAIL, 24)))
    stage.run_until_quiet()
    stage.answer_mail(mailbox(0), body)
    assert stage.mailbox(mailbox(0)).state == "opted_out"
    assert stage.outcomes() == {"reached": 1}


def test_wrong_person_by_mail_takes_reached_back(stage: Stage) -> None:
    stage.cast_mail([mailbox(0)])
    stage.run_until_quiet()
    stage.answer_mail(mailbox(0), "9")
    assert stage.mailbox(mailbox(0)).state == "quarantined"
    assert stage.outcomes() == {"exhausted:wrong_number": 1}
    assert [waits for _, _, waits, _ in replies(stage)] == [True]


def test_two_people_of_one_mailbox_share_a_mail_and_its_answer_is_for_staff(stage: Stage) -> None:
    stage.cast_mail([mailbox(0)])
    with stage.sessions.begin() as session:
        other = make_person(session, incident=session.get_one(Incident, stage.incident_id))
        session.add(PersonContact(person_id=other.id, contact_point_id=stage.mailbox(mailbox(0)).id, role="own"))
    stage.run_until_quiet()
    assert stage.mailed() == 1
    assert stage.outcomes() == {"reached": 2}
    stage.answer_mail(mailbox(0), "1", attachment=True)
    assert stage.outcomes() == {"reached": 2}
    assert replies(stage) == [("acknowledge", "shared", True, None)]
    assert stage.scalar("select media_type from reply_attachment") == "image/png"


# Attorneys.

CLIENT = "SAMPLE CLIENT"


def represent(stage: Stage, clients: int, attorneys: int = 1) -> tuple[list[UUID], list[str]]:
    """Clients who all have these attorneys, and a campaign that mails attorneys; the people's ids and the attorneys' addresses."""
    addresses = [f"counsel.sample{number}@example.com" for number in range(attorneys)]
    with stage.sessions.begin() as session:
        incident = make_incident(session)
        notice = make_notice(session, channels=(Channel.ATTORNEY_EMAIL,))
        campaign = make_running(session, incident, notice, steps=((Channel.ATTORNEY_EMAIL, 0),))
        counsel = [make_attorney(session, email=address) for address in addresses]
        people = [make_person(session, name=f"{CLIENT} {number}", incident=incident) for number in range(clients)]
        for person in people:
            for attorney in counsel:
                make_representation(session, person, attorney)
        stage.incident_id, stage.campaign_id = incident.id, campaign.id
        return [person.id for person in people], addresses


def counsel_outcomes(stage: Stage) -> dict[str, int]:
    with stage.sessions() as session:
        return dict(Counter(session.scalars(sa.text("select concat_ws(':', state, reason) from counsel_outcome"))))


def test_fifty_clients_of_one_attorney_are_one_mail_without_a_name(stage: Stage) -> None:
    _, (address,) = represent(stage, 50)
    stage.run_until_quiet()
    assert stage.mailed() == 1
    assert counsel_outcomes(stage) == {"reached": 50}
    (entry,) = stage.control.mails()
    whole = json.dumps(stage.control.mail(entry["id"]))
    assert "about 50 of your clients" in whole
    assert CLIENT.casefold() not in whole.casefold()
    stage.answer_mail(address, "1")
    assert counsel_outcomes(stage) == {"told": 50}
    assert stage.outcomes() == {"excluded:not_planned": 50}, "what their attorney knows says nothing of them"
    assert replies(stage) == [("acknowledge", "attorney", False, None)]


def test_a_client_of_two_attorneys_is_told_of_to_both(stage: Stage) -> None:
    _, addresses = represent(stage, 1, attorneys=2)
    stage.run_until_quiet()
    assert stage.mailed() == 2
    stage.answer_mail(addresses[0], "1")
    assert counsel_outcomes(stage) == {"told": 1, "reached": 1}


def test_what_else_an_attorney_answers_is_for_a_person_and_closes_nothing(stage: Stage) -> None:
    _, (address,) = represent(stage, 1)
    stage.run_until_quiet()
    stage.answer_mail(address, "9")
    assert counsel_outcomes(stage) == {"reached": 1}
    assert stage.mailbox(address).state == "usable"
    assert replies(stage) == [("wrong_person", "attorney", True, None)]
    assert stage.scalar("select attorney_id is not null from reply")


def test_a_client_whose_representation_ends_before_the_mail_leaves_is_left_out(stage: Stage) -> None:
    people, _ = represent(stage, 3)
    stage.plan()
    end(stage, people[:1])
    stage.run_until_quiet()
    assert counsel_outcomes(stage) == {"reached": 2, "exhausted:representation_ended": 1}
    (entry,) = stage.control.mails()
    assert "about 2 of your clients" in json.dumps(stage.control.mail(entry["id"]))


def test_when_the_last_client_has_left_nothing_is_mailed(stage: Stage) -> None:
    people, _ = represent(stage, 2)
    stage.plan()
    end(stage, people)
    stage.run_until_quiet()
    assert stage.mailed() == 0
    assert stage.states() == {"cancelled": 1}
    assert counsel_outcomes(stage) == {"exhausted:representation_ended": 2}


def end(stage: Stage, people: list[UUID]) -> None:
    stage.execute(
        "update representation set ended_at = now(), ended_on = :day, ended_as = :how where person_id = any(:people)",
        day=date(2026, 1, 1), how=Ending.WITHDRAWN, people=people,
    )  # fmt: skip


def replies(stage: Stage) -> list[tuple[str, str, bool, UUID | None]]:
    """What came back: its kind, how it was bound, whether somebody must read it, and whose it is."""
    with stage.sessions() as session:
        rows = session.execute(sa.text("select kind, binding, needs_human, person_id from reply order by received_at"))
        return [tuple(row) for row in rows]

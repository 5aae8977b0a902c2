"""The parts of the engine do not defeat each other."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from outreach import jobs
from outreach.db import make_engine, make_sessions, now
from outreach.delivery import breaker, exhausted, hours, plan, reconcile, stopping
from outreach.delivery.breaker import BreakerKind, Finding
from outreach.delivery.claim import Rules, claim
from outreach.delivery.limits import Limiter
from outreach.delivery.message import Attempt
from outreach.delivery.projection import project
from outreach.delivery.reconcile import Answer, Undecided
from outreach.jobs import Machine, restoring
from outreach.jobs.restoring import Choices
from outreach.notices.channel import Channel
from outreach.providers.contract import Lost, Standing, Unreachable
from tests.delivery.conftest import HOUSE, LEASE
from tests.delivery.office import Office, office
from tests.delivery.test_ladder import make_imminent
from tests.delivery.test_restore import forget
from tests.stage import Stage

__all__ = ["office"]


def test_a_days_limit_of_texts_and_mails_holds_back_no_paper(office: Office) -> None:
    ana = office.person()
    office.address(ana)
    office.launch(Channel.LETTER)
    office.session.execute(sa.text("update campaign set per_day = 5"))
    assert len(office.claim_letters()) == 1


def test_a_part_of_the_sweep_that_fails_keeps_no_other_from_running(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    for part in ("pulling.pull_moved", "reconcile.reconcile", "plan.moved_steps", "tally.renew"):
        monkeypatch.setattr(f"outreach.jobs.sweeping.{part}", broken)
    stage.cast(2)
    with pytest.raises(ZeroDivisionError):
        jobs.sweep_once(stage.machine)
    assert stage.states() == {"ready": 2}
    with stage.sessions.begin() as session:
        session.execute(sa.text("update message set state = 'submitting', attempts = 1"))
        session.execute(sa.text("update message set state = 'failed', reason = 'bad_contact'"))
        project(session, session.scalars(sa.text("select id from message")).all())
    with pytest.raises(ZeroDivisionError):
        jobs.sweep_once(stage.machine)
    assert stage.scalar("select count(*) from task where kind = 'exhausted'") == 2


def test_what_is_proved_absent_after_its_campaign_has_ended_is_on_the_worked_list(office: Office) -> None:
    ana = office.person()
    office.email(ana)
    office.launch(Channel.EMAIL)
    [mail] = office.claim_mails()
    attempt = office.session.get_one(Attempt, mail.token)
    for statement in (
        "update attempt set state = 'unknown'",
        "update message set state = 'unknown'",
        "update campaign set state = 'done', finished_at = now()",
    ):
        office.session.execute(sa.text(statement))
    lost = Undecided(attempt.id, attempt.message_id, None, "ana@example.org", attempt.body_digest, attempt.started_at, True)
    reconcile.settle(office.session, "sendgrid", [lost], [Answer(True, ())])
    assert (office.messages(ana), office.standing(ana)) == (["email:failed"], "exhausted:not_delivered")
    assert exhausted.open_and_close(office.session) == (1, 0)


def test_whom_the_engine_thought_settled_has_a_task_again_even_in_the_same_instant(office: Office) -> None:
    ana = office.person()
    office.phone(ana, 1)
    office.launch(Channel.SMS)
    stands = sa.text("update outcome set state = :state, reason = :reason, updated_at = now()")
    found = []
    for state, reason in (("exhausted", "refused"), ("in_progress", None), ("exhausted", "refused"), ("exhausted", "refused")):
        office.session.execute(stands, {"state": state, "reason": reason})
        found.append(exhausted.open_and_close(office.session))
    assert found == [(1, 0), (0, 1), (1, 0), (0, 0)]


def test_a_breaker_of_a_step_opens_while_somebody_plans_it(stage: Stage) -> None:
    stage.cast(1)
    step = stage.scalar("select id from step")
    with stage.sessions.begin() as planner, stage.sessions.begin() as recorder:
        plan.plan(planner, step)
        # Whoever records holds outcomes that the planner may want next: neither may wait for the other.
        recorder.execute(sa.text("set local lock_timeout = '2s'"))
        assert len(breaker.trip(recorder, [Finding(BreakerKind.REFUSALS, step_id=step)])) == 1


def test_attempts_of_whatever_campaign_are_written_in_one_order_of_destinations(office: Office) -> None:
    for number in range(9):
        office.phone(office.person(), number)
    office.launch(Channel.SMS)
    office.session.execute(sa.text("""
        update message m set due_at = now() - o.n * interval '1 second'
        from (select id, row_number() over (order by contact_point_id) as n from message) o where o.id = m.id
    """))  # fmt: skip
    assert office.claim_texts() == 9
    written = office.session.scalars(sa.text("select contact_point_id from attempt order by ctid")).all()
    assert written == sorted(written)


class Hanging:
    """A provider that answers nothing for a while, and then says that it cannot."""

    name = "twilio"

    async def __aenter__(self) -> "Hanging":
        self.asked = 0
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def find(self, _: Lost) -> Sequence[Standing]:
        self.asked += 1
        await asyncio.sleep(0.1)
        raise Unreachable("timeout")


def test_a_provider_that_hangs_holds_up_the_sweep_for_so_long_and_no_longer(stage: Stage) -> None:
    stage.cast(40)
    stage.control.fault("drop_after")
    stage.plan()
    stage.dispatch()
    assert stage.states() == {"unknown": 40}
    stage.later(hours=1)
    hanging = Hanging()
    assert reconcile.reconcile(stage.sessions, cast("Any", hanging), jobs.waits_of(stage.settings), seconds=0.05) == 40
    assert hanging.asked == 10
    assert stage.states() == {"unknown": 40}


def test_without_redis_and_without_the_database_nobody_has_a_turn(stage: Stage) -> None:
    nowhere = make_sessions(make_engine("postgresql+psycopg://127.0.0.1:1/none"), stage.machine.vault)

    async def ask() -> bool:
        async with Limiter("redis://127.0.0.1:1/0", "+15005550006", 1.0, nowhere) as limiter:
            return await limiter.permit(1, within=5)

    assert asyncio.run(ask()) is False, "raised, it would lose the answers of what is on its way"
    with capture_logs() as logged, pytest.raises(OperationalError):
        jobs.sweep_once(Machine(stage.settings, nowhere))
    assert logged == [], "where there is no database, no part of a sweep tries its luck after the other"


def test_what_a_restored_database_had_forgotten_counts_for_the_first_wave_and_the_day(stage: Stage) -> None:
    since = now() - timedelta(minutes=1)
    stage.cast(5, canary=3)
    stage.plan()
    assert stage.dispatch() == 3
    stage.callbacks()
    forget(stage)
    stage.execute("delete from spending")
    stage.execute("update incarnation set frozen_at = now()")
    done = restoring.restore(stage.machine, since, Choices(), sleep=lambda _: None)
    assert (done.thawed, done.books["twilio"].adopted) == (True, 3)
    assert (stage.dispatch(), stage.accepted()) == (0, 3)
    counted = "select sum(messages) = 3 and sum(cost) = (select sum(cost) from attempt) and sum(cost) > 0 from spending"
    assert stage.scalar(counted)


def test_who_is_about_to_be_removed_is_texted_before_everybody_else_whose_text_is_due(office: Office) -> None:
    people = [office.person() for _ in range(4)]
    for number, person in enumerate(people):
        office.phone(person, number)
    office.launch(Channel.SMS)
    office.session.execute(sa.text("update message set due_at = now() - interval '30 seconds'"))
    last = office.session.scalar(sa.text("select message_id from message_person where person_id = :id"), {"id": people[3].id})
    office.session.execute(sa.text("update message set due_at = now() where id = :id"), {"id": last})
    make_imminent(office, people[3])
    assert (hours.hasten(office.session), hours.hasten(office.session)) == (1, 0)
    assert [one.message_id for one in claim(office.session, "sms", 1, Rules(HOUSE, LEASE, "twilio")).claimed] == [last]


def test_what_is_cancelled_because_people_were_told_has_nobody_decided_on_again(office: Office) -> None:
    ana = office.person()
    office.phone(ana, 1)
    office.launch(Channel.SMS)
    # Later than what is on file about her.
    office.session.execute(sa.text("update step set planned_at = now() + interval '1 hour'"))
    revisited = sa.text("select count(*) from step where revisited_at is not null")
    found = []
    for reason in ("told", "moved"):
        cancelled = "update message set state = 'cancelled', reason = :reason, updated_at = now() + interval '2 hours'"
        office.session.execute(sa.text(cancelled), {"reason": reason})
        plan.revisit(office.session)
        found.append(office.session.scalar(revisited))
    assert found == [0, 1]


def test_what_becomes_ready_after_the_end_of_its_campaign_waits_for_nothing(office: Office) -> None:
    ana = office.person()
    office.phone(ana, 1)
    office.launch(Channel.SMS)
    # Somebody moved, and was decided on again, while another sweep closed the campaign.
    office.session.execute(sa.text("update campaign set state = 'done', finished_at = now()"))
    assert (stopping.cancel(office.session), stopping.cancel(office.session)) == (1, 0)
    assert (office.messages(ana), office.standing(ana)) == (["sms:cancelled"], "exhausted:not_delivered")
    assert exhausted.open_and_close(office.session) == (1, 0)

"""The provider forgets what texts said, once nobody can need it any more and not before."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Self
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach import jobs
from outreach.access.sealing import vault_of
from outreach.db import now
from outreach.delivery import reconcile, redaction
from outreach.delivery.incarnation import Incarnation
from outreach.delivery.message import body_digest
from outreach.providers.contract import Standing, Unreachable
from tests.delivery.office import Office, office
from tests.delivery.test_books import attempt
from tests.stage import Stage, phone

__all__ = ["office"]

HOUR = 3600.0
LONG_AGO = timedelta(hours=2)


def taken(session: Session) -> list[str]:
    """The provider's ids of what would be redacted now; nothing is changed."""
    with session.begin_nested() as savepoint:
        found = [row.provider_id for row in redaction.take(session, "attempt", "twilio", HOUR)]
        savepoint.rollback()
    return sorted(found)


def test_only_texts_whose_fate_is_known_for_an_hour_are_redacted(office: Office) -> None:
    session, then = office.session, now() - LONG_AGO
    for number, state in enumerate(("delivered", "undelivered", "failed", "accepted", "sent", "refused")):
        attempt(office, number, state, finished_at=then)
    attempt(office, 6, "sent", finished_at=now() - timedelta(hours=73))
    attempt(office, 7, "delivered", finished_at=now() - timedelta(minutes=59))
    attempt(office, 8, "delivered", finished_at=then, redacted_at=now())
    attempt(office, 9, "delivered", finished_at=then, redactions=1, redact_at=now() + timedelta(minutes=1))
    attempt(office, 10, "delivered", finished_at=then, redactions=redaction.TRIES)
    attempt(office, 11, "delivered", finished_at=then, provider_id=None)
    assert taken(session) == ["SM0", "SM1", "SM2", "SM6"]


def test_nothing_is_redacted_where_an_attempt_to_the_same_phone_is_undecided_or_the_engine_is_frozen(office: Office) -> None:
    session = office.session
    one = attempt(office, 0, "delivered", finished_at=now() - LONG_AGO)
    other = attempt(office, 1, "unknown", provider_id=None)
    other.contact_point_id = one.contact_point_id
    session.flush()
    assert taken(session) == []
    other.state = "accepted"
    session.flush()
    assert taken(session) == ["SM0"]
    session.merge(Incarnation(id=1, deployment="x", cluster=1, timeline=1, relation=1, reconciled_at=now(), frozen_at=now()))
    session.flush()
    assert taken(session) == []


class Forgetting:
    """A provider that answers what it is told to, by id; False for all others."""

    name = "twilio"

    def __init__(self, answers: Mapping[str, bool | None]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        pass

    async def redact(self, provider_id: str) -> bool:
        self.asked.append(provider_id)
        answer = self.answers.get(provider_id, False)
        if answer is None:
            raise Unreachable("http_500")
        return answer


def run(office: Office, answers: Mapping[str, bool | None]) -> tuple[redaction.Redacted, list[str]]:
    provider = Forgetting(answers)
    sessions: Any = Bound(office.session)
    return asyncio.run(redaction._redact(sessions, provider, HOUR, float("inf"))), sorted(provider.asked)


class Bound:
    """Sessions that are all the test's own, so that nothing stays."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def begin(self) -> Any:
        return Kept(self.session)


class Kept:
    def __init__(self, session: Session) -> None:
        self.session = session

    def __enter__(self) -> Session:
        return self.session

    def __exit__(self, *exc: object) -> None:
        self.session.flush()


def later(office: Office, hours: float) -> None:
    office.session.execute(
        sa.text(
            "update attempt set finished_at = finished_at - :h * interval '1 hour', redact_at = redact_at - :h * interval '1 hour'"
        ),
        {"h": hours},
    )
    office.session.expire_all()


def test_a_text_that_will_not_be_redacted_is_tried_five_times_ever_later_and_then_shown(office: Office) -> None:
    attempt(office, 0, "delivered", finished_at=now() - LONG_AGO)
    attempt(office, 1, "delivered", finished_at=now() - LONG_AGO)
    result, asked = run(office, {"SM0": True})
    assert (result, asked) == (redaction.Redacted(1, 1, 0), ["SM0", "SM1"])
    for wait in (1, 2, 4, 8):
        assert run(office, {}) == (redaction.Redacted(), []), "not before its time"
        later(office, wait + 0.01)
        result, asked = run(office, {"SM1": False})
        assert asked == ["SM1"]
    assert result.given_up == 1
    later(office, 100)
    assert run(office, {}) == (redaction.Redacted(), [])
    held = redaction.held(office.session, "twilio")
    assert (held.waiting, held.given_up) == (0, 1)
    assert redaction.try_again(office.session, "twilio") == 1
    office.session.expire_all()
    assert run(office, {"SM1": True}) == (redaction.Redacted(1, 0, 0), ["SM1"])
    assert redaction.held(office.session, "twilio").oldest is None


def test_a_provider_that_is_away_costs_no_text_a_try(office: Office) -> None:
    attempt(office, 0, "delivered", finished_at=now() - LONG_AGO)
    assert run(office, {"SM0": None})[0] == redaction.Redacted()
    later(office, 0.5)
    assert office.session.scalar(sa.text("select max(redactions) from attempt")) == 0
    assert run(office, {"SM0": True})[0] == redaction.Redacted(1, 0, 0)


def test_a_redacted_text_is_never_taken_for_another_and_while_one_is_there_absence_proves_nothing(office: Office) -> None:
    session = office.session
    lost = attempt(office, 0, "unknown", provider_id=None, lease_until=now() - timedelta(hours=3), checks=3)
    known = attempt(office, 1, "delivered", redacted_at=now())
    lost.body_digest = body_digest(vault_of(session), "")  # Even so.
    session.flush()
    waits = reconcile.Waits(0, 0, ())

    def settled(*found: str) -> str:
        session.execute(sa.text("update attempt set checked_at = null"))
        shown = tuple(Standing(each, "delivered", "delivered", None, phone(0), "", now()) for each in found)
        undecided = reconcile.take(session, "twilio", waits, 10)
        reconcile.settle(session, "twilio", undecided, [reconcile.Answer(True, shown)] * len(undecided))
        session.refresh(lost)
        return lost.state

    assert settled(f"SM{uuid4().hex}") == "unknown"
    assert session.scalar(sa.text("select count(*) from event")) == 0
    assert settled(str(known.provider_id)) == "not_sent", "one that is another attempt of ours is no reason for doubt"


@pytest.mark.usefixtures("stage")
def test_over_http_texts_and_replies_are_empty_afterwards_and_those_on_their_way_are_not(stage: Stage) -> None:
    stage.cast(4)
    stage.plan()
    stage.control.fault("fate", status="sent", to=phone(3))
    stage.dispatch()
    stage.callbacks()
    stage.control.answer(phone(0), "llamen por favor")
    stage.callbacks()
    assert not jobs.redactions_due(stage.machine)
    stage.later(hours=50)
    stage.execute("update reply set received_at = received_at - interval '50 hours'")
    assert jobs.redactions_due(stage.machine)
    assert jobs.redact_due(stage.machine) == redaction.Redacted(done=4)
    assert not jobs.redactions_due(stage.machine)
    assert stage.scalar("select count(*) from attempt where redacted_at is not null") == 3
    assert stage.scalar("select bool_and(redacted_at is not null) from reply")

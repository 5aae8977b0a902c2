"""What a campaign costs, how long it takes and what decides that, and why its messages wait."""

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from outreach.campaigns.campaign import Campaign, CampaignState
from outreach.db import now
from outreach.delivery import outlook, progress
from outreach.delivery.hours import Wait
from outreach.delivery.message import MessageState
from outreach.delivery.outlook import Bound, Outlook, Waiting, Why
from outreach.delivery.spending import Spending, Tariff
from tests.delivery.conftest import HOUSE
from tests.factories import make_campaign, make_contact, make_message, make_person

TARIFF = Tariff(segment=Decimal("0.01"), zone="UTC")
ALL_DAY = {"window_start": time(0), "window_end": time(0), "window_reason": "a test has no night"}


def texts(session: Session, found: Campaign, number: int, **columns: Any) -> None:
    values: dict[str, Any] = {"attempts": 0, "state": "ready", "due_at": now() - timedelta(minutes=1)} | columns
    for _ in range(number):
        person = make_person(session)
        make_message(session, found, make_contact(session, person), person, **values)


def look(session: Session, found: Campaign, rate: float = 0.0) -> Outlook:
    session.flush()
    return outlook.of(session, found, progress.of(session, found.id), TARIFF, HOUSE, rate)


def spend(session: Session, found: Campaign, messages: int, cost: str) -> None:
    today = datetime.now(UTC).date()
    session.add(Spending(campaign_id=found.id, day=today, messages=messages, segments=messages, cost=Decimal(cost)))


def test_the_cost_is_by_tries_or_exact_where_there_are_limits(session: Session) -> None:
    free = make_campaign(session)
    texts(session, free, 2, state="delivered", attempts=1)
    texts(session, free, 3)
    texts(session, free, 1, state="cancelled")
    found = look(session, free)
    assert (found.spent, found.expected, found.exact) == (Decimal("0.02"), Decimal("0.05"), False)
    limited = make_campaign(session, spend_cap=Decimal(9))
    texts(session, limited, 2)
    spend(session, limited, 7, "0.0700")
    found = look(session, limited)
    assert (found.spent, found.expected, found.exact) == (Decimal("0.07"), Decimal("0.09"), True)


@pytest.mark.parametrize(
    ("limits", "rate", "seconds", "bound"),
    [
        ({}, 0.5, 8, Bound.RATE),
        ({"per_day": 2}, 0.5, 86400, Bound.PER_DAY),  # at the least: none today, two tomorrow, two the day after
        ({"per_day": 100}, 0.5, 8, Bound.RATE),
        ({"window_start": time(9), "window_end": time(16)}, 4 / 3600 / 8, 8 * 3600 + 17 * 3600, Bound.HOURS),
    ],
)
def test_the_tightest_limit_decides_how_long_it_takes(
    session: Session, limits: dict[str, Any], rate: float, seconds: float, bound: Bound
) -> None:
    found = make_campaign(session, **(ALL_DAY | limits))
    texts(session, found, 4)
    if found.per_day:
        spend(session, found, 2, "0.02")
    seen = look(session, found, rate)
    assert seen.bound == bound
    assert seen.seconds_left is not None
    assert seconds <= seen.seconds_left <= seconds + (86400 if bound is Bound.PER_DAY else 0)


def test_without_a_limit_the_speed_of_the_last_minute_tells(session: Session) -> None:
    found = make_campaign(session, **ALL_DAY)
    texts(session, found, 2)
    assert look(session, found).bound is None
    texts(session, found, 4, state="accepted", attempts=1)
    assert (look(session, found).bound, look(session, found).seconds_left) == (Bound.PACE, 30)


def test_each_message_that_waits_has_one_reason(session: Session) -> None:
    later = now() + timedelta(hours=3)
    found = make_campaign(session)
    texts(session, found, 1)
    texts(session, found, 2, due_at=later, reason=Wait.HOURS)
    texts(session, found, 1, due_at=later, reason=Wait.NO_HOUR)
    texts(session, found, 1, due_at=later, attempts=1)
    expected = (Waiting(Why.TURN, 1), Waiting(Why.HOURS, 2, later), Waiting(Why.NEXT_TRY, 1), Waiting(Why.NO_HOUR, 1))
    assert look(session, found).waiting == expected
    assert sum(one.messages for one in expected) == progress.of(session, found.id).messages[MessageState.READY]


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"state": CampaignState.PAUSED}, Why.PAUSED),
        ({"state": CampaignState.STOPPED}, Why.STOPPED),
        ({"canary": 2}, Why.CANARY),
        ({"per_day": 2}, Why.PER_DAY),
        ({"per_day": 3}, Why.TURN),
    ],
)
def test_what_holds_everything_back_is_the_reason(session: Session, columns: dict[str, Any], why: Why) -> None:
    found = make_campaign(session, **columns)
    texts(session, found, 1)
    spend(session, found, 2, "0.02")
    assert [(one.why, one.messages) for one in look(session, found).waiting] == [(why, 1)]


def test_the_first_wave_says_what_became_of_it_until_somebody_has_let_the_rest_go(session: Session) -> None:
    found = make_campaign(session, canary=5)
    for state in ("delivered", "delivered", "undelivered", "unknown", "sent"):
        texts(session, found, 1, state=state, attempts=1)
    texts(session, found, 3)
    spend(session, found, 5, "0.05")
    canary = look(session, found).canary
    assert canary is not None
    assert (canary.delivered, canary.failed, canary.unknown, canary.unreported) == (2, 1, 1, 1)
    assert (canary.full, canary.open) == (True, 2)
    session.execute(sa.update(Campaign).values(canary_passed_at=now()))
    session.expire_all()
    assert look(session, found).canary is None

"""Another life of the database: a restore, a failover. The engine freezes by itself, and nothing is claimed."""

import pytest
import sqlalchemy as sa
from redis import Redis
from sqlalchemy.orm import Session

from outreach import jobs
from outreach.access import audit
from outreach.delivery import incarnation
from outreach.delivery.claim import Rules, claim
from outreach.delivery.incarnation import RedisMark
from outreach.jobs.machine import carriers
from tests.delivery.conftest import HOUSE, LEASE
from tests.stage import Stage

RULES = Rules(HOUSE, LEASE, "twilio")


def look(session: Session, redis_url: str, deployment: str = "first") -> bool:
    return incarnation.look(session, deployment, RedisMark(redis_url))


def frozen(session: Session) -> bool:
    return bool(session.scalar(sa.text("select frozen_at is not null from incarnation")))


def test_a_database_that_was_never_looked_at_is_adopted_as_it_is(session: Session, redis_url: str) -> None:
    for _ in range(2):
        assert look(session, redis_url)
    row = session.execute(sa.text("select deployment, cluster, timeline, relation > 0 as known from incarnation")).one()
    assert row.deployment == "first"
    assert row.known
    # An ordinary role may ask for both, as the role of the tests is one.
    assert row.cluster != 0
    assert row.timeline == 1


@pytest.mark.parametrize("sign", ["deployment", "cluster", "timeline", "relation"])
def test_whatever_differs_freezes_the_engine_once_with_an_entry_in_the_audit_log(
    session: Session, redis_url: str, sign: str
) -> None:
    look(session, redis_url)
    if sign != "deployment":
        session.execute(sa.text(f"update incarnation set {sign} = {sign} + 1"))
    for _ in range(2):
        assert not look(session, redis_url, "second" if sign == "deployment" else "first")
    assert frozen(session)
    (entry,), _ = audit.entries(session, audit.Query(action="incarnation.freeze"), limit=10)
    assert entry.detail == {"signs": [sign]}


def test_a_copy_of_the_data_that_was_put_back_is_known_by_its_shorter_log(session: Session, redis_url: str) -> None:
    look(session, redis_url)
    with Redis.from_url(redis_url) as client:
        (mark,) = client.keys("outreach:written:*")
        client.incrby(mark, 1_000_000_000)
    assert not look(session, redis_url)
    assert frozen(session)


def test_a_mark_that_is_missing_or_cannot_be_read_says_nothing(session: Session, redis_url: str) -> None:
    look(session, redis_url)
    with Redis.from_url(redis_url) as client:
        client.flushdb()
    assert look(session, redis_url)
    assert look(session, "redis://127.0.0.1:1/0")


def test_what_was_thawed_is_the_life_that_counts_from_then_on(session: Session, redis_url: str) -> None:
    look(session, redis_url)
    session.execute(sa.text("update incarnation set timeline = timeline + 1"))
    assert not look(session, redis_url)
    incarnation.thaw(session, "second", audit.COMMAND)
    assert look(session, redis_url, "second")
    assert not look(session, redis_url, "first")


@pytest.mark.parametrize("exchanged", ["cluster", "timeline", "relation"])
def test_a_claim_takes_nothing_from_a_database_that_was_exchanged_under_it(stage: Stage, exchanged: str) -> None:
    stage.cast(2)
    stage.plan()
    jobs.sweep_once(stage.machine)
    stage.execute(f"update incarnation set {exchanged} = {exchanged} + 1")
    with stage.sessions.begin() as session:  # a worker that has looked before, and does not look again
        assert not claim(session, "sms", 10, RULES).seen
    assert stage.dispatch() == 0
    assert stage.states() == {"ready": 2}


def test_a_frozen_engine_sends_nothing_and_rings_for_nothing(stage: Stage) -> None:
    stage.cast(2)
    stage.plan()
    jobs.sweep_once(stage.machine)
    stage.execute("update incarnation set deployment = 'another'")
    jobs.sweep_once(stage.machine)
    assert (stage.dispatch(), stage.dispatch_mail()) == (0, 0)
    with stage.sessions() as session:
        assert jobs.dispatch not in jobs.due(session, carriers(stage.settings))
    assert stage.accepted() == 0

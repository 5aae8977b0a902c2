"""The engines fall over while texts go out: seconds are lost, and nothing else. Nothing of anybody stays in their logs."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from redis import Redis
from sqlalchemy.exc import DBAPIError

from outreach import db, engines, jobs
from outreach.engines import Engines
from tests.stage import Stage, phone, poll, raised, swept

MARKERS = ["Sample PERSON", "Utopia", "5550100", "Letter Line", "mensaje"]


@pytest.fixture(scope="module")
def own() -> Iterator[Engines]:
    """Engines that only these tests use, and may break. Durable: what was committed must be there after a crash."""
    with engines.throwaway(durable=True) as running:
        db.migrate(running.database_url)
        yield running


@pytest.fixture
def broken(own: Engines, tmp_path: Path) -> Iterator[Stage]:
    """A stage on them, each time on a database as the migrations made it."""
    engine = db.make_engine(own.database_url)
    with (
        swept(engine),
        raised(tmp_path, own.database_url, own.redis_url, engine, {"sms_in_flight": "2", "sms_batch": "4"}) as stage,
    ):
        yield stage
    engine.dispose()


def dispatching(stage: Stage) -> tuple[threading.Thread, list[BaseException]]:
    """A dispatcher at work in the background, and what it fails with."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            stage.dispatch()
        except DBAPIError as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, failures


def test_postgres_crashes_while_texts_are_in_flight(own: Engines, broken: Stage) -> None:
    broken.cast(30)
    broken.plan()
    broken.control.fault("slow", ms=150)
    worker, _ = dispatching(broken)
    poll(lambda: broken.accepted() >= 4, 30)
    own.restart_postgres(immediate=True)
    worker.join(60)  # It failed, or it was lucky and had nothing to write meanwhile.
    broken.control.clear_faults()
    broken.check_books(settled=False)
    broken.run_until_quiet()
    broken.later(hours=2)  # The carrier has given up on reports that nobody took from it meanwhile: it is asked for them.
    broken.run_until_quiet()
    assert broken.outcomes() == {"reached": 30}
    assert broken.accepted() == 30
    broken.check_promises()


def test_postgres_is_gone_when_the_carrier_calls_and_the_report_comes_again(own: Engines, broken: Stage) -> None:
    broken.cast(5)
    broken.plan()
    broken.control.set(paused=True)
    broken.dispatch()
    with broken.sessions() as session:  # New connections are refused for a while, and those that are open are cut.
        name = session.scalar(sa.text("select current_database()"))
    admin = sa.create_engine(sa.engine.make_url(own.database_url).set(database="postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f'alter database "{name}" with allow_connections false'))
        connection.execute(
            sa.text(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}' and usename = current_user")
        )
        broken.control.set(paused=False)
        poll(lambda: sum(1 for each in broken.control.callbacks() if each["http_status"] == 503) >= 2, 30)
        connection.execute(sa.text(f'alter database "{name}" with allow_connections true'))
    admin.dispose()
    broken.callbacks()
    assert broken.outcomes() == {"reached": 5}
    broken.check_promises()


@pytest.mark.parametrize("when", ["flushed", "killed"])
def test_redis_is_flushed_or_killed_while_texts_go_out(own: Engines, broken: Stage, when: str) -> None:
    broken.cast(20)
    broken.plan()
    broken.control.fault("slow", ms=50)
    worker, failures = dispatching(broken)
    poll(lambda: broken.accepted() >= 3, 30)
    if when == "killed":
        own.restart_valkey()
    else:
        with Redis.from_url(own.redis_url) as redis:
            redis.flushall()
    worker.join(60)
    assert not failures
    assert jobs.ring(broken.settings, jobs.sweep_up)
    broken.control.clear_faults()
    broken.run_until_quiet()
    assert broken.outcomes() == {"reached": 20}
    broken.check_promises()


def test_nobody_is_named_in_the_log_of_postgres(own: Engines, broken: Stage) -> None:
    broken.cast(5)
    with pytest.raises(DBAPIError):  # Errors quote what they failed on.
        broken.execute("select 1 / (select count(*) from person where id is null)")
    broken.control.fault("drop_after", chance=0.5)
    broken.run_until_quiet()
    broken.control.answer(phone(0), "MARKERREPLY STOP texting me")
    broken.callbacks()
    assert broken.scalar("select count(*) from reply") == 1
    log = (own.folder / "postgres.log").read_text(errors="replace")
    assert "ready to accept connections" in log
    for marker in [*MARKERS, "MARKERREPLY"]:
        assert marker not in log

"""The queue is a doorbell: a real worker runs our own functions only, and leaves nothing in Redis or in its log but ids."""

import json
import os
import signal
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from redis import Redis
from rq import Callback, Queue, Worker
from rq.serializers import JSONSerializer
from rq.webhook import Webhook

from outreach import jobs
from outreach.jobs import ALLOWED, CROWD, QUEUE, AllowedJob, NotAllowed
from tests.stage import Stage, environment, poll, stage

__all__ = ["stage"]

ROOT = Path(__file__).parents[1]
# Of the people on stage: name, nationality, birth date, phone, and the text that they are sent.
MARKERS = ["Sample PERSON", "Utopia", "1990-01-01", "5550100", "Letter Line", "mensaje", "MARKERFAILURE"]


@contextmanager
def worker(stage: Stage, log: Path, *, path: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """`python worker.py` as it runs in production, on this stage."""
    s = stage.settings
    environ = environment(s.key_ring.parent, s.database_url, s.redis_url, stage.web_url, stage.carrier.url)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "worker.py"],
            cwd=ROOT,
            env=environ | {"PATH": os.environ["PATH"], "PYTHONPATH": path},
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as client:
        yield client


def everything(redis: Redis) -> bytes:
    """Every key of this Redis with all that is in it, uncompressed."""
    found = []
    for key in redis.scan_iter():
        reads: dict[bytes, Callable[[bytes], Any]] = {
            b"string": redis.get,
            b"hash": lambda k: {name: opened(value) for name, value in redis.hgetall(k).items()},
            b"list": lambda k: redis.lrange(k, 0, -1),
            b"set": redis.smembers,
            b"zset": lambda k: redis.zrange(k, 0, -1),
            b"stream": redis.xrange,
        }
        kind = redis.type(key)
        if kind in reads:
            found.append(repr((key, reads[kind](key))))
    return "\n".join(found).encode()


def opened(value: bytes | str) -> bytes | str:
    """RQ compresses what a job is to do."""
    assert isinstance(value, bytes)
    try:
        return zlib.decompress(value)
    except zlib.error:
        return value


def queue(redis: Redis) -> Queue:
    return Queue(QUEUE, connection=redis, serializer=JSONSerializer)


def test_a_real_worker_does_the_whole_job_though_redis_is_flushed_and_leaves_no_person_behind(
    stage: Stage, redis: Redis, tmp_path: Path
) -> None:
    stage.cast(8)
    log, seen = tmp_path / "worker.log", b""
    jobs.ring(stage.settings, jobs.plan_campaign, str(stage.campaign_id))
    redis.flushdb()

    def tick() -> None:
        """What the ticker does, and a look at everything that Redis holds."""
        nonlocal seen
        with stage.sessions() as session:
            for job in jobs.due(session, jobs.carriers(stage.settings)):
                jobs.ring(stage.settings, job)
        seen += everything(redis)

    def reached(outcomes: dict[str, int]) -> bool:
        tick()
        return stage.outcomes() == outcomes

    stage.control.set(paused=True)
    with worker(stage, log):
        jobs.ring(stage.settings, jobs.sweep_up)
        poll(lambda: reached({"in_progress": 8}), 60)
        redis.flushdb()
        stage.control.set(paused=False)
        poll(lambda: reached({"reached": 8}), 60)
    seen += everything(redis)
    for marker in MARKERS:
        assert marker.encode() not in seen
        assert marker.encode() not in log.read_bytes()
    assert b"outreach.jobs.dispatch" in seen  # the scan did look where jobs are
    stage.check_promises()


def test_a_job_that_fails_leaves_neither_message_nor_trace_in_redis_or_the_log(stage: Stage, redis: Redis, tmp_path: Path) -> None:
    stage.cast(1)
    stage.plan()
    stage.execute("""
        create function fail() returns trigger language plpgsql as $$ begin
            raise exception 'MARKERFAILURE +12025550100'; end $$
    """)
    stage.execute("create trigger fails before insert on attempt for each row execute function fail()")
    log = tmp_path / "worker.log"
    try:
        with worker(stage, log):
            jobs.ring(stage.settings, jobs.dispatch)
            poll(lambda: b"job.failed" in log.read_bytes(), 60)
            poll(lambda: queue(redis).count == 0, 10)
    finally:
        stage.execute("drop trigger fails on attempt")
        stage.execute("drop function fail()")
    left, said = everything(redis), log.read_bytes()
    for marker in MARKERS:
        assert marker.encode() not in left
        assert marker.encode() not in said
    assert b"Traceback" not in left + said
    failure = next(json.loads(line) for line in said.decode().splitlines() if "job.failed" in line)
    assert failure["function"] == "outreach.jobs.dispatch"
    assert failure["error"].endswith("Error")
    assert [key for key in redis.scan_iter("rq:job:*") if redis.ttl(key) < 0] == []  # what failed does not stay for ever
    stage.run_until_quiet()
    assert stage.outcomes() == {"reached": 1}


EVIL = """
import pathlib
def touch(*_, **__):
    pathlib.Path(__file__).with_name("touched").write_text("x")
"""


def test_a_real_worker_runs_nothing_that_somebody_else_put_into_the_queue(stage: Stage, redis: Redis, tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text(EVIL)
    target, log = queue(redis), tmp_path / "worker.log"
    touch = Callback("evil.touch")
    target.enqueue_call("evil.touch")
    target.enqueue_call("os.mkdir", args=(str(tmp_path / "made"),))
    target.enqueue_call("outreach.jobs.sweep_up", on_success=touch)
    target.enqueue_call("outreach.jobs.sweep_up", on_failure=touch)
    target.enqueue_call("outreach.jobs.plan_campaign", args=("not an id",), on_failure=touch, on_stopped=touch)
    target.enqueue_call("os.mkdir", on_failure=touch, webhooks=[Webhook(f"{stage.web_url}/webhooks/evil", "failed", method="POST")])
    target.enqueue_call("outreach.jobs.sweep_up", kwargs={"chosen": "x"})
    total = target.count
    with worker(stage, log, path=str(tmp_path)):
        poll(lambda: log.read_bytes().count(b"job.failed") == total, 60)
    assert not (tmp_path / "touched").exists()
    assert not (tmp_path / "made").exists()
    assert log.read_bytes().count(b"NotAllowed") == total


@pytest.mark.parametrize(
    ("function", "arguments", "named"),
    [
        ("os.system", ("true",), {}),
        ("outreach.jobs.machine", (), {}),
        ("outreach.jobs.ring", (), {}),
        ("outreach.db.migrate", (), {}),
        ("outreach.jobs.plan_campaign", ("+12025550100",), {}),
        ("outreach.jobs.plan_campaign", ("Sample PERSON",), {}),
        ("outreach.jobs.plan_campaign", (), {"campaign_id": str(uuid4())}),
        ("outreach.jobs.plan_campaign", (["x"],), {}),
        ("", (), {}),
    ],
)
def test_only_our_jobs_with_ids_alone_have_a_function(
    redis: Redis, function: str, arguments: tuple[Any, ...], named: dict[str, Any]
) -> None:
    job = AllowedJob.create(function, arguments, named, connection=redis, serializer=JSONSerializer)
    with pytest.raises(NotAllowed):
        _ = job.func


def test_every_job_of_ours_has_its_function(redis: Redis) -> None:
    for name, function in ALLOWED.items():
        job = AllowedJob.create(name, (str(uuid4()),), connection=redis, serializer=JSONSerializer)
        assert job.func is function


def test_a_ring_holds_ids_only_and_a_crowd_of_rings_is_not_let_in(stage: Stage, redis: Redis) -> None:
    for _ in range(CROWD + 5):
        assert jobs.ring(stage.settings, jobs.plan_campaign, str(stage.campaign_id))
    assert queue(redis).count == CROWD
    for job in queue(redis).jobs:
        assert list(job.args) == [str(stage.campaign_id)]
        assert (job.result_ttl, job.failure_ttl) == (0, 0)


def test_a_ring_without_redis_says_so_and_raises_nothing(stage: Stage) -> None:
    assert not jobs.ring(replace(stage.settings, redis_url="redis://127.0.0.1:1/0"), jobs.dispatch)


def test_the_ticker_rings_for_what_postgres_says_is_due_and_for_nothing_else(stage: Stage) -> None:
    def due() -> list[str]:
        with stage.sessions() as session:
            return [job.__name__ for job in jobs.due(session, jobs.carriers(stage.settings))]

    stage.cast(2)
    assert due() == []
    stage.plan()
    assert due() == ["dispatch"]
    stage.execute("update campaign set state = 'paused'")
    assert due() == []
    stage.execute("update campaign set state = 'running'")
    stage.dispatch()
    stage.control.wait_until_quiet()
    assert due() == ["apply_events"]
    jobs.apply_due(stage.machine)
    assert due() == []


@pytest.mark.parametrize(("workers", "places"), [(1, 1), (2, 1), (3, 2)])
def test_all_workers_but_one_may_set_letters_at_once(stage: Stage, redis: Redis, workers: int, places: int) -> None:
    for number in range(workers):
        Worker([QUEUE], name=f"worker-{number}", connection=redis, serializer=JSONSerializer).register_birth()  # type: ignore[no-untyped-call]  # as RQ ships it
    with ExitStack() as held:
        assert [held.enter_context(jobs.letters_place(stage.machine)) for _ in range(places + 1)] == [True] * places + [False]
    with jobs.letters_place(stage.machine) as free:
        assert free

"""The limit on texts a second holds over all workers, and with Redis gone as well."""

import asyncio
import time
from itertools import pairwise

import pytest
from redis import Redis

from outreach.delivery.limits import KEY, Limiter
from tests.stage import Stage

RATE = 50.0


async def permits(limiters: list[Limiter], seconds: float, segments: int = 1) -> int:
    """How many segments these limiters let through together in so many seconds, when each is asked by several at once."""
    end, given = time.monotonic() + seconds, 0

    async def lane(limiter: Limiter) -> None:
        nonlocal given
        while True:
            await limiter.permit(segments)
            if time.monotonic() > end:
                return
            given += segments

    await asyncio.gather(*(lane(limiter) for limiter in limiters for _ in range(3)))
    return given


@pytest.mark.parametrize("segments", [1, 3])
def test_three_workers_together_keep_the_rate(redis_url: str, segments: int) -> None:
    async def run() -> tuple[int, float]:
        limiters = [Limiter(redis_url, RATE) for _ in range(3)]
        began = time.monotonic()
        given = await permits(limiters, 1.5, segments)
        elapsed = time.monotonic() - began
        for limiter in limiters:
            await limiter.__aexit__()
        return given, elapsed

    given, elapsed = asyncio.run(run())
    # A bucket of one second's worth is full at the start, and what was let through is never more than came in.
    assert given <= RATE * (elapsed + 1) + segments
    assert given >= RATE * 1.5 * 0.7


def test_whoever_asks_first_is_let_through_first(redis_url: str) -> None:
    async def run() -> list[float]:
        async with Limiter(redis_url, 20) as limiter:
            await limiter.permit(20)  # the bucket is empty now
            began = time.monotonic()
            waits = []
            for _ in range(4):
                await limiter.permit(2)
                waits.append(time.monotonic() - began)
            return waits

    waits = asyncio.run(run())
    assert all(later - sooner > 0.05 for sooner, later in pairwise(waits))


def test_without_redis_each_worker_goes_on_at_a_tenth_of_the_rate() -> None:
    async def run() -> float:
        async with Limiter("redis://127.0.0.1:1/0", 100.0) as limiter:
            began = time.monotonic()
            for _ in range(4):
                await limiter.permit(1)
            return time.monotonic() - began

    # Three gaps of a tenth of a second; the first goes at once.
    assert 0.28 < asyncio.run(run()) < 5


@pytest.mark.parametrize("stage", [{"sms_segments_per_second": "20"}], indirect=True)
def test_a_limited_dispatch_takes_its_time_and_loses_nobody(stage: Stage) -> None:
    stage.cast(15)
    stage.plan()
    began = time.monotonic()
    stage.dispatch()
    segments = stage.scalar("select sum(segments) from attempt")
    assert time.monotonic() - began > (segments - 20) / 20 - 0.1
    stage.run_until_quiet()
    assert stage.outcomes() == {"reached": 15}
    stage.check_promises()


@pytest.mark.parametrize("stage", [{"sms_segments_per_second": "200"}], indirect=True)
def test_the_limit_outlives_a_flush_and_keeps_nothing_but_a_bucket_in_redis(stage: Stage) -> None:
    stage.cast(5)
    stage.plan()
    with Redis.from_url(stage.settings.redis_url) as redis:
        stage.dispatch()
        assert redis.keys() == [KEY.encode()]
        assert 0 < redis.ttl(KEY) < 120
        redis.flushdb()
    stage.run_until_quiet()
    assert stage.outcomes() == {"reached": 5}

"""The limit on texts a second holds over all workers; answers overtake; without Redis all of them keep to a lawful, slow pace."""

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa
from redis import Redis
from sqlalchemy.orm import Session, sessionmaker

from outreach.delivery import limits
from outreach.delivery.limits import Limiter, key_of, overtake
from outreach.engines import home
from outreach.engines.servers import Valkey
from tests.stage import Stage

RATE = 50.0
SENDER = "+15005550006"
NOWHERE = "redis://127.0.0.1:1/0"
Sessions = sessionmaker[Session]


async def turn(limiter: Limiter, segments: int = 1, seconds: float = 10.0) -> bool:
    """Ask until the turn comes, as a dispatcher does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if await limiter.permit(segments, within=end - time.monotonic()):
            return True
        await asyncio.sleep(0.05)
    return False


async def permits(limiters: list[Limiter], seconds: float, sizes: tuple[int, ...] = (1,)) -> dict[int, int]:
    """How often these limiters let a text of each size through together in so many seconds, when each is asked without pause."""
    end = time.monotonic() + seconds
    given = dict.fromkeys(sizes, 0)

    async def lane(limiter: Limiter, segments: int) -> None:
        while await turn(limiter, segments, end - time.monotonic()):
            given[segments] += time.monotonic() <= end

    await asyncio.gather(*(lane(limiter, segments) for limiter in limiters for segments in sizes))
    return given


def limiters(stack: AsyncExitStack, number: int, url: str, rate: float, sessions: Sessions) -> list[Limiter]:
    found = [Limiter(url, SENDER, rate, sessions) for _ in range(number)]
    for limiter in found:
        stack.push_async_exit(limiter)
    return found


def test_three_workers_together_keep_the_rate_and_long_texts_have_their_turn(redis_url: str, sessions: Sessions) -> None:
    async def run() -> tuple[dict[int, int], float]:
        async with AsyncExitStack() as stack:
            began = time.monotonic()
            given = await permits(limiters(stack, 3, redis_url, RATE, sessions), 1.5, sizes=(1, 3))
            return given, time.monotonic() - began

    given, elapsed = asyncio.run(run())
    segments = given[1] + 3 * given[3]
    # What was let through is never more than came in: an unknown bucket is an empty one.
    assert RATE * 1.5 * 0.7 <= segments <= RATE * elapsed + 3
    assert given[3] > given[1] / 4, "a language that needs three segments does not wait behind those that need one"


def test_whoever_asks_first_is_let_through_first(redis_url: str, sessions: Sessions) -> None:
    async def run() -> list[float]:
        async with Limiter(redis_url, SENDER, 20, sessions) as limiter:
            began = time.monotonic()
            waits = []
            for _ in range(4):
                await turn(limiter, 2)
                waits.append(time.monotonic() - began)
            return waits

    assert all(later - sooner > 0.05 for sooner, later in pairwise(asyncio.run(run())))


def test_whoever_cannot_wait_so_long_takes_nothing(redis_url: str, sessions: Sessions) -> None:
    async def run() -> tuple[bool, bool, bool]:
        async with Limiter(redis_url, SENDER, 20, sessions) as limiter:
            much = await limiter.permit(40, within=0.1)
            little = await limiter.permit(4, within=0.5)
            return much, little, await limiter.permit(4, within=0.1)

    assert asyncio.run(run()) == (False, True, False)


def test_an_answer_overtakes_a_campaign_and_pushes_it_back(redis_url: str, sessions: Sessions) -> None:
    async def run() -> float:
        async with Limiter(redis_url, SENDER, 20, sessions) as limiter:
            await turn(limiter)
            began = time.monotonic()
            overtake(redis_url, SENDER, 20, 16)
            answered = time.monotonic()
            assert answered - began < 0.2, "it waits for nobody"
            await turn(limiter)
            return time.monotonic() - began

    assert asyncio.run(run()) > 0.7


def test_each_sender_has_a_limit_of_its_own(redis_url: str, sessions: Sessions) -> None:
    overtake(redis_url, "+15005550007", 20, 1000)
    with Redis.from_url(redis_url) as redis:
        assert redis.keys() == [key_of("+15005550007").encode()]

    async def run() -> bool:
        async with Limiter(redis_url, SENDER, 20, sessions) as limiter:
            return await turn(limiter, seconds=1)

    assert asyncio.run(run())


@pytest.fixture
def unpaced(sessions: Sessions) -> Iterator[Sessions]:
    """Sessions that commit, and no pace left behind."""
    yield sessions
    with sessions.begin() as session:
        session.execute(sa.text("delete from sender_pace"))


def test_without_redis_all_workers_together_go_on_at_a_tenth_of_the_rate(unpaced: Sessions) -> None:
    async def run() -> tuple[dict[int, int], float]:
        async with AsyncExitStack() as stack:
            began = time.monotonic()
            given = await permits(limiters(stack, 3, NOWHERE, 200.0, unpaced), 1.2)
            return given, time.monotonic() - began

    given, elapsed = asyncio.run(run())
    # The first goes at once, and the next each a twentieth of a second later, whoever asks.
    assert 8 <= given[1] <= 20 * elapsed + 1


def test_when_redis_dies_the_pace_is_slow_and_when_it_is_back_it_is_asked_again(
    unpaced: Sessions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "AWAY_SECONDS", 0.2)

    folder = home.settle(tmp_path)
    who = home.run_as(folder)
    server = Valkey(folder, home.find_packages(folder, who), who, home.make_sockets(folder, who), "a password of this test")

    async def run() -> tuple[int, int, int]:
        async with Limiter(server.url, SENDER, 100.0, unpaced) as limiter:
            server.start()
            before = (await permits([limiter], 0.5))[1]
            server.end(signal.SIGKILL)
            during = (await permits([limiter], 0.6))[1]
            server.start()
            await asyncio.sleep(0.2)  # as long as it is left alone after it could not be asked
            return before, during, (await permits([limiter], 0.5))[1]

    try:
        before, during, after = asyncio.run(run())
    finally:
        server.end(signal.SIGKILL)
    assert during <= 9, "six in as many tenths of a second, and what was under way"
    assert min(before, after) > 20


@pytest.mark.parametrize("stage", [{"sms_segments_per_second": "20"}], indirect=True)
def test_a_limited_dispatch_takes_its_time_and_loses_nobody(stage: Stage) -> None:
    stage.cast(15)
    stage.plan()
    began = time.monotonic()
    stage.dispatch()
    sent = stage.scalar("select sum(segments) from attempt")
    assert time.monotonic() - began > sent / 20 - 0.1
    with Redis.from_url(stage.settings.redis_url) as redis:
        assert redis.keys("limit:*") == [key_of(stage.settings.sms_sender).encode()]
        assert 0 < redis.ttl(key_of(stage.settings.sms_sender)) < 120
        redis.flushdb()
    stage.run_until_quiet()
    assert stage.outcomes() == {"reached": 15}
    stage.check_promises()

"""The limit on texts a second of one sender, over all workers and machines: a token bucket in Redis, counted in segments.

Redis is a nudge, never the truth: when it cannot be asked, all workers together keep to a tenth of the rate by a row in PostgreSQL,
which is slow and lawful, rather than stop telling people or flood a carrier. When Redis is back, it is asked again.

Nobody takes a turn long before it comes: so an answer to somebody who has written to us (`overtake`) is handed over at once and
pushes the campaigns back, and a campaign that is paused leaves its turns to the others.
"""

import asyncio
import hashlib
import time
from datetime import datetime
from typing import Self

import structlog
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError
from sqlalchemy import Text, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Mapped, Session, mapped_column, sessionmaker

from outreach.db import Base

log = structlog.get_logger()

AHEAD_SECONDS = 0.5  # how long before its time a turn may be taken
AWAY_SECONDS = 5.0  # until Redis is asked again after it could not be
SLOWER = 10  # without Redis it goes so much slower

# A bucket that fills at ARGV[1] tokens a second and holds one second's worth (at least one text's). A new one is empty: Redis may
# have forgotten what was just used. Takes ARGV[2] tokens, unless those who came before still need more than ARGV[3] seconds, or
# ARGV[4] seconds would not do. Answers the seconds to wait before they may be used, or -1 when nothing was taken. Whoever asks
# while there is less than a text's worth waits until it has come in, so a long text has its turn like a short one.
TAKE = """
local now = redis.call('TIME')
local at = now[1] + now[2] / 1000000
local rate, want, ahead, within = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local full = math.max(rate, want)
local held = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = math.min(full, (tonumber(held[1]) or 0) + math.max(0, at - (tonumber(held[2]) or at)) * rate)
local wait = math.max(0, (want - tokens) / rate)
local mine = wait <= within and -tokens / rate <= ahead
if mine then tokens = tokens - want end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', tostring(at))
redis.call('PEXPIRE', KEYS[1], 60000 + math.ceil(1000 * full / rate))
return tostring(mine and wait or -1)
"""

# The same in one row, each turn as long as its segments take.
PACE = """
    insert into sender_pace as p (sender, next_at) values (:sender, clock_timestamp() + :long * interval '1 second')
    on conflict (sender) do update set next_at = greatest(p.next_at, clock_timestamp()) + :long * interval '1 second'
        where p.next_at <= clock_timestamp() + :ahead * interval '1 second'
    returning extract(epoch from next_at - clock_timestamp()) - :long
"""


class SenderPace(Base):
    """The slow pace of one sender while Redis is away: when its next segment may go."""

    __tablename__ = "sender_pace"

    sender: Mapped[str] = mapped_column(Text, primary_key=True)
    next_at: Mapped[datetime]


def key_of(sender: str) -> str:
    """The name of a sender's bucket: each number or messaging service has a limit of its own."""
    return f"limit:sms:{hashlib.sha256(sender.encode()).hexdigest()[:16]}"


def overtake(redis_url: str, sender: str, rate: float, segments: int) -> None:
    """Count an answer that goes at once, whatever waits: the campaigns wait so much longer.

    Without Redis nothing is counted: there is room for answers beside a tenth of the rate.
    """
    endless = 10**9
    try:
        with Redis.from_url(redis_url, socket_timeout=0.5, socket_connect_timeout=0.5) as redis:
            redis.eval(TAKE, 1, key_of(sender), rate, segments, endless, endless)
    except RedisError as error:
        log.warning("limits.redis_unreachable", error=type(error).__name__)


class Limiter:
    """Turns for one sender, within one `async with`. `rate` is segments a second, above 0."""

    def __init__(self, redis_url: str, sender: str, rate: float, sessions: sessionmaker[Session]) -> None:
        self._key, self._rate, self._sessions = key_of(sender), rate, sessions
        self._redis: AsyncRedis = AsyncRedis.from_url(redis_url, socket_timeout=1.0, socket_connect_timeout=1.0)
        self._take = self._redis.register_script(TAKE)
        self._away_until = 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._redis.aclose()

    async def permit(self, segments: int, *, within: float) -> bool:
        """True when so many segments may be sent. False at once, and nothing is taken, when that is not yet in sight.

        `within` is the most seconds that the caller can wait; one who was told False asks again a little later.
        """
        wait = await self._turn(segments, within)
        if wait is None:
            return False
        if wait > 0:
            await asyncio.sleep(wait)
        return True

    async def _turn(self, segments: int, within: float) -> float | None:
        if time.monotonic() >= self._away_until:
            try:
                wait = float(await self._take(keys=[self._key], args=[self._rate, segments, AHEAD_SECONDS, within]))
            except RedisError as error:
                self._away_until = time.monotonic() + AWAY_SECONDS
                log.warning("limits.redis_unreachable", error=type(error).__name__)
            else:
                return wait if wait >= 0 else None
        return await asyncio.to_thread(self._slow_turn, segments, within)

    def _slow_turn(self, segments: int, within: float) -> float | None:
        turn = {"sender": self._key, "long": SLOWER * segments / self._rate, "ahead": min(AHEAD_SECONDS, within)}
        try:
            with self._sessions.begin() as session:
                wait = session.scalar(text(PACE), turn)
        except DBAPIError as error:
            # Nobody has a turn. Raised, it would end the batch, and with it the waiting for answers of what is on its way.
            log.warning("limits.database_unreachable", error=type(error).__name__)
            return None
        return None if wait is None else max(0.0, float(wait))

"""The limit on texts a second, over all workers and machines: a token bucket in Redis, counted in segments.

Redis is a nudge, never the truth: when it cannot be asked, each worker falls back to a tenth of the rate by itself, which is slow
and safe, rather than stop telling people.
"""

import asyncio
import time
from datetime import datetime
from typing import Self

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from outreach.db import Base

log = structlog.get_logger()

KEY = "limit:sms"

# Takes ARGV[2] tokens from a bucket that fills at ARGV[1] a second and holds one second's worth (at least one text's).
# Answers the seconds to wait before they may be used: the bucket may go into debt, so that waiting is first come, first served.
TAKE = """
local now = redis.call('TIME')
local at = now[1] + now[2] / 1000000
local rate, want = tonumber(ARGV[1]), tonumber(ARGV[2])
local full = math.max(rate, want)
local held = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = math.min(full, (tonumber(held[1]) or full) + (at - (tonumber(held[2]) or at)) * rate) - want
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', tostring(at))
redis.call('PEXPIRE', KEYS[1], 60000 + math.ceil(1000 * full / rate))
return tostring(math.max(0, -tokens / rate))
"""


class SenderPace(Base):
    """The slow pace of one sender while Redis is away: when its next segment may go."""

    __tablename__ = "sender_pace"

    sender: Mapped[str] = mapped_column(Text, primary_key=True)
    next_at: Mapped[datetime]


class Limiter:
    """`await permit(segments)`, within one `async with`, returns when so many segments may be sent.

    `rate` is segments a second, above 0.
    """

    def __init__(self, redis_url: str, rate: float) -> None:
        self._rate = rate
        self._redis: Redis = Redis.from_url(redis_url, socket_timeout=1.0, socket_connect_timeout=1.0)
        self._take = self._redis.register_script(TAKE)
        self._alone_until = 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._redis.aclose()

    async def permit(self, segments: int) -> None:
        try:
            wait = float(await self._take(keys=[KEY], args=[self._rate, segments]))
        except RedisError as error:
            log.warning("limits.redis_unreachable", error=type(error).__name__)
            start = max(self._alone_until, time.monotonic())
            self._alone_until = start + 10 * segments / self._rate
            wait = start - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)

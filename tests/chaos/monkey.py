"""Strikes by chance: kills, freezes, empties Redis, crashes PostgreSQL. The same seed draws the same strikes."""

import random
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field

import psutil
from redis import Redis

from outreach.engines import Engines
from tests.chaos.herd import Herd, kill_horse

FROZEN_SECONDS = (0.5, 4.0)
FREEZES = 8  # one for so many kills


@dataclass(frozen=True, slots=True)
class Orders:
    """How often to do what, and seconds between two kills."""

    kills: int
    flushes: int
    redis_crashes: int
    postgres_crashes: int
    pause: float


@dataclass
class Monkey:
    """Call `strike` again and again; `done` once everything ordered was done."""

    herd: Herd
    engines: Engines
    orders: Orders
    chance: random.Random
    kills: int = 0
    stops: int = 0
    flushes: int = 0
    redis_crashes: int = 0
    postgres_crashes: int = 0
    _next: float = 0.0
    _frozen: dict[psutil.Process, float] = field(default_factory=dict)
    _ever_frozen: set[psutil.Process] = field(default_factory=set)

    @property
    def done(self) -> bool:
        return self.kills >= self.orders.kills

    @property
    def share(self) -> float:
        """How much of the killing is over, from 0 to 1."""
        return self.kills / self.orders.kills if self.orders.kills else 1.0

    def strike(self) -> None:
        """Do what is due now, if anything."""
        self._thaw()
        if self.done or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self.chance.uniform(0.5, 1.5) * self.orders.pause
        if self._behind(self.postgres_crashes, self.orders.postgres_crashes):
            self._thaw(everybody=True)  # It takes a while, and nobody may stay frozen for longer than was meant.
            self.engines.restart_postgres(immediate=True)
            self.postgres_crashes += 1
        elif self._behind(self.flushes, self.orders.flushes):
            with Redis.from_url(self.engines.redis_url) as redis:
                redis.flushall()
            self.flushes += 1
        elif self._behind(self.redis_crashes, self.orders.redis_crashes):
            self._thaw(everybody=True)
            self.engines.restart_valkey()
            self.redis_crashes += 1
        elif self._behind(self.stops, self.orders.kills // FREEZES):
            self._freeze()
        else:
            self._kill()

    def _behind(self, done: int, ordered: int) -> bool:
        """Each kind is spread evenly over the kills."""
        return done < ordered and self.share >= (done + 0.5) / ordered

    def _kill(self) -> None:
        horses = self.herd.horses()
        if horses and self.chance.random() < 0.6:
            self.kills += kill_horse(self.chance.choice(horses))
        else:
            self.kills += self.herd.kill(self.chance.choice(list(self.herd.pids)))

    def _freeze(self) -> None:
        with suppress(psutil.NoSuchProcess):
            others = [psutil.Process(self.chance.choice(list(self.herd.pids.values())))]
            victim = self.chance.choice(self.herd.horses() or others)
            if victim not in self._ever_frozen:
                victim.send_signal(signal.SIGSTOP)
                self._frozen[victim] = time.monotonic() + self.chance.uniform(*FROZEN_SECONDS)
                self._ever_frozen.add(victim)
                self.stops += 1

    def _thaw(self, *, everybody: bool = False) -> None:
        for victim, until in list(self._frozen.items()):
            if everybody or time.monotonic() >= until:
                del self._frozen[victim]
                with suppress(psutil.NoSuchProcess):
                    victim.send_signal(signal.SIGCONT)

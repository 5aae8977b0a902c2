"""`python -m tests.chaos`: prints one JSON object on stdout, all else on stderr; fails when anything was lost, doubled or wrong."""

import argparse
import contextlib
import gc
import json
import os
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from outreach.cli import ticker, worker
from outreach.cli.web import GUNICORN
from tests.chaos import naive, people
from tests.chaos.ground import FAULTS, Ground, prepared
from tests.chaos.herd import Herd
from tests.chaos.judge import Verdict, judge
from tests.chaos.monkey import Monkey, Orders

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything. `patience` is seconds from the last kill until all must be quiet."""

    people: int
    waves: int
    workers: int
    orders: Orders
    patience: float


SMALL = Size(104, 13, 3, Orders(kills=60, flushes=1, redis_crashes=1, postgres_crashes=1, pause=0.3), 240)
FULL = Size(6252, 60, 4, Orders(kills=2000, flushes=12, redis_crashes=6, postgres_crashes=8, pause=0.4), 900)
NAIVE = Size(20, 1, 3, Orders(0, 0, 0, 0, 1), 120)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--small", action="store_true", default=bool(os.environ.get("SMALL")), help="as the tests do it [SMALL=1]")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SEED") or random.randrange(10**6)), help="[SEED]")
    parser.add_argument("--naive", action="store_true", help="a sender that repeats whatever fails: it must be caught")
    given = parser.parse_args()
    size = NAIVE if given.naive else SMALL if given.small else FULL
    say(f"SEED={given.seed}")
    with prepared(given.seed) as ground:
        run = Run(ground, size, random.Random(given.seed), naive.main if given.naive else worker.main)
        verdict = run.go()
    for kind, count in sorted(verdict.differences.items()):
        say(f"{count:7,}  {kind}")
    for kind, count in sorted(verdict.wrong.items()):
        say(f"{count:7,}  WRONG  {kind}")
    for each in (*(f"LOST  {one}" for one in verdict.lost[:20]), *(f"TWICE  {one}" for one in verdict.duplicates[:20])):
        say(each)
    monkey = run.monkey
    print(
        json.dumps(
            {
                "messages": verdict.messages,
                "kills": monkey.kills,
                "stops": monkey.stops,
                "pg_restarts": monkey.postgres_crashes,
                "redis_flushes": monkey.flushes + monkey.redis_crashes,
                "lost": len(verdict.lost),
                "duplicates": len(verdict.duplicates),
                "outcomes_total": verdict.outcomes_total,
            }
        )
    )
    return 0 if verdict.held(size.people) else 1


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class NotQuiet(Exception):
    """Something was still on its way when the patience was over."""


class Run:
    """One run from the first person on file to the verdict."""

    def __init__(self, ground: Ground, size: Size, chance: random.Random, sender: Callable[[], None]) -> None:
        self.ground, self.size, self.sender = ground, size, sender
        self.herd = Herd(ground.folder, ground.environment)
        self.monkey = Monkey(self.herd, ground.engines, size.orders, chance)
        self.began = time.monotonic()

    def go(self) -> Verdict:
        sessions = self.ground.machine.sessions
        cast = people.fill(sessions, self.size.people, self.size.waves)
        notice_id = people.approve(sessions)
        self._note(f"{len(cast.numbers):,} people on file")
        for fault, options in FAULTS.items():
            self.ground.control.fault(fault, **options)
        gc.freeze()  # What is here already is not copied into every process that is forked from this one.
        try:
            self.herd.start("web", _web)
            self.herd.start("ticker", lambda: ticker.command.main([], standalone_mode=False))
            for number in range(self.size.workers):
                self.herd.start(f"worker-{number}", self.sender)
            self._strike(cast, notice_id)
            self._note("the monkey rests")
            self._until_quiet()
            self._note("quiet")
        finally:
            self.herd.stop()
        with sessions() as session:
            return judge(session, self.ground.control, cast)

    def _strike(self, cast: people.Cast, notice_id: UUID) -> None:
        """Launch wave after wave while the monkey strikes: there is always something in flight to be hit."""
        waves, noted = list(cast.incidents), 0.0
        while waves or not self.monkey.done:
            launched = len(cast.incidents) - len(waves)
            if waves and self.monkey.share >= launched / len(cast.incidents):
                with contextlib.suppress(DBAPIError), self.ground.machine.sessions.begin() as session:
                    people.launch(session, waves[0], notice_id)
                    waves.pop(0)
            self.monkey.strike()
            self.herd.tend()
            if time.monotonic() - noted > 10:
                noted = time.monotonic()
                self._note(f"{self.monkey.kills} kills, {launched} waves; {self._asked(states)}")
            time.sleep(0.02)

    def _until_quiet(self) -> None:
        end, noted = time.monotonic() + self.size.patience, 0.0
        while True:
            self.monkey.strike()  # Whoever is frozen is thawed.
            self.herd.tend()
            if self._asked(is_quiet) and self.ground.control.summary()["pending"] == 0:
                return
            if time.monotonic() - noted > 5:
                noted = time.monotonic()
                self._note(self._asked(states))
            if time.monotonic() > end:
                raise NotQuiet(f"After {self.size.patience:g} s there is still something on its way: {self._asked(states)}")
            time.sleep(0.5)

    def _asked(self, question: Callable[[Session], T]) -> T:
        while True:
            try:
                with self.ground.machine.sessions() as session:
                    return question(session)
            except DBAPIError:  # The database is coming back.
                time.sleep(0.2)

    def _note(self, line: str) -> None:
        say(f"{time.monotonic() - self.began:6.1f} s  {line}")


def _web() -> None:
    from gunicorn.app.wsgiapp import run

    sys.argv = ["gunicorn", "-c", str(GUNICORN), "outreach.web.wsgi:app"]
    run()


def is_quiet(session: Session) -> bool:
    """Nothing waits, nothing is undecided, and what became of everything is known."""
    return not session.scalar(
        text("""
            select exists (select 1 from step where planned_at is null)
                or exists (select 1 from message where state in ('ready', 'submitting', 'unknown') or due_at is not null
                    and state = 'undelivered')
                or exists (select 1 from attempt where state in ('open', 'unknown', 'accepted', 'sent'))
                or exists (select 1 from event where applied_at is null)
        """)
    )


def states(session: Session) -> str:
    rows = session.execute(text("select channel, state, count(*) as n from message group by 1, 2 order by 1, 2"))
    return ", ".join(f"{row.channel} {row.state} {row.n}" for row in rows)


if __name__ == "__main__":
    sys.exit(main())

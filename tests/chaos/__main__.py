"""`python -m tests.chaos`: prints one JSON object on stdout, all else on stderr; fails when anything was lost, doubled or wrong."""

import argparse
import json
import os
import random
import signal
import sys
import time
from dataclasses import dataclass

from outreach.cli import worker
from tests.chaos import naive
from tests.chaos.ground import prepared
from tests.chaos.monkey import Monkey, Orders
from tests.chaos.run import Run, say, states


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything. `patience` is seconds from the last kill until all must be quiet."""

    people: int
    waves: int
    workers: int
    orders: Orders
    patience: float


SMALL = Size(104, 13, 3, Orders(kills=60, flushes=1, redis_crashes=1, postgres_crashes=1, pause=0.3), 600)
FULL = Size(6252, 60, 4, Orders(kills=2000, flushes=12, redis_crashes=6, postgres_crashes=8, pause=0.35), 1800)
NAIVE = Size(20, 1, 3, Orders(0, 0, 0, 0, 1), 300)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--small", action="store_true", default=bool(os.environ.get("SMALL")), help="as the tests do it [SMALL=1]")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SEED") or random.randrange(10**6)), help="[SEED]")
    parser.add_argument("--naive", action="store_true", help="a sender that repeats whatever fails: it must be caught")
    given = parser.parse_args()
    size = NAIVE if given.naive else SMALL if given.small else FULL
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # What was started is ended, as after Ctrl-C.
    say(f"SEED={given.seed}")
    with prepared(given.seed) as ground:
        run = Run(ground, size.patience)
        monkey = Monkey(run.herd, ground.engines, size.orders, random.Random(given.seed))
        run.prepare(size.people, size.waves)
        try:
            run.serve()
            for number in range(size.workers):
                run.herd.start(f"worker-{number}", naive.main if given.naive else worker.main)
            strike(run, monkey)
            run.note("the monkey rests")
            run.until_quiet(monkey.strike)  # which thaws whoever is frozen
            run.note("quiet")
        finally:
            run.herd.stop()
        verdict = run.judged()
    verdict.tell(say)
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


def strike(run: Run, monkey: Monkey) -> None:
    """Launch wave after wave while the monkey strikes: there is always something in flight to be hit."""
    waves, all_waves, noted = list(run.cast.incidents), len(run.cast.incidents), 0.0
    while waves or not monkey.done:
        launched = all_waves - len(waves)
        if waves and monkey.share >= launched / all_waves and run.launch(waves[0]):
            waves.pop(0)
        monkey.strike()
        run.herd.tend()
        if time.monotonic() - noted > 10:
            noted = time.monotonic()
            run.note(f"{monkey.kills} kills, {launched} waves; {run.asked(states)}")
        time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(main())

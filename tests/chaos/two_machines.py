"""`python -m tests.chaos.two_machines`: two machines with workers, one PostgreSQL and Redis; one's cable is pulled in mid-campaign.

It stays pulled for longer than a lease and longer than either side waits for the other, and until the second machine has finished.
Then the first one comes back by itself and works on. Prints one JSON object on stdout, all else on stderr.
"""

import argparse
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable

from outreach import settings
from outreach.cli import worker
from tests.chaos.ground import FAULTS, Ground, prepared
from tests.chaos.network import NAMES, Cable, bridge, machines
from tests.chaos.run import Run, say

WORKERS = 2  # on each machine
LONGEST_SILENCE = 30.0  # seconds until both sides have given each other up (`db.OUR_PATIENCE`), and some more
PEOPLE = {True: 150, False: 1500}
# So that many calls are on their way when the cable is pulled.
SLOW: dict[str, dict[str, object]] = {"slow": {"chance": 0.6, "ms": 300}}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.two_machines", description=__doc__)
    parser.add_argument("--small", action="store_true", default=bool(os.environ.get("SMALL")), help="fewer people [SMALL=1]")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SEED") or random.randrange(10**6)), help="[SEED]")
    parser.add_argument("--relays", action="store_true", help="as where no network namespaces can be made")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # What was started is ended, as after Ctrl-C.
    say(f"SEED={given.seed}")
    with bridge(relays=given.relays) as network:
        # The sandbox answers at the bridge, which the settings would take for a real provider.
        settings.LOOPBACK = (*settings.LOOPBACK, network.host)  # type: ignore[assignment]  # one more
        with prepared(given.seed, host=network.host) as ground:
            run = Run(ground, 900)
            run.prepare(PEOPLE[given.small], 2, FAULTS | SLOW)
            try:
                with machines(network, _servers(ground)) as cables:
                    story = tell(run, cables)
            finally:
                run.herd.stop()
            verdict = run.judged()
    verdict.tell(say)
    figures = {"lost": len(verdict.lost), "duplicates": len(verdict.duplicates), "outcomes_total": verdict.outcomes_total}
    print(json.dumps({"how": network.how, "messages": verdict.messages, **story, **figures}))
    return 0 if verdict.held(PEOPLE[given.small]) and story["by_the_other"] and story["by_the_one_that_came_back"] else 1


def tell(run: Run, cables: dict[str, Cable]) -> dict[str, object]:
    """The first wave while one machine is cut off; then that one is back, and tells the second wave alone. What happened."""
    first, second = (cables[name] for name in NAMES)
    run.serve()
    for name, cable in cables.items():
        for number in range(WORKERS):
            run.herd.start(f"machine-{name}-{number}", _living_at(cable))
    run.launch(run.cast.incidents[0])
    while (before := _accepted(run)) < len(run.cast.numbers) // 4:
        run.herd.tend()
        time.sleep(0.05)
    first.cut()
    began = time.monotonic()
    run.note(f"one machine is cut off; {before} handed over so far")
    run.until_quiet()
    meanwhile = _accepted(run) - before
    run.note(f"the other one has finished: {meanwhile} more")
    time.sleep(max(0.0, LONGEST_SILENCE - (time.monotonic() - began)))
    silent = time.monotonic() - began
    first.mend()
    second.cut()
    run.launch(run.cast.incidents[1])
    run.note("the first one is back, and now the other one is cut off")
    run.until_quiet()
    alone = _accepted(run) - before - meanwhile
    run.note(f"the first one has finished: {alone} more")
    second.mend()
    return {"cut_seconds": round(silent, 1), "before": before, "by_the_other": meanwhile, "by_the_one_that_came_back": alone}


def _living_at(cable: Cable) -> Callable[[], None]:
    def main() -> None:
        cable.enter()
        worker.main()

    return main


def _servers(ground: Ground) -> dict[str, str]:
    """Where a machine finds what it works with, by the names of variables."""
    at_host = ground.engines.addresses_at_host
    assert at_host is not None  # They were given a host.
    api = {f"OUTREACH_{name}_API_URL": ground.control.url for name in ("TWILIO", "SENDGRID", "POSTGRID")}
    return {"DATABASE_URL": at_host.database_url, "REDIS_URL": at_host.redis_url, **api}


def _accepted(run: Run) -> int:
    """Messages in the sandbox's books."""
    return sum(
        1 for found in (run.ground.control.messages(), run.ground.control.mails(), run.ground.control.letters()) for _ in found
    )


if __name__ == "__main__":
    sys.exit(main())

"""The engine under fire, small: what `make chaos SMALL=1` does, and a naive sender that must not get away with it."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PATIENCE = 900  # seconds; it takes one minute, and several where the machine is busy


def chaos(*arguments: str) -> tuple[int, dict[str, int], str]:
    """Exit code, verdict, and everything that was said on the way."""
    command = [sys.executable, "-m", "tests.chaos", *arguments]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OUTREACH_", "SEED", "SMALL"))}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr


def test_nothing_is_lost_or_doubled_while_everything_dies_at_random() -> None:
    code, verdict, said = chaos("--small")
    assert code == 0, said
    assert verdict["messages"] >= 300
    assert verdict["kills"] >= 60
    assert verdict["stops"] >= 3
    assert verdict["pg_restarts"] >= 1
    assert verdict["redis_flushes"] >= 1
    assert (verdict["lost"], verdict["duplicates"]) == (0, 0)
    assert verdict["outcomes_total"] * 3 == verdict["messages"]


def test_a_sender_that_repeats_whatever_fails_is_caught() -> None:
    code, verdict, said = chaos("--naive", "--seed", "1")
    assert code == 1
    assert verdict["duplicates"] > 0, said

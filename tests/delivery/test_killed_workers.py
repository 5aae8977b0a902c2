"""A worker that dies or freezes, at any point between claiming and recording: nothing lost, nothing sent twice."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from outreach import jobs
from tests.stage import Stage, environment, poll

PEOPLE = 6
WORKER = Path(__file__).with_name("doomed_worker.py")
POINTS = {  # and how many texts the carrier has when the worker is gone, in a batch of four, one call at a time
    "after the claim, before any call": 0,
    "after the second answer": 2,
    "before the record is committed": 4,
}
"""Whole processes, as they run. Every other moment is in test_crash_points, where a worker costs milliseconds."""
SMALL = {"sms_batch": "4", "sms_in_flight": "1", "lease_seconds": "5", "sms_timeout_seconds": "1"}
pytestmark = pytest.mark.parametrize("stage", [SMALL], indirect=True)


def start(stage: Stage, how: str, point: str, overrides: Mapping[str, str] = SMALL) -> subprocess.Popen[bytes]:
    """A worker process that does to itself `how` (kill, freeze) at `point`."""
    s = stage.settings
    environ = environment(s.key_ring.parent, s.database_url, s.redis_url, stage.web_url, stage.carrier.url)
    ours = {f"OUTREACH_{name.upper()}": value for name, value in overrides.items()}
    path = {"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": os.environ["PATH"]}
    return subprocess.Popen([sys.executable, str(WORKER), how, point], env=environ | ours | path)


@pytest.mark.parametrize("point", POINTS)
def test_a_worker_killed_anywhere_loses_nothing_and_repeats_nothing(stage: Stage, point: str) -> None:
    stage.cast(PEOPLE)
    stage.plan()
    assert start(stage, "kill", point).wait(30) == -signal.SIGKILL
    assert stage.accepted() == POINTS[point]
    stage.check_books(settled=False)
    stage.check_outcomes()
    stage.run_until_quiet()
    assert stage.outcomes() == {"reached": PEOPLE}
    assert stage.accepted() == PEOPLE
    stage.check_promises()


def standing(worker: subprocess.Popen[bytes]) -> list[str]:
    """What /proc says of the process, from its state on (see proc(5))."""
    return Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="asks /proc whether a process is frozen")
@pytest.mark.parametrize("point", ["after the claim, before any call", "after all calls, before recording"])
def test_a_worker_frozen_past_its_lease_neither_sends_nor_disturbs_whoever_took_over(stage: Stage, point: str) -> None:
    stage.cast(4)
    stage.plan()
    stage.control.set(paused=True)  # no report tells what the worker did
    worker = start(stage, "freeze", point)
    poll(lambda: standing(worker)[0] == "T", 30)
    frozen_at = time.monotonic()
    for _ in range(3):  # The lease ends, the carrier is asked twice, and another worker takes over.
        stage.later(hours=1)
        jobs.sweep_once(stage.machine)
    jobs.apply_due(stage.machine)
    stage.dispatch()
    assert stage.accepted() == 4
    assert stage.states() == {"accepted": 4}
    poll(lambda: time.monotonic() > frozen_at + 3, 30)  # Its own clock was not moved: its fence is two seconds after its claim.
    os.kill(worker.pid, signal.SIGCONT)
    worker.wait(30)  # It may fail: the database gives up who was silent for long.
    assert stage.accepted() == 4
    assert stage.states() == {"accepted": 4}
    stage.control.set(paused=False)
    stage.run_until_quiet()
    assert stage.outcomes() == {"reached": 4}
    stage.check_promises()

"""The main job from end to end, as `python -m outreach demo --check` does it: real engines, real processes, faults included."""

import json
import subprocess
import sys
from typing import Any

import pytest

from outreach.cli import evidence

KEPT: dict[str, Any] = {
    "people": 6309,
    "exposures": 6355,
    "outcomes": {"reached": 6309},
    "outcomes_total": 6309,
    "messages": {"delivered": 1000},
    "sandbox": {"accepted": 1000, "duplicates": 0, "lost": 0, "unknown_to_us": 0},
    "replies": 10,
    "replies_bound": 8,
    "audit_chain": "ok",
}


def test_the_whole_main_job_keeps_its_promises() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "outreach", "demo", "--check"], capture_output=True, text=True, timeout=420, check=False
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    result = json.loads(ran.stdout.splitlines()[-1])
    assert (result["people"], result["exposures"], result["outcomes_total"]) == (6309, 6355, 6309)
    assert sum(result["outcomes"].values()) == 6309
    assert result["sandbox"]["duplicates"] == result["sandbox"]["lost"] == 0
    assert 0 < result["replies_bound"] <= result["replies"]
    assert result["audit_chain"] == "ok"
    assert set(result["seconds"]) == {"import", "plan", "send"}


def test_promises_that_were_kept_are_not_called_broken() -> None:
    assert evidence.broken_promises(KEPT) == []


@pytest.mark.parametrize(
    "change",
    [
        {"people": 6308},
        {"exposures": 6354},
        {"outcomes_total": 6308},
        {"messages": {"delivered": 999, "unknown": 1}},
        {"messages": {"delivered": 999, "ready": 1}},
        {"sandbox": KEPT["sandbox"] | {"accepted": 0}},
        {"sandbox": KEPT["sandbox"] | {"duplicates": 1}},
        {"sandbox": KEPT["sandbox"] | {"lost": 1}},
        {"sandbox": KEPT["sandbox"] | {"unknown_to_us": 1}},
        {"replies": 0, "replies_bound": 0},
        {"replies_bound": 0},
        {"audit_chain": "entry 7 is missing"},
    ],
    ids=str,
)
def test_each_broken_promise_is_found(change: dict[str, Any]) -> None:
    assert evidence.broken_promises(KEPT | change)

"""The main job from end to end, as `python -m outreach demo --check` does it: real engines, real processes, faults included."""

import json
import subprocess
import sys
from typing import Any

import pytest

from outreach.cli import evidence
from outreach.notices.channel import Channel

BOOKS = {"accepted": 1000, "duplicates": 0, "lost": 0, "unknown_to_us": 0}
LETTERS: dict[str, Any] = {
    "runs": {"post made": 2, "hand made": 12},
    "letters": 800,
    "counted": {"run": 800, "manifest": 800, "pdf": 800},
    "runs_that_disagree": 0,
    "pulled": 0,
    "in_one_run": 800,
    "not_in_one_run": 0,
    "left_out": {"no_facility": 2},
}
ATTORNEYS: dict[str, Any] = {
    "audience": {"represented": 1700, "none": 4609},
    "outcomes": {"reached": 1900},
    "appearances_without_outcome": 0,
    "wrongly_counted": 0,
    "told_twice": 0,
}
KEPT: dict[str, Any] = {
    "people": 6309,
    "exposures": 6355,
    "outcomes": {"reached": 6309},
    "outcomes_total": 6309,
    "messages": {"sms": {"delivered": 1000}, "email": {"delivered": 1000}, "letter": {"accepted": 800}},
    "sandbox": {"texts": BOOKS, "mails": BOOKS},
    "letters": LETTERS,
    "attorneys": ATTORNEYS,
    "names_in_mails": 0,
    "replies": {"sms": {"all": 10, "bound": 8}, "email": {"all": 10, "bound": 10}},
    "audit_chain": "ok",
}


def test_the_whole_main_job_keeps_its_promises() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "outreach", "demo", "--check"], capture_output=True, text=True, timeout=560, check=False
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    result = json.loads(ran.stdout.splitlines()[-1])
    assert (result["people"], result["exposures"], result["outcomes_total"]) == (6309, 6355, 6309)
    assert sum(result["outcomes"].values()) == 6309
    assert set(result["messages"]) == set(Channel)
    assert result["sandbox"]["texts"]["accepted"] > 500
    assert result["sandbox"]["mails"]["accepted"] > 500
    assert result["letters"]["letters"] == result["letters"]["counted"]["pdf"] > 300
    assert set(result["letters"]["runs"]) == {"hand made", "post made"}
    assert sum(result["attorneys"]["audience"].values()) == 6309
    assert result["attorneys"]["outcomes"]["reached"] > 500
    assert result["replies"]["email"]["bound"] > 0
    assert result["audit_chain"] == "ok"
    assert set(result["seconds"]) == {"import", "plan", "texts", "mails", "settled"}


def test_promises_that_were_kept_are_not_called_broken() -> None:
    assert evidence.broken_promises(KEPT) == []


@pytest.mark.parametrize(
    "change",
    [
        {"people": 6308},
        {"exposures": 6354},
        {"outcomes_total": 6308},
        {"messages": KEPT["messages"] | {"sms": {"delivered": 999, "unknown": 1}}},
        {"messages": KEPT["messages"] | {"email": {"delivered": 999, "ready": 1}}},
        {"messages": KEPT["messages"] | {"letter": {"accepted": 799, "submitting": 1}}},
        {"sandbox": {"texts": BOOKS, "mails": BOOKS | {"accepted": 0}}},
        {"sandbox": {"texts": BOOKS | {"duplicates": 1}, "mails": BOOKS}},
        {"sandbox": {"texts": BOOKS, "mails": BOOKS | {"duplicates": 1}}},
        {"sandbox": {"texts": BOOKS, "mails": BOOKS | {"lost": 1}}},
        {"sandbox": {"texts": BOOKS, "mails": BOOKS | {"unknown_to_us": 1}}},
        {"letters": LETTERS | {"letters": 0, "counted": {"run": 0, "manifest": 0, "pdf": 0}, "in_one_run": 0}},
        {"letters": LETTERS | {"counted": {"run": 800, "manifest": 800, "pdf": 799}}},
        {"letters": LETTERS | {"runs_that_disagree": 1}},
        {"letters": LETTERS | {"not_in_one_run": 1}},
        {"letters": LETTERS | {"in_one_run": 799}},
        {"letters": LETTERS | {"left_out": {"": 1}}},
        {"attorneys": ATTORNEYS | {"audience": {"represented": 1700, "none": 4608, "undecided": 1}}},
        {"attorneys": ATTORNEYS | {"audience": {"none": 6309}}},
        {"attorneys": ATTORNEYS | {"appearances_without_outcome": 1}},
        {"attorneys": ATTORNEYS | {"wrongly_counted": 1}},
        {"attorneys": ATTORNEYS | {"told_twice": 1}},
        {"names_in_mails": 1},
        {"replies": KEPT["replies"] | {"sms": {"all": 0, "bound": 0}}},
        {"replies": KEPT["replies"] | {"email": {"all": 3, "bound": 0}}},
        {"audit_chain": "entry 7 is missing"},
    ],
    ids=str,
)
def test_each_broken_promise_is_found(change: dict[str, Any]) -> None:
    assert evidence.broken_promises(KEPT | change)

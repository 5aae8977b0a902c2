"""End to end: the whole system as the demonstration starts it, from planning until the carrier's last report is applied."""

import time
from collections.abc import Callable

import psutil

from benchmarks import people
from benchmarks.figure import Figure
from benchmarks.ground import Ground, Place
from benchmarks.memory import Watch
from outreach import jobs
from outreach.cli.system import Plan, started

PATIENCE_SECONDS = 900


def measure(on: Ground, *, people_count: int, say: Callable[[str], None]) -> Figure:
    """One run: three workers, the ticker, two web workers, the sandbox carrier with its books, and PostgreSQL, on this machine."""
    with started(Plan(on.folder / "system", 0, 0)) as system, Watch() as watch:
        machine = system.machine()
        place = Place({}, machine, psutil.Process())
        people.fill(place, people_count)
        messages = people_count - people_count // people.SHARED
        with place.connect() as connection:
            campaign = connection.execute("select id from campaign").fetchone()
            assert campaign is not None
            began = time.perf_counter()
            jobs.ring(machine.settings, jobs.plan_campaign, str(campaign[0]))
            seconds = _until_delivered(place, messages, began)
            sending = connection.execute(
                "select count(*) / extract(epoch from max(finished_at) - min(started_at)) from attempt"
            ).fetchone()
        books = system.control.summary()
        say(f"  {messages / seconds:,.0f}/s from planning to the last report applied")
    assert sending is not None
    return Figure(
        "carrier", "Texts planned, sent, reported on and applied, end to end", "messages/s", [messages / seconds],
        details={
            "messages": messages,
            "accepted_per_second": float(sending[0]),
            "duplicates_in_the_carriers_books": books["duplicates"],
            "peak_mb_by_process": {kind: round(peak) for kind, peak in sorted(watch.peaks.items())},
        },
    )  # fmt: skip


def _until_delivered(place: Place, messages: int, began: float) -> float:
    with place.connect() as connection:
        while True:
            row = connection.execute("select count(*) from message where state = 'delivered'").fetchone()
            if row and row[0] == messages:
                return time.perf_counter() - began
            if time.perf_counter() - began > PATIENCE_SECONDS:
                raise RuntimeError(f"Only {row and row[0]} of {messages} texts were delivered within {PATIENCE_SECONDS} seconds.")
            time.sleep(0.1)

"""A campaign of very many people: planned, sent, reported on, swept, and every page of the panel while it stands there."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

from benchmarks import around, ground, pages, people
from benchmarks.callbacks import OURS, gunicorn
from benchmarks.figure import Aim, Figure
from benchmarks.ground import ROOT, Ground, Place
from outreach import jobs, supervisor
from outreach.campaigns.campaign import Step
from outreach.delivery import events
from outreach.providers.contract import Report

WORKERS = 2
REPORTS_AT_ONCE = 1000
FETCHES = 40  # of each page; fewer where there are few people
NOT_DELIVERED = 20  # one text in so many is not
NO_SUCH_PHONE = "30005"  # https://www.twilio.com/docs/api/errors/30005
PAGE_MS = 150.0  # at the 95th percentile: what somebody who waits for a page does not notice


def measure(on: Ground, *, people_count: int, say: Callable[[str], None]) -> Figure:
    """One run of everything. The panel runs as in production, and its pages are fetched over HTTP by somebody who is signed in."""
    port = supervisor.free_port()
    with ground.stub() as url, on.place(twilio_api_url=url, public_base_url=f"http://127.0.0.1:{port}") as place:
        seconds: dict[str, float] = {}

        def clocked(what: str, work: Callable[[], Any]) -> Any:
            began = time.perf_counter()
            done = work()
            seconds[what] = time.perf_counter() - began
            say(f"  {what}: {seconds[what]:,.1f} s")
            return done

        step = clocked("fill", lambda: people.fill(place, people_count))
        planned = clocked("plan", lambda: people.plan_step(place, step))
        people.refresh_statistics(place)
        runs = clocked("send", lambda: _send(place))
        sent = sum(run["sent"] for run in runs)
        if sent != planned:
            raise RuntimeError(f"{planned} messages were planned and {sent} sent: this run measures nothing.")
        kept = clocked("keep reports", lambda: _report(place))
        clocked("apply reports", lambda: jobs.apply_due(place.machine))
        clocked("put the rest beside it", lambda: around.fill(place, _campaign_of(place, step), people_count))
        people.refresh_statistics(place)
        # Nobody answers for the stub's books, and nothing is so old that it would be asked about.
        quiet = replace(place.machine, settings=replace(place.machine.settings, poll_after_seconds=10**9))
        clocked("first sweep", lambda: jobs.sweep_once(quiet))
        clocked("sweep", lambda: jobs.sweep_once(quiet))
        with gunicorn(on, place, OURS, port):
            taken = pages.measure(place, port, max(2, min(FETCHES, people_count // 20)), say)
        with place.connect() as connection:
            row = connection.execute("select pg_database_size(current_database())").fetchone()
    slowest = max(taken, key=lambda name: taken[name]["95th"])
    slow = [name for name, each in taken.items() if each["95th"] > PAGE_MS]
    return Figure(
        "million", f"A campaign of {people_count:,} people: texts sent by {WORKERS} workers to a stub", "messages/s",
        [sent / seconds["send"]],
        aims=[
            Aim(
                f"every page of the panel under {PAGE_MS:.0f} ms at the 95th percentile",
                f"{len(taken) - len(slow)} of {len(taken)}; slowest {slowest}: {taken[slowest]['95th']:.0f} ms", not slow,
            )
        ],
        details={
            "people": people_count,
            "messages": planned,
            "seconds": seconds,
            "planned_a_second": people_count / seconds["plan"],
            "reports_kept_a_second": kept / seconds["keep reports"],
            "reports_applied_a_second": kept / seconds["apply reports"],
            "worker_peak_mb": max(run["peak_mb"] for run in runs),
            "database_gb": row[0] / 2**30 if row else None,
            "pages_ms": taken,
            "no_pages": pages.NO_PAGE,
        },
    )  # fmt: skip


def _send(place: Place) -> list[dict[str, Any]]:
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.sender", "system", "sms"], env=os.environ | place.environment, cwd=ROOT,
            stdout=subprocess.PIPE, text=True,
        )
        for _ in range(WORKERS)
    ]  # fmt: skip
    try:
        return [json.loads(worker.communicate()[0].splitlines()[-1]) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()


def _report(place: Place) -> int:
    """Keep two reports on each text, as a provider's batches bring them; how many."""
    with place.connect() as connection:
        rows = connection.execute("select id, provider_id from attempt where state = 'accepted' order by id").fetchall()
    kept = 0
    for last in (False, True):
        for start in range(0, len(rows), REPORTS_AT_ONCE):
            batch = [
                _said(attempt, sid, "sent" if not last else "undelivered" if number % NOT_DELIVERED == 0 else "delivered")
                for number, (attempt, sid) in enumerate(rows[start : start + REPORTS_AT_ONCE])
            ]
            with place.machine.sessions.begin() as session:
                kept += events.keep(session, "twilio", *batch)
    return kept


def _said(attempt: UUID, sid: str, status: str) -> Report:
    return Report(f"{sid}:{status}", attempt, sid, status, status, NO_SUCH_PHONE if status == "undelivered" else None)


def _campaign_of(place: Place, step: UUID) -> UUID:
    with place.machine.sessions.begin() as session:
        return session.get_one(Step, step).campaign_id

"""A campaign of very many people: planned, sent, reported on, swept, and every page of the panel while it stands there."""

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import quantiles
from typing import Any
from uuid import UUID

from werkzeug.routing import Rule

from benchmarks import ground, people
from benchmarks.background import signed_in
from benchmarks.callbacks import OURS, gunicorn
from benchmarks.figure import Aim, Figure
from benchmarks.ground import ROOT, Ground, Place
from outreach import jobs, supervisor
from outreach.delivery import events
from outreach.providers.contract import Report
from outreach.web import create_app

WORKERS = 2
REPORTS_AT_ONCE = 1000
FETCHES = 40  # of each page; fewer where there are few people
PAGE_MS = 150.0  # at the 95th percentile: what somebody who waits for a page does not notice
TAKEN_FROM = {
    "campaign_id": "select id from campaign limit 1",
    "person_id": "select person_id from message_person limit 1",
    "notice_id": "select id from notice limit 1",
    "rendition_id": "select id from rendition limit 1",
    "account_id": "select id from account limit 1",
    "language": "select 'es'",
    "channel": "select 'sms'",
}


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
        people.refresh_statistics(place)
        # Nobody answers for the stub's books, and nothing is so old that it would be asked about.
        quiet = replace(place.machine, settings=replace(place.machine.settings, poll_after_seconds=10**9))
        clocked("first sweep", lambda: jobs.sweep_once(quiet))
        clocked("sweep", lambda: jobs.sweep_once(quiet))
        with gunicorn(on, place, OURS, port):
            pages, left_out = _pages(place, port, min(FETCHES, 1 + people_count // 20), say)
        with place.connect() as connection:
            row = connection.execute("select pg_database_size(current_database())").fetchone()
    slowest = max(pages, key=lambda path: pages[path]["95th"])
    slow = {path: taken for path, taken in pages.items() if taken["95th"] > PAGE_MS}
    return Figure(
        "million", f"A campaign of {people_count:,} people: texts sent by {WORKERS} workers to a stub", "messages/s",
        [sent / seconds["send"]],
        aims=[
            Aim(
                f"every page of the panel under {PAGE_MS:.0f} ms at the 95th percentile",
                f"{len(pages) - len(slow)} of {len(pages)}; slowest {slowest}: {pages[slowest]['95th']:.0f} ms", not slow,
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
            "pages_ms": pages,
            "pages_left_out": left_out,
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
    for status in ("sent", "delivered"):
        for start in range(0, len(rows), REPORTS_AT_ONCE):
            batch = [
                Report(f"{sid}:{status}", UUID(str(attempt)), sid, status, status, None)
                for attempt, sid in rows[start : start + REPORTS_AT_ONCE]
            ]
            with place.machine.sessions.begin() as session:
                kept += events.keep(session, "twilio", *batch)
    return kept


def _pages(place: Place, port: int, fetches: int, say: Callable[[str], None]) -> tuple[dict[str, dict[str, float]], list[str]]:
    """Milliseconds of each page that a supervisor can open, by its pattern; and the patterns for which there is nothing to show."""
    token = signed_in(place)
    with place.connect() as connection:
        ids = {name: str(row[0]) for name, statement in TAKEN_FROM.items() if (row := connection.execute(statement).fetchone())}
    found: dict[str, dict[str, float]] = {}
    left_out: list[str] = []
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    app = create_app(place.machine.settings, place.machine.sessions)
    with app.test_request_context():
        for rule in sorted(app.url_map.iter_rules(), key=str):
            if not _is_page(rule):
                continue
            if not rule.arguments <= set(ids):
                left_out.append(str(rule))
                continue
            values: dict[str, Any] = {name: ids[name] for name in rule.arguments}
            path = app.url_for(rule.endpoint, **values)
            taken = _fetch(link, path, token, fetches)
            if taken is None:
                left_out.append(str(rule))
                continue
            found[str(rule)] = {"median": quantiles(taken, n=2)[0], "95th": quantiles(taken, n=20)[-1]}
            say(f"  {rule}: {found[str(rule)]['95th']:.0f} ms at the 95th percentile")
    link.close()
    return found, left_out


def _is_page(rule: Rule) -> bool:
    endpoint = rule.endpoint
    return "GET" in (rule.methods or ()) and not endpoint.startswith("webhooks") and endpoint not in ("static", "auth.sign_out")


def _fetch(link: http.client.HTTPConnection, path: str, token: str, fetches: int) -> list[float] | None:
    """Milliseconds of each fetch; None where this is no page for a supervisor."""
    taken: list[float] = []
    for _ in range(fetches):
        began = time.perf_counter()
        link.request("GET", path, headers={"Cookie": f"outreach={token}"})
        answer = link.getresponse()
        answer.read()
        taken.append(1000 * (time.perf_counter() - began))
        if answer.status in (302, 303, 403, 404, 405, 409) or "text/html" not in (answer.getheader("Content-Type") or ""):
            return None
        if answer.status != 200:
            raise RuntimeError(f"A page answered {answer.status}: this run measures nothing.")
    return taken

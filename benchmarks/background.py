"""Letters in the background: two workers set a campaign's letters, while somebody uses the panel."""

import http.client
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median, quantiles

import pyotp

from benchmarks import people
from benchmarks.callbacks import OURS, gunicorn
from benchmarks.figure import Aim, Figure
from benchmarks.ground import ROOT, Ground, Place
from outreach import supervisor
from outreach.access import accounts
from outreach.access.accounts import Role
from outreach.access.audit import COMMAND
from outreach.notices.channel import Channel

WORKERS = 2
PAGES = 200  # fetched with nothing else going on; fewer where there are few letters
PAUSE_SECONDS = 0.05  # between two pages: a few people at their desks
SLOWER = 1.5  # times as long as alone, which nobody notices where a page takes some ten milliseconds
PATIENCE_SECONDS = 3600


def measure(on: Ground, *, letters: int, say: Callable[[str], None]) -> Figure:
    """One run. The panel runs as in production, and its pages are fetched over HTTP by somebody who is signed in."""
    port = supervisor.free_port()
    with on.place(public_base_url=f"http://127.0.0.1:{port}") as place:
        planned = people.renew(place, people.fill(place, letters, Channel.LETTER))
        with gunicorn(on, place, OURS, port):
            token = signed_in(place)
            _fetch(port, token, pages=20)  # Imports and first connections are no part of what a page costs.
            alone = _fetch(port, token, pages=min(PAGES, letters))
            began = time.perf_counter()
            workers = [
                subprocess.Popen(
                    [sys.executable, "-m", "benchmarks.setter"], env=os.environ | place.environment, cwd=ROOT,
                    stdout=subprocess.PIPE, text=True,
                )
                for _ in range(WORKERS)
            ]  # fmt: skip
            try:
                beside = _fetch(port, token, until=lambda: all(worker.poll() is not None for worker in workers))
                seconds = time.perf_counter() - began
            finally:
                for worker in workers:
                    worker.kill()
            runs = [json.loads(worker.communicate()[0].splitlines()[-1]) for worker in workers]
        _expect_set(place, planned)
    say(f"  {planned / seconds:,.0f} letters/s; a page {median(alone):.0f} ms alone, {median(beside):.0f} ms beside them")
    slower = median(beside) / median(alone)
    return Figure(
        "background", "Letters set and put into print runs by two workers, beside the panel", "letters/s", [planned / seconds],
        aims=[Aim(f"a page of the panel takes at most {SLOWER:g} times as long meanwhile", f"{slower:.2f}", slower <= SLOWER)],
        details={
            "letters": planned,
            "seconds": seconds,
            "page_ms_alone_median": median(alone),
            "page_ms_alone_95th": _slow(alone),
            "page_ms_beside_median": median(beside),
            "page_ms_beside_95th": _slow(beside),
            "slower_median": slower,
            "slower_95th": _slow(beside) / _slow(alone),
            "worker_peak_mb": max(run["peak_mb"] for run in runs),
        },
    )  # fmt: skip


def signed_in(place: Place) -> str:
    """The cookie of a supervisor's session."""
    password = secrets.token_hex(16)
    with place.machine.sessions.begin() as session:
        made = accounts.create(session, login="bench", name="Benchmark", role=Role.SUPERVISOR, password=password, by=COMMAND)
        code = pyotp.TOTP(made.totp_secret).now()
        _, token = accounts.sign_in(session, login="bench", password=password, code=code, source="127.0.0.1")
    return token


def _fetch(port: int, token: str, *, pages: int | None = None, until: Callable[[], bool] = lambda: False) -> list[float]:
    """Milliseconds that each fetch of the overview took."""
    taken: list[float] = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    end = time.monotonic() + PATIENCE_SECONDS
    while (pages is None or len(taken) < pages) and not (taken and until()):
        began = time.perf_counter()
        connection.request("GET", "/", headers={"Cookie": f"outreach={token}"})
        answer = connection.getresponse()
        answer.read()
        taken.append(1000 * (time.perf_counter() - began))
        if answer.status != 200:
            raise RuntimeError(f"The overview answered {answer.status}: this run measures nothing.")
        if time.monotonic() > end:
            raise RuntimeError("The letters took more than an hour: this run measures nothing.")
        time.sleep(PAUSE_SECONDS)
    connection.close()
    return taken


def _slow(taken: list[float]) -> float:
    return quantiles(taken, n=20)[-1] if len(taken) > 1 else taken[0]


def _expect_set(place: Place, planned: int) -> None:
    with place.connect() as connection:
        row = connection.execute("select count(*) from letter where run_id is not null").fetchone()
    if row is None or row[0] != planned:
        raise RuntimeError(f"{row and row[0]} letters lie in print runs, not {planned}: this run measures nothing.")

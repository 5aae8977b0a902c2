"""Delivery reports: taken in through gunicorn, each answered after its commit, and then applied to messages and outcomes."""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from uuid import UUID

import aiohttp
from twilio.request_validator import RequestValidator

from benchmarks import ground, people
from benchmarks.figure import Figure
from benchmarks.ground import ROOT, Ground, Place
from benchmarks.memory import Watch
from outreach import jobs, supervisor
from outreach.supervisor import Program

IN_FLIGHT = 50
OURS = "outreach.web.wsgi:app"
BARE = "benchmarks.bare_wsgi:app"

Call = tuple[str, dict[str, str], dict[str, str]]
"""Address, form, headers."""


def measure(on: Ground, *, callbacks: int, repeats: int, say: Callable[[str], None]) -> list[Figure]:
    """Each turn reports `callbacks` times: on half as many attempts that they were sent, and that they were delivered."""
    port = supervisor.free_port()
    base = f"http://127.0.0.1:{port}"
    taken: list[float] = []
    least: list[float] = []
    applied: list[float] = []
    with ground.stub() as url, on.place(twilio_api_url=url, public_base_url=base) as place, Watch() as watch:
        # One person in twenty adds no message.
        step = people.fill(place, callbacks // 2 * people.SHARED // (people.SHARED - 1) + people.SHARED)
        with place.connect() as connection:
            connection.execute("create table floor_event (provider_id text, status text, received_at timestamptz)")
        for turn in range(repeats):
            people.renew(place, step)
            place.measure("sender", "system", "sms")
            calls = _calls(place, base, callbacks)
            with gunicorn(on, place, BARE, port):
                least.append(callbacks / _deliver(calls))
            with gunicorn(on, place, OURS, port):
                taken.append(callbacks / _deliver(calls))
            began = time.perf_counter()
            done = jobs.apply_due(place.machine)
            applied.append(done / (time.perf_counter() - began))
            _expect_delivered(place, callbacks // 2)
            say(f"  {turn + 1} of {repeats}: {taken[-1]:,.0f}/s, floor {least[-1]:,.0f}/s; applied {applied[-1]:,.0f}/s")
    return [
        Figure(
            "callbacks", "Delivery reports accepted by gunicorn", "callbacks/s", taken,
            "a bare WSGI app under the same gunicorn: one INSERT and COMMIT", least,
            details={"callbacks_a_run": callbacks, "in_flight": IN_FLIGHT, "web_worker_peak_mb": watch.peaks.get("web worker")},
        ),
        Figure("applied", "Delivery reports applied by one worker", "events/s", applied, details={"median": median(applied)}),
    ]  # fmt: skip


def _calls(place: Place, base: str, count: int) -> list[Call]:
    """As Twilio makes them, signed before the clock runs."""
    chosen = place.machine.settings
    validator = RequestValidator(chosen.twilio_auth_token)
    with place.connect() as connection:
        rows = connection.execute(
            "select id, provider_id from attempt where state = 'accepted' order by id limit %s", [count // 2]
        ).fetchall()
    assert len(rows) == count // 2
    calls: list[Call] = []
    for number, status in enumerate(("sent", "delivered")):
        for place_in_line, (attempt, sid) in enumerate(rows):
            address = f"{base}/webhooks/twilio/status/{UUID(str(attempt))}"
            form = {
                "AccountSid": chosen.twilio_account_sid,
                "ApiVersion": "2010-04-01",
                "From": chosen.sms_sender,
                "MessageSid": sid,
                "MessageStatus": status,
                "SmsSid": sid,
                "SmsStatus": status,
                "To": people.phone(number * len(rows) + place_in_line),
            }
            calls.append((address, form, {"X-Twilio-Signature": validator.compute_signature(address, form)}))
    return calls


@contextmanager
def gunicorn(on: Ground, place: Place, app: str, port: int) -> Iterator[None]:
    """An application under the configuration that production has."""
    program = Program(
        "gunicorn",
        [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "config" / "gunicorn.py"), "--chdir", str(ROOT), app],
        place.environment | {"OUTREACH_BIND": f"127.0.0.1:{port}"},
        ready=supervisor.listening(port),
    )
    with supervisor.Group(logs=on.folder / "log") as group:
        group.start(program)
        yield


def _deliver(calls: list[Call]) -> float:
    """Seconds to make all calls; a few before them wake the workers up."""
    return asyncio.run(_deliver_all(calls))


async def _deliver_all(calls: list[Call]) -> float:
    refused = 0
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=IN_FLIGHT)) as session:

        async def lane(waiting: Iterator[Call]) -> None:
            nonlocal refused
            for address, form, headers in waiting:
                async with session.post(address, data=form, headers=headers) as answer:
                    refused += answer.status != 204

        # Imports and first connections are no part of what a call costs. Repeated reports change nothing.
        warm = iter(calls[: 2 * IN_FLIGHT])
        await asyncio.gather(*(lane(warm) for _ in range(IN_FLIGHT)))
        waiting, began = iter(calls), time.perf_counter()
        await asyncio.gather(*(lane(waiting) for _ in range(IN_FLIGHT)))
        seconds = time.perf_counter() - began
    if refused:
        raise RuntimeError(f"{refused} of {len(calls)} callbacks were not answered by 204: this run measures nothing.")
    return seconds


def _expect_delivered(place: Place, count: int) -> None:
    with place.connect() as connection:
        row = connection.execute("select count(*) from message where state = 'delivered'").fetchone()
    if row is None or row[0] != count:
        raise RuntimeError(f"{row and row[0]} messages are delivered, not {count}: this run measures nothing.")

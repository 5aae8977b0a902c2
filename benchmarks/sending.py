"""Sending: the real dispatch against PostgreSQL and a stub, beside the bare loop of the same client. Texts, and mails."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks import ground, people
from benchmarks.figure import Aim, Figure
from benchmarks.ground import Ground, Place
from outreach.notices.channel import Channel

SETTLE_SECONDS = 1.0  # until the worker's PostgreSQL processes have ended and left their counts


@dataclass(frozen=True, slots=True)
class Kind:
    """What is sent. `least_share` of the floor and `least_rate` a second are what we want; None: nothing was promised."""

    name: str
    title: str
    unit: str
    channel: Channel
    floor: str
    api: str
    least_share: float | None = None
    least_rate: int = 1000


TEXTS = Kind(
    "send", "Texts sent by one worker to a stub", "messages/s", Channel.SMS, "the same Twilio client in a bare loop",
    "twilio_api_url", least_share=0.4,
)  # fmt: skip
MAILS = Kind(
    "mail", "E-mails sent by one worker to a stub", "mails/s", Channel.EMAIL,
    "the same mails by SendGrid's package, posted by as many threads with a connection each", "sendgrid_api_url", least_rate=400,
)  # fmt: skip


def measure(on: Ground, kind: Kind, *, messages: int, repeats: int, memory: tuple[int, ...], say: Callable[[str], None]) -> Figure:
    """`memory`: for so many people each, one more run of the system, whose peak memory is noted."""
    ours: list[dict[str, Any]] = []
    bare: list[dict[str, Any]] = []
    with ground.stub() as url:
        where = {kind.api: url, "sendgrid_api_key": "benchmark"}
        with on.place(**where) as place:
            step = people.fill(place, messages, kind.channel)
            for turn in range(repeats):
                planned = people.renew(place, step)
                bare.append(place.measure("sender", "bare", kind.channel, str(planned)))
                ours.append(_send(place, kind, planned))
                say(f"  {turn + 1} of {repeats}: {_rate(ours[-1]):,.0f}/s, bare loop {_rate(bare[-1]):,.0f}/s")
        peaks = {messages: max(run["peak_mb"] for run in ours)}
        for count in memory:
            with on.place(**where) as place:
                run = _send(place, kind, people.renew(place, people.fill(place, count, kind.channel)))
                peaks[count] = run["peak_mb"]
                say(f"  {count:,} people: {_rate(run):,.0f}/s, {run['peak_mb']:.0f} MB")
    return _figure(kind, ours, bare, peaks)


def _send(place: Place, kind: Kind, planned: int) -> dict[str, Any]:
    with place.connect() as connection:
        transactions = "select xact_commit + xact_rollback from pg_stat_database where datname = current_database()"
        before, cpu = connection.execute(transactions).fetchone(), place.postgres_cpu()
        run = place.measure("sender", "system", kind.channel)
        time.sleep(SETTLE_SECONDS)
        after = connection.execute(transactions).fetchone()
    assert before
    assert after
    if run["sent"] != planned:
        raise RuntimeError(f"{planned} messages were planned and {run['sent']} sent: this run measures nothing.")
    return run | {"postgres_cpu": place.postgres_cpu() - cpu, "transactions": after[0] - before[0]}


def _figure(kind: Kind, ours: list[dict[str, Any]], bare: list[dict[str, Any]], peaks: dict[int, float]) -> Figure:
    cpu = median(_each(run, "cpu") for run in ours)
    # A statement is whatever is sent to PostgreSQL and waited for: BEGIN and COMMIT are too.
    statements = median(sum(run["counts"].values()) / run["sent"] for run in ours)
    figure = Figure(
        kind.name, kind.title, kind.unit, [_rate(run) for run in ours], kind.floor, [_rate(run) for run in bare],
        details={
            "worker_cpu_ms_per_message": cpu,
            "bare_loop_cpu_ms_per_message": median(_each(run, "cpu") for run in bare),
            "postgres_cpu_ms_per_message": median(_each(run, "postgres_cpu") for run in ours),
            "statements_per_message": statements,
            "transactions_per_message_by_postgres": median(run["transactions"] / run["sent"] for run in ours),
            "counts": ours[-1]["counts"],
            "messages_a_run": ours[-1]["sent"],
            "peak_mb_by_people": dict(sorted(peaks.items())),
            "bare_loop_peak_mb": max(run["peak_mb"] for run in bare),
        },
    )  # fmt: skip
    share, sizes = figure.share or 0.0, sorted(peaks)
    growth = peaks[sizes[-1]] - peaks[sizes[0]]
    if kind.least_share is not None:
        figure.aims.append(Aim(f"at least {kind.least_share:.0%} of the bare loop", f"{share:.0%}", share >= kind.least_share))
    figure.aims.append(Aim(f"at least {kind.least_rate:,} {kind.unit}", f"{figure.value:,.0f}", figure.value >= kind.least_rate))
    figure.aims.append(Aim("at most 0.2 SQL statements a message", f"{statements:.3f}", statements <= 0.2))
    if kind is TEXTS:
        figure.aims.append(Aim("at most 0.8 ms of worker CPU a message", f"{cpu:.2f} ms", cpu <= 0.8))
    if len(sizes) > 1:
        text = f"memory flat from {sizes[0]:,} to {sizes[-1]:,} people (within 10 MB)"
        figure.aims.append(Aim(text, f"{growth:+.0f} MB", growth <= 10))
    return figure


def _rate(run: dict[str, Any]) -> float:
    return float(run["sent"] / run["seconds"])


def _each(run: dict[str, Any], key: str) -> float:
    """Milliseconds a message."""
    return float(1000 * run[key] / run["sent"])

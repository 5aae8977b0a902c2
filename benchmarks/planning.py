"""Planning: who gets which text, beside copying the very rows that it writes from a table that holds them ready."""

import time
from collections.abc import Callable
from uuid import UUID

from benchmarks import people
from benchmarks.figure import Aim, Figure
from benchmarks.ground import Ground, Place

WRITTEN = ("outcome", "message", "message_person")


def measure(on: Ground, *, people_count: int, repeats: int, say: Callable[[str], None]) -> Figure:
    ours: list[float] = []
    least: list[float] = []
    refreshed: list[float] = []
    with on.place() as place:
        step = people.fill(place, people_count)
        people.renew(place, step)
        _keep(place)
        for turn in range(repeats):
            least.append(people_count / _floor(place))
            ours.append(people_count / _plan(place, step))
            refreshed.append(_refresh(place))
            say(f"  {turn + 1} of {repeats}: {ours[-1]:,.0f}/s, floor {least[-1]:,.0f}/s")
    figure = Figure(
        "plan", "People planned", "people/s", ours, "INSERT ... SELECT of the same rows, primary keys only", least,
        details={"people": people_count, "seconds_to_refresh_statistics_afterwards": min(refreshed)},
    )  # fmt: skip
    share = figure.share or 0.0
    figure.aims.append(Aim("at least 50 % of the floor", f"{share:.0%}", share >= 0.5))
    return figure


def _plan(place: Place, step: UUID) -> float:
    people.forget(place, step)
    began = time.perf_counter()
    people.plan_step(place, step)
    return time.perf_counter() - began


def _refresh(place: Place) -> float:
    began = time.perf_counter()
    people.refresh_statistics(place)
    return time.perf_counter() - began


def _keep(place: Place) -> None:
    """The rows of one planning in tables of their own, and empty tables of the same shape for the floor to fill."""
    with place.connect() as connection:
        for table in WRITTEN:
            connection.execute(f"create table ready_{table} as table {table}")
            key = connection.execute(
                "select pg_get_constraintdef(oid) from pg_constraint where conrelid = %s::regclass and contype = 'p'", [table]
            ).fetchone()
            assert key is not None
            connection.execute(f"create table floor_{table} (like {table})")
            connection.execute(f"alter table floor_{table} add {key[0]}")
        connection.execute("vacuum analyze ready_outcome, ready_message, ready_message_person")


def _floor(place: Place) -> float:
    with place.connect() as connection:
        connection.execute("truncate floor_outcome, floor_message, floor_message_person")
        began = time.perf_counter()
        with connection.transaction():
            for table in WRITTEN:
                connection.execute(f"insert into floor_{table} table ready_{table}")
        return time.perf_counter() - began

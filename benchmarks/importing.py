"""Importing a roster: recognised, checked, sealed, matched and stored, beside reading the file and copying its cells."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.figure import Aim, Figure
from benchmarks.ground import Ground
from outreach.people.synth import rosters


def measure(on: Ground, *, rows: int, repeats: int, memory: tuple[int, ...], say: Callable[[str], None]) -> Figure:
    """`memory`: for so many rows each, one more import, whose peak memory is noted."""
    ours: list[dict[str, Any]] = []
    bare: list[dict[str, Any]] = []
    path = _written(on, rows)
    for turn in range(repeats):
        with on.place(roster_max_rows=str(max(rows, *memory, 1))) as place:
            bare.append(place.measure("importer", "bare", str(path)))
            ours.append(place.measure("importer", "system", str(path)))
        say(f"  {turn + 1} of {repeats}: {rows / ours[-1]['seconds']:,.0f}/s, floor {rows / bare[-1]['seconds']:,.0f}/s")
    peaks = {rows: max(run["peak_mb"] for run in ours)}
    rates = {}
    for count in memory:
        with on.place(roster_max_rows=str(count), roster_max_bytes=str(10**9)) as place:
            run = place.measure("importer", "system", str(_written(on, count)))
        peaks[count], rates[count] = run["peak_mb"], count / run["seconds"]
        say(f"  {count:,} rows: {rates[count]:,.0f}/s, {peaks[count]:.0f} MB")
    figure = Figure(
        "import", "Roster rows imported", "rows/s", [rows / run["seconds"] for run in ours],
        "csv module and COPY of every cell into one unindexed table", [rows / run["seconds"] for run in bare],
        details={
            "rows_a_run": rows,
            "cpu_ms_per_row": 1000 * ours[-1]["cpu"] / rows,
            "peak_mb_by_rows": dict(sorted(peaks.items())),
            "rows_per_second_by_rows": rates,
            "counted": ours[-1]["counted"],
        },
    )  # fmt: skip
    sizes = sorted(peaks)
    if len(sizes) > 1:
        growth = peaks[sizes[-1]] - peaks[sizes[0]]
        figure.aims.append(
            Aim(f"memory constant from {sizes[0]:,} to {sizes[-1]:,} rows (within 10 MB)", f"{growth:+.0f} MB", growth <= 10)
        )
    return figure


def _written(on: Ground, rows: int) -> Path:
    path = on.folder / f"roster-{rows}.csv"
    if not path.exists():
        with path.open("w", newline="") as file:
            rosters.write_csv(file, rosters.first_incident(rosters.Plan(people=rows)))
    return path

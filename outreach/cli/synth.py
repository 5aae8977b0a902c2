"""`python -m outreach synth`: write rosters of people who do not exist."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from outreach.people.synth.bad_rows import bad_rows
from outreach.people.synth.person import DateStyle, Row
from outreach.people.synth.rosters import Plan, first_incident, second_incident, write_csv, write_xlsx


@click.command()
@click.option("--people", type=click.IntRange(1, 10_000_000), default=6_252, show_default=True, help="How many people.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed makes the same people.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The roster to write.")
@click.option("--second-incident", "second", type=click.IntRange(0), default=103, show_default=True)
@click.option("--shared", type=click.IntRange(0), default=46, show_default=True, help="How many are in both incidents.")
@click.option("--out2", type=click.Path(dir_okay=False, path_type=Path), help="The second incident's roster.")
@click.option("--dates", type=click.Choice(["iso", "dmy", "mdy"]), default="iso", show_default=True)
@click.option("--xlsx", is_flag=True, help="Write Excel workbooks instead of CSV.")
@click.option("--bad-rows", "bad", type=click.IntRange(0), default=0, help="Append bad rows; OUT.expected.csv lists them.")
def command(
    *,
    people: int,
    seed: int,
    out: Path,
    second: int,
    shared: int,
    out2: Path | None,
    dates: DateStyle,
    xlsx: bool,
    bad: int,
) -> None:
    """Write a roster of synthetic people, and with --out2 that of a second incident in which some of them are too."""
    if bad and xlsx:
        raise click.UsageError("--bad-rows needs CSV, since a workbook has no rows with too many or too few cells.")
    plan = Plan(people=people, seed=seed, second=second, shared=shared, dates=dates)
    _write(out, _shown(first_incident(plan), people, str(out)), xlsx=xlsx)
    if bad:
        _append_bad_rows(out, plan, bad)
    if out2 is not None:
        try:
            written = _write(out2, second_incident(plan), xlsx=xlsx)
        except ValueError as error:
            raise click.UsageError(f"{error} Lower --shared, or raise --people or --second-incident.") from None
        print(f"{out2}: {written:,} people, {shared:,} of them also in {out}")


def _shown(rows: Iterable[Row], length: int, label: str) -> Iterator[Row]:
    with click.progressbar(rows, length=length, label=label, update_min_steps=1_000) as bar:
        yield from bar


def _write(path: Path, rows: Iterable[Row], *, xlsx: bool) -> int:
    if xlsx:
        with path.open("wb") as file:
            return write_xlsx(file, rows)
    with path.open("w", encoding="utf-8", newline="") as text:
        return write_csv(text, rows)


def _append_bad_rows(path: Path, plan: Plan, count: int) -> None:
    expected = path.with_suffix(".expected.csv")
    with (
        path.open("a", encoding="utf-8", newline="") as roster,
        expected.open("w", encoding="utf-8", newline="") as list_,
    ):
        rows = csv.writer(roster)
        faults = csv.writer(list_)
        faults.writerow(("row", "code", "column", "comment"))
        # The header is row 1 in a spreadsheet program.
        for number, bad in enumerate(bad_rows(plan.seed, plan.people + plan.second, count), plan.people + 2):
            rows.writerow(bad.cells)
            faults.writerow((number, bad.fault.value, bad.column, bad.comment))
    print(f"{path}: {count:,} bad rows after the good ones; {expected} says what is wrong with each")

"""`python -m outreach import`: import a roster from the command line of a server."""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import click

from outreach import jobs
from outreach.access.audit import COMMAND
from outreach.db import now
from outreach.people.roster import importing
from outreach.people.roster.columns import DateOrder
from outreach.people.roster.problems import RosterError
from outreach.people.roster.report import Kind, Report

DAY = click.DateTime(["%Y-%m-%d"])
STEPS = 1_000  # of the progress bar: it shows the part of the file that was read


def _meanings(ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    meanings = {}
    for one in given:
        header, sign, field = one.rpartition("=")
        if not sign or not header.strip():
            raise click.BadParameter(f'{one!r} is not like "Date of birth=birth_date".', ctx, param)
        meanings[header.strip()] = field.strip()
    return meanings


@click.command(name="import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--incident", required=True, metavar="CODE", help="The incident's code. It is added when there is none.")
@click.option("--title", help="The title of an incident that is added, for staff.")
@click.option("--occurred-on", type=DAY, help="The day of an incident that is added.")
@click.option("--as-of", type=DAY, help="The date at which the roster was true. Else today.")
@click.option(
    "--map", "meanings", multiple=True, metavar="COLUMN=FIELD", callback=_meanings, help="What a column means; may be repeated."
)
@click.option("--date-order", type=click.Choice(["dmy", "mdy", "ymd"]), help="How dates like 03/04/1990 are to be read.")
@click.option("--dry-run", is_flag=True, help="Say what the import would do, and do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask before importing.")
def command(
    *,
    file: Path,
    incident: str,
    title: str | None,
    occurred_on: dt.datetime | None,
    as_of: dt.datetime | None,
    meanings: dict[str, str],
    date_order: str | None,
    dry_run: bool,
    yes: bool,
) -> None:
    """Import the people of a roster (CSV or Excel). What cannot go in is set aside for staff; doing it twice adds nothing."""
    machine = jobs.machine()
    limits = jobs.roster_limits(machine.settings)
    today = now().date()
    try:
        with file.open("rb") as stream:
            import_id = importing.begin(
                machine.sessions, stream, incident_code=incident, title=title, occurred_on=_day(occurred_on),
                as_of=_day(as_of) or today, limits=limits, by=COMMAND, fields=meanings,
                date_order=DateOrder(date_order or DateOrder.UNKNOWN), today=today,
            )  # fmt: skip
        if dry_run or not yes:
            with _bar("Looking through the file") as progress:
                report = importing.check(machine.sessions, import_id, limits, today=today, progress=progress)
            _print(report, "would be")
            if dry_run or not click.confirm("Import these people?"):
                _discard(machine, import_id)
                return
        with _bar("Importing") as progress:
            report = importing.run(machine.sessions, import_id, limits, today=today, by=COMMAND, progress=progress)
    except RosterError as error:
        raise click.ClickException(error.message) from None
    except importing.NotAnswered as error:
        raise click.ClickException(f"{error} Use --map and --date-order.") from None
    except (importing.NotNow, importing.BadAnswer) as error:
        raise click.ClickException(str(error)) from None
    _print(report, "were")


def _day(given: dt.datetime | None) -> dt.date | None:
    return given.date() if given else None


def _discard(machine: jobs.Machine, import_id: UUID) -> None:
    with machine.sessions.begin() as session:
        importing.discard(session, import_id, by=COMMAND)
    click.echo("Nothing was imported, and the file was not kept.")


@contextmanager
def _bar(label: str) -> Iterator[Callable[[int, float], None]]:
    with click.progressbar(length=STEPS, label=label, item_show_func=lambda rows: rows) as bar:
        reached = 0

        def progress(rows: int, fraction: float) -> None:
            nonlocal reached
            now_at = int(fraction * STEPS)
            bar.update(now_at - reached, f"{rows:,} rows")
            reached = now_at

        yield progress


def _print(report: Report, verb: str) -> None:
    added = report.added
    counts = (
        (report.rows, "rows read"),
        (added.new, f"people {verb} added"),
        (added.updated, f"rows {verb} matched with people already here, and added something"),
        (added.unchanged, f"rows {verb} here already"),
        (report.quarantined, f"rows {verb} set aside to be corrected"),
        (report.quarantined_before, "rows set aside before"),
        (report.corrected, f"rows set aside before {verb} closed, since they came back corrected"),
        (added.exposures, f"exposures {verb} added"),
        (added.contact_points, f"phones and addresses {verb} added"),
    )
    for count, words in counts:
        if count or words == "rows read":
            click.echo(f"{count:>9,} {words}")
    if report.problems:
        click.echo("What is wrong in rows set aside:")
        _print_kinds(report.problems)
    if report.remarks:
        click.echo("Good to know:")
        _print_kinds(report.remarks)


def _print_kinds(kinds: tuple[Kind, ...]) -> None:
    for kind in kinds:
        rows = ", ".join(map(str, kind.rows[:5])) + (", ..." if kind.count > 5 else "")
        click.echo(f"{kind.count:>9,} {kind.problem.message} (rows {rows})")

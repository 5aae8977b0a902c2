"""`python -m outreach reconcile`: after a restore or a failover, before anything is sent again. See docs/restore.md."""

import sys
import time
from datetime import UTC, datetime

import click

from outreach import jobs, logs
from outreach.db import now
from outreach.jobs import restoring
from outreach.jobs.restoring import Choices, Restored


class Moment(click.ParamType):  # type: ignore[type-arg]  # generic only in the types of some versions of click
    """A time with its offset from UTC, as 2026-11-20T08:00Z."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Refuses what has no offset: nobody should have to guess whose eight o'clock it is."""
        if isinstance(value, datetime):
            return value
        try:
            at = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a time. Write it as 2026-11-20T08:00Z.", param, ctx)
        if at.tzinfo is None:
            self.fail(f"{value!r} does not say in which time zone. Write it in UTC, as 2026-11-20T08:00Z.", param, ctx)
        if at > now():
            self.fail(f"{value!r} is yet to come.", param, ctx)
        return at


@click.command()
@click.option("--since", type=Moment(), required=True, help="When the backup was made, or earlier; 2026-11-20T08:00Z.")
@click.option("--hold", is_flag=True, help="Put each mail before a person that may have been sent and that no books tell of.")
@click.option("--doubles", type=int, metavar="NUMBER", help="Send this very number of such mails, at the risk that some were sent.")
@click.option("--paper-collected", is_flag=True, help="Every print run made since the backup was collected and destroyed.")
@click.option("--strays", type=int, metavar="NUMBER", help="This very number of messages that belong to nothing known was seen to.")
def command(since: datetime, *, hold: bool, doubles: int | None, paper_collected: bool, strays: int | None) -> None:
    """Read the providers' books since then, put on record what the database has forgotten, and let the engine send again.

    The engine is frozen first, if it is not. Whatever is left open is said, and keeps it frozen: then the exit code is 1. Safe to
    repeat.
    """
    logs.start()
    done = restoring.restore(jobs.machine(), since, Choices(hold, doubles, paper_collected, strays), sleep=_wait)
    for line in report(done):
        click.echo(line)
    if not done.thawed:
        for problem in done.problems:
            click.echo(problem, err=True)
        click.echo("Nothing is sent: the engine stays frozen.", err=True)
        sys.exit(1)
    click.echo("Everything is on record. The engine sends again.")


def report(done: Restored) -> list[str]:
    """What was found, in counts only."""
    lines = [f"The books since {done.since.astimezone(UTC):%Y-%m-%dT%H:%MZ}:"]
    for provider, each in done.books.items():
        lines.append(
            f"  {provider}: {each.read} read, {each.known} known, {each.adopted} adopted, {each.held} held for a person to decide,"
            f" {each.strays} of nothing known, {each.strangers} to nobody on file"
        )
    if done.mails_held:
        lines.append(f"  mails without books: {done.mails_held} held for a person to decide")
    return lines


def _wait(seconds: float) -> None:
    if seconds > 0:
        click.echo(f"Waiting {seconds:.0f} seconds: for so long a worker that was cut off may still be sending.")
        time.sleep(seconds)

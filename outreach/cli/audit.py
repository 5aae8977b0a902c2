"""`python -m outreach audit`: check that the audit log is whole."""

import sys

import click

from outreach import jobs
from outreach.access import audit


@click.group()
def command() -> None:
    """Check the audit log."""


@command.command()
def verify() -> None:
    """Walk the whole chain. Ends with code 1, and a sentence that names the entry, when it does not hold.

    Keep the head that is printed somewhere the database's own keeper cannot write: only that shows a log that was rolled back.
    """
    with jobs.machine().sessions.begin() as session:
        verified = audit.verify(session)
        head = audit.head(session)
    click.echo(f"{verified.entries} entries hold.")
    click.echo(f"Head: {head.seq} {head.mac.hex()}")
    if verified.problem is not None:
        click.echo(f"The chain is broken: {verified.problem}.", err=True)
        sys.exit(1)

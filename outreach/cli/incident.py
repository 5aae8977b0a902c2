"""`python -m outreach incident`: the incidents in which people's data was exposed."""

import datetime as dt

import click
from sqlalchemy.exc import IntegrityError

from outreach import jobs
from outreach.access.audit import COMMAND
from outreach.people import incident


@click.group()
def command() -> None:
    """Incidents."""


@command.command()
@click.option("--code", required=True, help="Short and neutral, such as 2022-A.")
@click.option("--title", required=True, help="For staff only.")
@click.option("--occurred-on", type=click.DateTime(["%Y-%m-%d"]), help="The day it happened.")
def add(code: str, title: str, occurred_on: dt.datetime | None) -> None:
    """Add an incident, before its roster is imported."""
    try:
        with jobs.machine().sessions.begin() as session:
            day = occurred_on.date() if occurred_on else None
            added = incident.add(session, code=code, title=title, occurred_on=day)
            incident.record_added(session, added, by=COMMAND)
    except IntegrityError:
        raise click.ClickException(f"There is an incident {code!r} already. Choose another code.") from None
    click.echo(f"Added incident {code}.")

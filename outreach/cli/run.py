"""`python -m outreach run`: the whole system on this machine, without demonstration data."""

import os
import secrets
from pathlib import Path

import click
from sqlalchemy import select

from outreach.access import accounts
from outreach.access.accounts import Account, Role
from outreach.access.audit import COMMAND
from outreach.cli.system import VAR, Plan, Running, say, started
from outreach.notices import notice


@click.command()
@click.option("--port", type=int, default=8000, envvar="OUTREACH_PORT", show_default=True, help="Of the panel.")
@click.option("--sandbox-port", type=int, default=8010, envvar="SANDBOX_PORT", show_default=True, help="Of the sandbox carrier.")
def command(port: int, sandbox_port: int) -> None:
    """Run the whole system until Ctrl-C. Data is kept in var/run/."""
    folder = Path(os.environ.get("OUTREACH_VAR", VAR)) / "run"
    with started(Plan(folder, port, sandbox_port)) as system:
        say(f"Panel    {system.panel_url}")
        say(f"Sandbox  {system.sandbox_url}")
        _first_account(system)
        say("Everything runs until Ctrl-C.")
        system.group.wait(watch=[system.failure])


def _first_account(system: Running) -> None:
    """On the first start, make the supervisor who adds everybody else, and the notices that the program ships."""
    with system.machine().sessions.begin() as session:
        notice.create_starters(session)
        if session.scalar(select(Account.id).limit(1)) is not None:
            return
        password = secrets.token_urlsafe(12)
        made = accounts.create(
            session, login="supervisor", name="First supervisor", role=Role.SUPERVISOR, password=password, by=COMMAND
        )
    say("The first account, shown this once. Put the key into an authenticator app:")
    say(f"  login     {made.account.login}")
    say(f"  password  {password}")
    say(f"  key       {made.totp_secret}")

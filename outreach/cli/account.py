"""`python -m outreach account`: accounts of staff, from the command line of a server. The first supervisor is made here."""

import click
import pyotp
from sqlalchemy.exc import IntegrityError

from outreach import jobs
from outreach.access import accounts
from outreach.access.accounts import Role
from outreach.access.audit import COMMAND


@click.group()
def command() -> None:
    """Accounts of staff."""


@command.command()
@click.option("--login", prompt=True, help="What they sign in with.")
@click.option("--name", prompt=True, help="Shown beside what they approve, and in the audit log.")
@click.option("--role", prompt=True, type=click.Choice([role.value for role in Role]), help="What they may do.")
@click.password_option(help="Asked for when it is not given; better so, or it stays in the shell's history.")
def add(login: str, name: str, role: str, password: str) -> None:
    """Add an account, and print the secret of its one-time codes: this once."""
    try:
        with jobs.machine().sessions.begin() as session:
            made = accounts.create(session, login=login, name=name, role=Role(role), password=password, by=COMMAND)
            login = made.account.login
    except accounts.WeakPassword as error:
        raise click.ClickException(str(error)) from None
    except IntegrityError:
        raise click.ClickException(f"There is an account {login!r} already. Choose another login.") from None
    click.echo(f"Added {login} ({role}). Put this into an authenticator app now; it cannot be shown again:")
    click.echo(f"  key      {made.totp_secret}")
    click.echo(f"  address  {pyotp.TOTP(made.totp_secret).provisioning_uri(name=login, issuer_name='Outreach')}")

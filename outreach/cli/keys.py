"""`python -m outreach keys`: the key ring that opens every sealed field."""

from pathlib import Path

import click

from outreach.access.sealing import FileKeyRing


@click.group()
def command() -> None:
    """The key ring."""


@command.command()
@click.argument("path", type=click.Path(path_type=Path))
def new(path: Path) -> None:
    """Make a new key ring at PATH, readable by its owner only. Never replaces one.

    Back it up apart from the database. Without it nothing that was sealed can ever be read again.
    """
    try:
        FileKeyRing.create(path)
    except FileExistsError:
        raise click.ClickException(
            f"There is a file at {path} already. Replacing a key ring would lose everything it sealed."
        ) from None
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}.") from None
    click.echo(f"Made {path}. Point OUTREACH_KEY_RING at it, and back it up apart from the database.")

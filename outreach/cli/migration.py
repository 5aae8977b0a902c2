"""`python -m outreach migration`: the next migration, from comparing the models with a migrated, empty database."""

import re

import click

from outreach import engines
from outreach.db import MIGRATIONS, migrate


@click.command()
@click.argument("name", default="")
@click.option("--check", is_flag=True, help="Write nothing; fail when the models say more than the migrations.")
def command(name: str, *, check: bool) -> None:
    """Write the next migration as NAME (words joined by _), to be read and completed by hand."""
    from alembic import command as alembic
    from alembic.config import Config
    from alembic.util import CommandError

    if not check and not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise click.UsageError("Say what it does, in small letters: make migration NAME=add_print_runs")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    with engines.throwaway() as running:
        config.attributes["database_url"] = running.database_url
        migrate(running.database_url)
        try:
            if check:
                alembic.check(config)
            else:
                number = 1 + max(int(path.name[:4]) for path in MIGRATIONS.glob("versions/[0-9]*.py"))
                alembic.revision(config, message=name, rev_id=f"{number:04}", autogenerate=True)
        except CommandError as error:
            raise click.ClickException(str(error)) from error

"""`python -m outreach engines`: our own PostgreSQL and Valkey in the foreground, for other programs to use."""

from pathlib import Path

import click

from outreach import engines, supervisor

ENGINES = Path(__file__).parents[2] / "var" / "engines"


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), default=ENGINES, help="Where the data is kept.")
def command(folder: Path) -> None:
    """Run the project's own PostgreSQL and Valkey until Ctrl-C, and print where they answer."""
    try:
        with engines.start(folder) as running, supervisor.Group(logs=running.folder) as group:
            click.echo(f"export DATABASE_URL='{running.database_url}'")
            click.echo(f"export REDIS_URL='{running.redis_url}'")
            click.echo("Both run until Ctrl-C.", err=True)
            group.wait(watch=[running.failure])
    except (engines.EnginesError, supervisor.ProgramError) as error:
        raise click.ClickException(str(error)) from error

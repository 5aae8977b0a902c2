"""`python -m outreach migrate`: bring the database up to date."""

import click


@click.command()
def command() -> None:
    """Migrate the database that DATABASE_URL names. Safe to repeat, and safe when several machines start at once."""
    from outreach import db, settings

    chosen = settings.load()
    db.migrate(chosen.database_url)
    click.echo("The database is up to date.")

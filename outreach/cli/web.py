"""`python -m outreach web`: the panel and the webhooks, behind gunicorn."""

import os
import sys
from pathlib import Path

import click

GUNICORN = Path(__file__).parents[2] / "config" / "gunicorn.py"


@click.command()
def command() -> None:
    """Serve the panel and the webhooks until told to stop. OUTREACH_BIND says where."""
    argv = [sys.executable, "-m", "gunicorn", "-c", str(GUNICORN), "outreach.web.wsgi:app"]
    os.execv(sys.executable, argv)  # noqa: S606  # gunicorn takes this process's place; nothing of the argument is a user's

"""The command line: one module here for each command, loaded only when that command is run.

To add one, write `outreach/cli/<name>.py` with a click command (or group) called `command`, and a line in COMMANDS.
A dash in the command is an underscore in the module, and a word of Python's own gets one at its end.
"""

import os
from importlib import import_module
from keyword import iskeyword
from pathlib import Path

import click

COMMANDS = {
    "account": "Add an account of staff.",
    "assets": "Fetch the web assets (USWDS, htmx) and the fonts of letters, and copy what is used of them.",
    "audit": "Check that the audit log is whole.",
    "bounces": "Keep what relays report of mails that did not arrive.",
    "demo": "Start everything with 6,309 synthetic people and a first campaign; --check proves the promises.",
    "engines": "Run the project's own PostgreSQL and Valkey in the foreground.",
    "import": "Import the people of a roster.",
    "incident": "Add an incident.",
    "keys": "Make the key ring that seals what identifies people.",
    "letters": "Draw every page of every letter layout, to be looked at.",
    "migrate": "Bring the database up to date.",
    "migration": "Write the next migration from the models, or check that none is missing.",
    "reconcile": "After a restore: read the providers' books, and let the engine send again.",
    "run": "Start everything on this machine, without demonstration data.",
    "sandbox": "Run the sandbox carrier: it speaks Twilio's protocol and sends no real text.",
    "synth": "Write rosters of people who do not exist, for tests and demonstrations.",
    "ticker": "Ring the doorbell for what is due. One a system.",
    "web": "Serve the panel and the webhooks.",
    "worker": "Run one worker. As many as there is work for.",
}


class Commands(click.Group):
    """Knows every command by its name and its line above, so that help imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, by name."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command, or None for a name that is not one."""
        if cmd_name not in COMMANDS:
            return None
        module = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name.replace("-", "_")
        loaded = import_module(f"{__name__}.{module}").command
        assert isinstance(loaded, click.Command)
        return loaded

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in `--help`, from COMMANDS alone."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


@click.group(cls=Commands)
@click.version_option(package_name=None, version=import_module("outreach").__version__)
@click.option(
    "--env-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Read settings from NAME=value lines first. `run` and `demo` write one: var/run/environment, var/demo/environment.",
)
def main(env_file: Path | None) -> None:
    """Tell people whose data was exposed, and know who has really been told."""
    if env_file:
        for line in env_file.read_text().splitlines():
            name, separator, value = line.partition("=")
            if separator:
                os.environ.setdefault(name, value)

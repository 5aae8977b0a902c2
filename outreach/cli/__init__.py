"""The command line: one module here for each command, loaded only when that command is run.

To add one, write `outreach/cli/<name>.py` with a click command (or group) called `command`, and a line in COMMANDS.
A dash in the command is an underscore in the module.
"""

from importlib import import_module

import click

COMMANDS = {
    "account": "Add an account of staff.",
    "assets": "Fetch the web assets (USWDS, htmx) and copy what the pages use.",
    "audit": "Check that the audit log is whole.",
    "engines": "Run the project's own PostgreSQL and Valkey in the foreground.",
    "keys": "Make the key ring that seals what identifies people.",
    "migration": "Write the next migration from the models, or check that none is missing.",
    "sandbox": "Run the sandbox carrier: it speaks Twilio's protocol and sends no real text.",
    "synth": "Write rosters of people who do not exist, for tests and demonstrations.",
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
        loaded = import_module(f"{__name__}.{cmd_name.replace('-', '_')}").command
        assert isinstance(loaded, click.Command)
        return loaded

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in `--help`, from COMMANDS alone."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


@click.group(cls=Commands)
@click.version_option(package_name=None, version=import_module("outreach").__version__)
def main() -> None:
    """Tell people whose data was exposed, and know who has really been told."""

"""`python -m outreach`: the one command line. See `outreach.cli`."""

from outreach.cli import main

main(prog_name="python -m outreach")

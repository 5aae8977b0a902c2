"""`python -m outreach.sandbox`, for where only the sandbox is wanted."""

from outreach.sandbox.command import command

if __name__ == "__main__":
    command()

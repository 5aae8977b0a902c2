"""Run the sandbox carrier."""

from outreach.sandbox.command import command

__all__ = ["command"]

"""The stage, as in tests/delivery, instead of the panel without a server of tests/web."""

from tests.stage import stage

__all__ = ["stage"]

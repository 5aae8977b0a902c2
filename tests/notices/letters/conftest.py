"""Typesetters of each vendor, made once a process."""

from collections.abc import Callable
from functools import cache

import pytest

from outreach.notices.letters import vendors
from outreach.notices.letters.typesetting import Typesetter


@cache
def _typesetter(vendor: str) -> Typesetter:
    return Typesetter(vendors.load(vendor))


@pytest.fixture
def typesetters() -> Callable[[str], Typesetter]:
    return _typesetter


@pytest.fixture
def typesetter() -> Typesetter:
    return _typesetter("generic_10")

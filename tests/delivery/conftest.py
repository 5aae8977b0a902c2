"""The stage of `tests.stage`, raised for each test that asks for it."""

from datetime import timedelta
from decimal import Decimal

from outreach.notices.house import House
from tests.stage import stage

__all__ = ["HOUSE", "LEASE", "stage"]

HOUSE = House({"program": "Letter Line", "phone": "1-800-555-0199", "site": "notices.example.org"}, 3, Decimal("0.0079"))
LEASE = timedelta(minutes=2)

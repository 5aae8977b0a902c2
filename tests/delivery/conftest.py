"""The stage of `tests.stage`, raised for each test that asks for it."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from outreach.notices.house import House
from tests.stage import Stage, raised, swept

HOUSE = House({"program": "Letter Line", "phone": "1-800-555-0199", "site": "notices.example.org"}, 3, Decimal("0.0079"))
LEASE = timedelta(minutes=2)


@pytest.fixture
def stage(database_url: str, redis_url: str, engine: sa.Engine, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """The whole stage. Settings of its own: `@pytest.mark.parametrize("stage", [{"sms_attempts": "1"}], indirect=True)`."""
    with swept(engine), raised(tmp_path, database_url, redis_url, engine, getattr(request, "param", None)) as stage:
        yield stage

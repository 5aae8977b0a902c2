"""The stage of `tests.stage`, raised for each test that asks for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.stage import Stage, raised, swept


@pytest.fixture
def stage(database_url: str, redis_url: str, engine: sa.Engine, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """The whole stage. Settings of its own: `@pytest.mark.parametrize("stage", [{"sms_attempts": "1"}], indirect=True)`."""
    with swept(engine), raised(tmp_path, database_url, redis_url, engine, getattr(request, "param", None)) as stage:
        yield stage

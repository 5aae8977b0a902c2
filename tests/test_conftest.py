"""The ground that the other tests stand on."""

import socket

import pytest
import sqlalchemy as sa
from redis import Redis
from sqlalchemy.orm import Session

COUNT = sa.text("select count(*) from pg_tables where tablename = 'left_behind'")


@pytest.mark.parametrize("repetition", [1, 2])
def test_what_a_session_commits_is_gone_in_the_next_test(session: Session, repetition: int) -> None:
    assert session.scalar(COUNT) == 0
    session.execute(sa.text("create table left_behind ()"))
    session.commit()
    assert session.scalar(COUNT) == 1


@pytest.mark.parametrize("repetition", [1, 2])
def test_a_clean_database_forgets_real_commits(clean_database: str, engine: sa.Engine, repetition: int) -> None:
    with engine.begin() as connection:
        assert connection.scalar(COUNT) == 0
        connection.execute(sa.text("create table left_behind ()"))


@pytest.mark.parametrize("repetition", [1, 2])
def test_redis_is_empty_at_the_start_of_each_test(redis_url: str, repetition: int) -> None:
    with Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", "behind")


def test_the_database_is_migrated(session: Session) -> None:
    assert session.scalar(sa.text("select count(*) from alembic_version")) == 1


@pytest.mark.parametrize("host", ["192.0.2.1", "example.org"])
def test_no_test_reaches_another_machine(host: str) -> None:
    with pytest.raises(PermissionError, match=host):
        socket.create_connection((host, 80), timeout=1)

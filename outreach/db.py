"""The database: the declarative base, the engine, ids, and migrating.

There is one dialect, PostgreSQL 15 or newer. Sessions carry the vault (`outreach.access.sealing`) in their `info`, so that
domain functions, whose first argument is always the session, can seal and open fields without reading settings.
"""

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from uuid import UUID

from sqlalchemy import DateTime, Engine, MetaData, NullPool, Pool, QueuePool, Text, create_engine, make_url
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

if TYPE_CHECKING:
    from outreach.access.sealing import Vault

MIGRATIONS = Path(__file__).parent / "migrations"

# Where a network or a machine goes away without a word, connections hang. After 25 seconds each side gives the other up: we by
# libpq's parameters, PostgreSQL by settings of the session, so that it lets go of the rows that a worker which is gone held. A
# worker that is only frozen, while its machine goes on answering, holds its rows for two minutes at most, and with them whoever
# waits for those rows; no transaction of ours is idle for so long. Unix sockets need none of the rest, and ignore it.
# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-KEEPALIVES
OUR_PATIENCE = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
ITS_PATIENCE = {
    "tcp_keepalives_idle": "10s",
    "tcp_keepalives_interval": "5s",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "25s",
    "idle_in_transaction_session_timeout": "2min",
}

NAMING = {
    "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "pk": "%(table_name)s_pkey",
}


class Base(DeclarativeBase):
    """Every table's parent. Constraint names follow PostgreSQL's own habit, so migrations can name them."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar = {datetime: DateTime(timezone=True), str: Text}


def now() -> datetime:
    """The time, aware and in UTC."""
    return datetime.now(UTC)


def new_id() -> UUID:
    """A version 7 UUID (RFC 9562): ordered by time, so that an index grows at its end."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & 0xFFFFFFFFFFFF) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    return UUID(int=value & ~(0x3 << 62) | 0x2 << 62)


def make_engine(database_url: str, *, pool: type[Pool] = QueuePool) -> Engine:
    """An engine whose errors never show parameters.

    It connects when it is first used: a process that forks must not have used it before, since two would speak on one
    connection. `pool=NullPool` is for what connects once.
    """
    options: dict[str, object] = {"poolclass": pool, "hide_parameters": True}
    if pool is not NullPool:
        options |= {"pool_pre_ping": True, "pool_size": 8, "max_overflow": 8}
    given = make_url(database_url).query.get("options", ())
    session = [given] if isinstance(given, str) else [*given]
    session += [f"-c {name}={value}" for name, value in ITS_PATIENCE.items()]
    arguments = {"application_name": "outreach", "options": " ".join(session), **OUR_PATIENCE}
    return create_engine(database_url, connect_args=arguments, **options)


def make_sessions(engine: Engine, vault: "Vault") -> sessionmaker[Session]:
    """The factory of sessions on `engine`, each able to seal and open by `vault`."""
    return sessionmaker(engine, expire_on_commit=False, info={"vault": vault})


def migrate(database_url: str, revision: str = "head") -> None:
    """Bring the database to `revision`. Safe to repeat, and safe to run twice at once (it takes an advisory lock)."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["database_url"] = database_url
    command.upgrade(config, revision)

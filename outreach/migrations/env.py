"""Runs migrations, one process at a time, each with a limit on how long it may wait for a lock."""

import importlib

from alembic import context
from sqlalchemy import NullPool, text

from outreach.db import Base, make_engine

TABLES = (
    "access.accounts",
    "access.audit",
    "access.sealing",
    "people.attorney",
    "people.contact",
    "people.custody",
    "people.imminent",
    "people.incident",
    "people.person",
    "people.roster.imports",
    "notices.notice",
    "campaigns.campaign",
    "campaigns.outcome",
    "campaigns.rules",
    "delivery.books",
    "delivery.breaker",
    "delivery.heartbeat",
    "delivery.incarnation",
    "delivery.letter",
    "delivery.limits",
    "delivery.look",
    "delivery.message",
    "delivery.reply",
    "delivery.spending",
    "delivery.task",
    "tally",
)
"""The modules of `outreach` that define tables."""

ONE_AT_A_TIME = 734_105  # The advisory lock's number; nothing else uses advisory locks of this size.

for module in TABLES:
    importlib.import_module(f"outreach.{module}")

engine = make_engine(context.config.attributes["database_url"], pool=NullPool)
with engine.connect() as connection:
    connection.execute(text("set lock_timeout = '10s'"))
    connection.execute(text(f"select pg_advisory_lock({ONE_AT_A_TIME})"))
    connection.commit()
    context.configure(connection=connection, target_metadata=Base.metadata, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()

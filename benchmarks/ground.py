"""Where figures are measured: engines that force every commit to the disk, and a new database for each figure."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
from sqlalchemy.engine import make_url

from outreach import db, engines, jobs, settings
from outreach.access.sealing import FileKeyRing
from outreach.sandbox.config import DEFAULT_ACCOUNT_SID

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Place:
    """One database, and the environment of every process that works on it."""

    environment: dict[str, str]
    machine: jobs.Machine
    postgres: psutil.Process

    def connect(self) -> psycopg.Connection:
        """A connection of its own that commits each statement."""
        address = make_url(self.machine.settings.database_url).set(drivername="postgresql")
        return psycopg.connect(address.render_as_string(hide_password=False), autocommit=True)

    def measure(self, module: str, *arguments: str) -> dict[str, Any]:
        """Run one of our modules as a process of its own; the JSON object that it prints last."""
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{module}", *arguments],
            env=os.environ | self.environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return result

    def postgres_cpu(self) -> float:
        """Seconds of CPU that PostgreSQL has used so far, with the processes that have ended."""
        first = self.postgres.cpu_times()
        used = first.user + first.system + first.children_user + first.children_system
        for child in self.postgres.children():
            try:
                times = child.cpu_times()
            except psutil.NoSuchProcess:
                continue  # It has just ended, and counts among the first process's children from now on.
            used += times.user + times.system
        return used


@dataclass(frozen=True, slots=True)
class Ground:
    """The engines, and a folder that is removed afterwards."""

    folder: Path
    engines: engines.Engines

    @contextmanager
    def place(self, **overrides: str) -> Iterator[Place]:
        """A migrated database, dropped afterwards. `overrides` are settings, as OUTREACH_<NAME>."""
        url = make_url(self.engines.database_url).set(database=f"bench_{secrets.token_hex(4)}")
        self._administer(f'create database "{url.database}"')
        address = url.render_as_string(hide_password=False)
        db.migrate(address)
        ring = self.folder / f"{url.database}.json"
        FileKeyRing.create(ring)
        environment = {
            "DATABASE_URL": address,
            "REDIS_URL": self.engines.redis_url,
            "OUTREACH_ENVIRONMENT": "development",
            "OUTREACH_SECRET_KEY": secrets.token_hex(32),
            "OUTREACH_KEY_RING": str(ring),
            "OUTREACH_TWILIO_ACCOUNT_SID": DEFAULT_ACCOUNT_SID,
            "OUTREACH_TWILIO_AUTH_TOKEN": secrets.token_hex(16),
        } | {f"OUTREACH_{name.upper()}": value for name, value in overrides.items()}
        chosen = settings.load(environment)
        try:
            yield Place(environment, jobs.machine_for(chosen), psutil.Process(self.engines.postgres_pid))
        finally:
            # WITH (FORCE) would fail whenever autovacuum is at work there, whose process only a superuser may end.
            clients = f"datname = '{url.database}' and backend_type = 'client backend'"
            self._administer(f"select pg_terminate_backend(pid) from pg_stat_activity where {clients}")  # noqa: S608  # our own name
            self._administer(f'drop database "{url.database}"')

    def _administer(self, statement: str) -> None:
        address = make_url(self.engines.database_url).set(drivername="postgresql")
        with psycopg.connect(address.render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def prepared() -> Iterator[Ground]:
    """Start the engines, with everything that makes commits safe switched on."""
    with engines.throwaway(durable=True) as running:
        yield Ground(running.folder, running)


@contextmanager
def stub() -> Iterator[str]:
    """The address of a provider that accepts everything at once and remembers nothing, in a process of its own."""
    argv: Sequence[str] = [sys.executable, "-m", "benchmarks.stub"]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()

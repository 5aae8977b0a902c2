"""A PostgreSQL and a Valkey of our own, from their wheels: for demonstrations, tests, benchmarks, and small machines.

    with engines.start(Path("var/engines")) as running:
        connect(running.database_url, running.redis_url)

Both listen on Unix sockets in a folder closed to other users, and want a password besides; no port is opened, unless a throw-away
pair is given an address as well. PostgreSQL keeps its data between starts. Valkey keeps nothing: it only carries nudges.

The folder holds `postgres/` (the data), `postgres.log`, `valkey/`, `valkey.log`, `sockets/`, `passwords.json`, `lock`
(held while running), `addresses.json` (there while both answer), and sometimes `programs/` (see `home.find_packages`).
"""

import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from outreach.engines import home
from outreach.engines.home import EnginesError, InUseError, NoSpaceError, NotOursError
from outreach.engines.servers import NotStartedError, OtherVersionError, Postgres, Valkey

__all__ = [
    "Addresses",
    "Engines",
    "EnginesError",
    "InUseError",
    "NoSpaceError",
    "NotOursError",
    "NotStartedError",
    "OtherVersionError",
    "running",
    "start",
    "throwaway",
    "use",
]

OLD_ENOUGH = 60  # seconds after which a temporary folder that nobody holds is a leftover and not one just being made


@dataclass(frozen=True)
class Addresses:
    """Where the engines answer. Both contain a password: never log them.

    The database role may create databases and roles but is no superuser. Valkey has 64 logical databases, this is the
    first.
    """

    database_url: str
    redis_url: str


class Engines:
    """The running pair. Made by `start` or `throwaway`; stopped at the end of its `with` block."""

    def __init__(self, folder: Path, *, durable: bool = True, host: str = "") -> None:
        self.folder = home.settle(folder)
        self._lock: int | None = home.hold(self.folder)
        self._sockets: Path | None = None
        self._postgres: Postgres | None = None
        self._valkey: Valkey | None = None
        try:
            who = home.run_as(self.folder)
            packages = home.find_packages(self.folder, who)
            passwords = home.passwords(self.folder)
            self._sockets = home.make_sockets(self.folder, who)
            self._postgres = Postgres(self.folder, packages, who, self._sockets, passwords["postgres"], durable=durable, host=host)
            self._valkey = Valkey(self.folder, packages, who, self._sockets, passwords["valkey"], host=host)
            self._postgres.start()
            self._valkey.start()
            self.addresses = Addresses(self._postgres.url, self._valkey.url)
            self.addresses_at_host = Addresses(self._postgres.url_at_host, self._valkey.url_at_host) if host else None
            home.write_closed(self.folder / "addresses.json", json.dumps(asdict(self.addresses)))
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def database_url(self) -> str:
        """See `Addresses`. Made for SQLAlchemy with psycopg."""
        return self.addresses.database_url

    @property
    def redis_url(self) -> str:
        """See `Addresses`. Made for `redis.Redis.from_url`."""
        return self.addresses.redis_url

    @property
    def postgres_pid(self) -> int:
        """The number of PostgreSQL's first process, for tests of what happens when it is killed."""
        assert self._postgres is not None
        return self._postgres.pid

    def failure(self) -> str | None:
        """None while both run, else a sentence about the one that ended. For `supervisor.Group.wait(watch=...)`."""
        for server in (self._postgres, self._valkey):
            if server and not server.alive():
                return f"{server.name} ended by itself. Its log is {server.log}."
        return None

    def restart_postgres(self, *, immediate: bool = False) -> None:
        """Stop PostgreSQL and start it at the same address.

        `immediate` is what a crash is to its clients and its data: cut off, then recovered from the write-ahead log.
        """
        assert self._postgres is not None
        self._postgres.end(signal.SIGQUIT if immediate else None)
        self._postgres.start()

    def restart_valkey(self) -> None:
        """Kill Valkey and start it at the same address. Everything in it is gone."""
        assert self._valkey is not None
        self._valkey.end(signal.SIGKILL)
        self._valkey.start()

    def stop(self) -> None:
        """Stop both and let go of the folder. Safe to repeat."""
        if self._lock is None:
            return
        (self.folder / "addresses.json").unlink(missing_ok=True)
        for server in (self._valkey, self._postgres):
            if server:
                server.end()
        if self._sockets:
            shutil.rmtree(self._sockets, ignore_errors=True)
        os.close(self._lock)
        self._lock = None


def start(folder: Path, *, durable: bool = True) -> Engines:
    """Start both on the data in `folder`, which is made when missing; return when they answer.

    Raises InUseError, NotOursError, OtherVersionError, NoSpaceError or NotStartedError: all EnginesError, and each a
    sentence to show.
    """
    return Engines(folder, durable=durable)


@contextmanager
def throwaway(*, durable: bool = False, host: str = "") -> Iterator[Engines]:
    """Both in a new temporary folder that is removed afterwards. Without `durable` nothing is forced to the disk.

    `host`: an address of this machine at which its neighbours may reach them too, at their usual ports: see `addresses_at_host`.
    """
    _remove_leftovers()
    folder = home.temporary_folder()
    try:
        with Engines(folder, durable=durable, host=host) as engines:
            yield engines
    finally:
        shutil.rmtree(folder)


def running(folder: Path) -> Addresses | None:
    """The addresses of the engines that another process runs in `folder`; None when they do not run, or not yet."""
    try:
        text = (folder / "addresses.json").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    return Addresses(**json.loads(text)) if home.held(folder) else None


@contextmanager
def use(folder: Path) -> Iterator[Addresses]:
    """The addresses of the engines in `folder`: those that already run, else started for the length of the block."""
    if found := running(folder):
        yield found
    else:
        with start(folder) as engines:
            yield engines.addresses


def _remove_leftovers() -> None:
    """Remove the temporary folders of processes that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{home.THROWAWAY}*"):
        if not os.access(folder, os.W_OK) or time.time() - folder.stat().st_mtime < OLD_ENOUGH or home.held(folder):
            continue
        shutil.rmtree(folder, ignore_errors=True)

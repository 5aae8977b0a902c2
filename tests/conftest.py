"""What every test may ask for: real engines, a database of its own, and no way out to the internet.

One PostgreSQL and one Valkey serve the whole run; each of pytest-xdist's processes has its own database (a clone of one
that was migrated once) and its own number in Valkey. TEST_DATABASE_URL and TEST_REDIS_URL put other servers in their
place: a role that may create databases, and a Redis whose contents may be erased.
"""

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from redis import Redis
from sqlalchemy.engine import URL, make_url
from sqlalchemy.orm import Session, sessionmaker

from outreach import db, engines
from outreach.access import accounts
from outreach.access.sealing import FileKeyRing, Vault

LOOPBACK = ("127.", "::1", "localhost")
SERVERS = pytest.StashKey[dict[str, str]]()


def pytest_configure(config: pytest.Config) -> None:
    """From here on, whatever tries to reach another machine fails, naming the address."""
    sys.addaudithook(_refuse_other_machines)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """pytest-xdist is about to start a process: the servers are started by us, once, and it is told where they are."""
    node.workerinput["servers"] = _servers(node.config)  # type: ignore[attr-defined]  # xdist's class, not imported here


LONGEST = (
    "test_journey.py", "test_chaos.py", "test_benchmarks.py", "test_crash_points.py", "test_letter_crash_points.py",
    "test_orders_of_reports.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests first, so that no process has to wait for one of them alone at the end."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Name what failed at once: a run that is cut short has no summary."""
    if report.failed:
        print(f"\nfailed: {report.nodeid} ({report.when})", file=sys.stderr, flush=True)  # noqa: T201  # pytest's own reporter waits


def _refuse_other_machines(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.connect":
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else "localhost"  # a Unix socket's address is a path
    elif event == "socket.getaddrinfo":
        host = arguments[0] or "localhost"
    else:
        return
    if not str(host).startswith(LOOPBACK):
        raise PermissionError(f"A test tried to reach {host}: tests talk to this machine only.")


def _servers(config: pytest.Config) -> dict[str, str]:
    """Where the servers are, with a migrated template; started at the first call and stopped with the run."""
    if handed := getattr(config, "workerinput", {}).get("servers"):
        return dict(handed)
    if SERVERS not in config.stash:
        stack = ExitStack()
        config.add_cleanup(stack.close)
        database_url, redis_url = os.environ.get("TEST_DATABASE_URL"), os.environ.get("TEST_REDIS_URL")
        if not (database_url and redis_url):
            started = stack.enter_context(engines.throwaway())
            database_url, redis_url = database_url or started.database_url, redis_url or started.redis_url
        template = make_url(database_url).set(database=f"outreach_test_{secrets.token_hex(4)}")
        _administer(template, f'create database "{template.database}"')
        stack.callback(_drop, template)
        address = template.render_as_string(hide_password=False)
        db.migrate(address)
        config.stash[SERVERS] = {"template": address, "redis": redis_url}
    return config.stash[SERVERS]


def _administer(url: URL, *statements: str) -> None:
    """Run statements that no transaction may hold, from the database that is always there."""
    admin = sa.create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with admin.connect() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def _drop(url: URL) -> None:
    # WITH (FORCE) would fail whenever autovacuum is at work there, whose process only a superuser may end.
    theirs = f"datname = '{url.database}' and backend_type = 'client backend'"
    clients = f"select pg_terminate_backend(pid) from pg_stat_activity where {theirs}"
    _administer(url, clients, f'drop database if exists "{url.database}"')


def _clone(url: URL, template: URL) -> None:
    _drop(url)
    _administer(url, f'create database "{url.database}" template "{template.database}"')


@pytest.fixture(scope="session")
def database_url(request: pytest.FixtureRequest, worker_id: str) -> Iterator[str]:
    """A migrated database that only this process uses. See `session` and `clean_database` for how to leave it."""
    template = make_url(_servers(request.config)["template"])
    own = template.set(database=f"{template.database}_{worker_id}")
    _clone(own, template)
    yield own.render_as_string(hide_password=False)
    _drop(own)


@pytest.fixture(scope="session")
def engine(database_url: str) -> Iterator[sa.Engine]:
    """An engine on the database of this process."""
    engine = db.make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def clean_database(request: pytest.FixtureRequest, database_url: str, engine: sa.Engine) -> Iterator[str]:
    """The address of the database, for a test that commits: afterwards it is as the migrations made it."""
    yield database_url
    engine.dispose()
    _clone(make_url(database_url), make_url(_servers(request.config)["template"]))


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> None:
    """Hashing a password takes long on purpose, and thousands of accounts are made here. How strong it is has a test of its own."""
    accounts._hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


@pytest.fixture(scope="session")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    """Seals and opens with a key ring of this process's own."""
    return Vault(FileKeyRing.create(tmp_path_factory.mktemp("keys") / "ring.json"))


@pytest.fixture
def sessions(engine: sa.Engine, vault: Vault) -> sessionmaker[Session]:
    """What makes sessions that really commit: a test that asks for it asks for `clean_database` too."""
    return db.make_sessions(engine, vault)


@pytest.fixture
def session(engine: sa.Engine, sessions: sessionmaker[Session]) -> Iterator[Session]:
    """A session whose commits are undone after the test."""
    with engine.connect() as connection:
        transaction = connection.begin()
        with sessions(bind=connection, join_transaction_mode="create_savepoint") as session:
            yield session
        transaction.rollback()


@pytest.fixture(scope="session")
def _own_redis_url(request: pytest.FixtureRequest, worker_id: str) -> str:
    number = 0 if worker_id == "master" else 1 + int(worker_id.removeprefix("gw"))
    return f"{_servers(request.config)['redis'].partition('?')[0]}?db={number}"


@pytest.fixture
def redis_url(_own_redis_url: str) -> str:
    """The address of an empty logical database of Valkey that only this process uses."""
    with Redis.from_url(_own_redis_url) as client:
        client.flushdb()
    return _own_redis_url

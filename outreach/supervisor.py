"""Run several programs as one: started in order, watched, stopped together, none left behind.

    with supervisor.Group(logs=Path("var/log")) as group:
        group.start(sandbox)
        group.start(worker_1, worker_2)
        group.start(web)
        group.wait()

Whatever ends the block (its own end, Ctrl-C, SIGTERM, a closed terminal, an error, a program that died) stops the
programs, the last started first. Should this process itself be killed, the kernel tells them (on Linux): they end too.
"""

import ctypes
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import psutil

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LARGEST_LOG = 10_000_000  # bytes; a longer log is put aside as <name>.log.1 at the next start
PR_SET_PDEATHSIG = 1  # https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
_trouble = re.compile(rb'"level": ?"(error|critical)"|\b(ERROR|CRITICAL)\b|^Traceback ')


class ProgramError(Exception):
    """A program did not become ready, or ended by itself. The text names it, its log, and the log's last lines."""


class PortTakenError(Exception):
    """Another program listens on a port that we need. The text names the port and the setting to change."""


@dataclass(frozen=True)
class Program:
    """One program to run. `env` is added to our own environment; `ready` is asked until it says yes."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    ready: Callable[[], bool] | None = None
    seconds_to_start: float = 120  # a machine that is busy with something else takes its time
    seconds_to_stop: float = 25


@dataclass
class _Running:
    program: Program
    process: subprocess.Popen[bytes]
    log: Path
    began: int  # the log's length in bytes when this run began
    shown: int  # how far it was looked through for trouble


class Group:
    """Programs that live and end together. `logs` is made when missing, closed to other users of the machine."""

    def __init__(self, *, logs: Path, screen: IO[str] | None = None) -> None:
        self._logs = logs
        self._screen = screen or sys.stderr
        self._stages: list[list[_Running]] = []
        self._handlers: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        for number in ENDING_SIGNALS:
            self._handlers[number] = signal.signal(number, _interrupt)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        # A second Ctrl-C must not interrupt the stopping: it is bounded by each program's own limit anyway.
        for number in self._handlers:
            signal.signal(number, signal.SIG_IGN)
        try:
            self.stop()
        finally:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal itself returned

    def start(self, *programs: Program) -> None:
        """Start these side by side and return when all are ready. They will also be stopped side by side.

        Raises ProgramError when one ends or takes longer than its `seconds_to_start`.
        """
        stage: list[_Running] = []
        self._stages.append(stage)
        for program in programs:
            self._launch(program, stage)
        for running in stage:
            deadline = time.monotonic() + running.program.seconds_to_start
            while running.program.ready and not running.program.ready():
                self._raise_if_dead()
                if time.monotonic() > deadline:
                    seconds = running.program.seconds_to_start
                    raise ProgramError(f"{running.program.name} was not ready after {seconds:g} s. {_last_words(running)}")
                time.sleep(0.05)
        self._raise_if_dead()

    def wait(self, *, watch: Iterable[Callable[[], str | None]] = ()) -> None:
        """Stay until Ctrl-C or SIGTERM, then return. Errors in the logs are shown on the screen.

        `watch` are questions asked every half second that answer None, or a sentence that says what went wrong.
        Raises ProgramError when a program ends by itself or a watch answers.
        """
        questions = tuple(watch)
        try:
            while True:
                self._raise_if_dead()
                for question in questions:
                    if sentence := question():
                        raise ProgramError(sentence)
                self._show_trouble()
                time.sleep(0.5)
        except KeyboardInterrupt:
            return

    def stop(self) -> None:
        """Stop all programs, the last started first, and whatever processes they left. Safe to repeat."""
        while self._stages:
            stage = self._stages.pop()
            for running in stage:
                running.process.terminate()
            for running in stage:
                try:
                    running.process.wait(running.program.seconds_to_stop)
                except subprocess.TimeoutExpired:
                    print(f"{running.program.name} did not stop in time and is killed", file=self._screen)
                    running.process.kill()
                    running.process.wait()
                _kill_session(running.process.pid)

    def _launch(self, program: Program, stage: list[_Running]) -> None:
        log = self._logs / f"{program.name}.log"
        if log.exists() and log.stat().st_size > LARGEST_LOG:
            log.replace(log.with_suffix(".log.1"))
        with log.open("ab") as output:
            began = output.tell()  # The program shares this file's position: once it writes, it is too late to ask.
            process = subprocess.Popen(
                list(program.argv),
                env={**os.environ, **program.env},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A session of its own: Ctrl-C in the terminal reaches us only, and we stop them in order.
                start_new_session=True,
                preexec_fn=partial(die_with_parent, signal.SIGTERM),  # noqa: PLW1509  # one call into the C library
            )
            stage.append(_Running(program, process, log, began=began, shown=began))

    def _raise_if_dead(self) -> None:
        for running in (each for stage in self._stages for each in stage):
            code = running.process.poll()
            if code is not None:
                how = f"with code {code}" if code >= 0 else f"by {signal.Signals(-code).name}"
                raise ProgramError(f"{running.program.name} ended by itself {how}. {_last_words(running)}")

    def _show_trouble(self) -> None:
        for running in (each for stage in self._stages for each in stage):
            with running.log.open("rb") as log:
                log.seek(running.shown)
                for line in log:
                    if not line.endswith(b"\n"):
                        break
                    running.shown += len(line)
                    if _trouble.search(line):
                        print(f"{running.program.name}: {line.decode(errors='replace').rstrip()}", file=self._screen)


def die_with_parent(number: signal.Signals) -> None:
    """For `preexec_fn`: ask the kernel to send this child a signal when its parent ends. Does nothing outside Linux.

    A change of user would clear the request; `subprocess` changes the user first, so both can be asked for.
    """
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, number)


def require_free_port(port: int, *, setting: str, host: str = "127.0.0.1") -> None:
    """Raise PortTakenError, with the setting to change, unless `port` can be listened on."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port whose last connections are still fading away counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTakenError(
                f"Port {port} cannot be used: {(error.strerror or 'unknown reason').lower()}. "
                f"Stop the program that has it, or choose another port: {setting}={port + 1}"
            ) from error


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def listening(port: int, host: str = "127.0.0.1") -> Callable[[], bool]:
    """A `ready` question: does somebody listen there?"""

    def ready() -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.settimeout(1)
            return probe.connect_ex((host, port)) == 0

    return ready


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _last_words(running: _Running, lines: int = 12) -> str:
    """Where the log is and how it ends, of what was written since this start."""
    with running.log.open("rb") as log:
        log.seek(max(running.began, running.log.stat().st_size - 8_000))
        tail = log.read().decode(errors="replace").rstrip().splitlines()[-lines:]
    if not tail:
        return f"It wrote nothing to its log, {running.log}."
    return "\n  ".join([f"Its log is {running.log}; the end of it:", *tail])


def _kill_session(leader: int) -> None:
    """Kill what a program left behind in its session: an RQ work-horse, say, whose worker was killed."""
    for pid in psutil.pids():
        try:
            if os.getsid(pid) == leader:
                os.kill(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue  # gone meanwhile, or another user's and so none of ours

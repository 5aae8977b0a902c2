"""The processes that are killed: forked from this one, which has everything imported, and started again at once when they die.

Whoever starts them must have one thread and no open connection.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from outreach.supervisor import die_with_parent


@dataclass
class Herd:
    """Named processes of ours. `tend` starts again whatever has died."""

    logs: Path
    environment: Mapping[str, str]
    mains: dict[str, Callable[[], None]] = field(default_factory=dict)
    pids: dict[str, int] = field(default_factory=dict)
    deaths: int = 0  # that nobody asked for

    def start(self, name: str, main: Callable[[], None]) -> None:
        self.mains[name] = main
        self.pids[name] = self._fork(name)

    def tend(self) -> None:
        for name, pid in list(self.pids.items()):
            if os.waitpid(pid, os.WNOHANG)[0]:
                self.deaths += 1
                self._start_again(name, pid)

    def kill(self, name: str) -> bool:
        """Kill it and start it again. False when it had died by itself."""
        pid = self.pids[name]
        os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
        self._start_again(name, pid)
        return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL

    def horses(self) -> list[psutil.Process]:
        """The processes that these have started in turn: work horses, and the panel's own workers."""
        ours = set(self.pids.values())
        return [process for process in psutil.process_iter(["ppid"]) if process.info["ppid"] in ours]

    def stop(self) -> None:
        """End all of them and what they started."""
        left = self.horses()
        for pid in self.pids.values():
            os.kill(pid, signal.SIGCONT)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        self.pids.clear()
        for horse in left:
            with suppress(psutil.NoSuchProcess):
                horse.kill()

    def _start_again(self, name: str, pid: int) -> None:
        if name == "web":  # Its own workers would keep the port for a while.
            for other in psutil.pids():
                with suppress(ProcessLookupError, PermissionError):
                    if os.getsid(other) == pid:
                        os.kill(other, signal.SIGKILL)
        self.pids[name] = self._fork(name)

    def _fork(self, name: str) -> int:
        sys.stdout.flush(), sys.stderr.flush()
        pid = os.fork()
        if pid:
            return pid
        try:
            os.setsid()
            die_with_parent(signal.SIGKILL)
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            log = os.open(self.logs / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(log, 1), os.dup2(log, 2)
            os.environ.update(self.environment)
            self.mains[name]()
        except BaseException as error:  # noqa: BLE001  # it must never come back into the harness's own code
            print(f"{name} ended: {error!r}", file=sys.stderr)
        finally:
            sys.stderr.flush()
            os._exit(1)


def kill_horse(horse: psutil.Process) -> bool:
    """Kill a process that is no child of ours. False when it had ended before."""
    try:
        if horse.status() == psutil.STATUS_ZOMBIE:
            return False
        horse.kill()
    except psutil.NoSuchProcess:
        return False
    with suppress(psutil.NoSuchProcess):  # Its parent was quick to notice.
        while horse.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.002)
    return True

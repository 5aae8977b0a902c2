"""The peak memory of every process below this one, by what it is."""

import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

KINDS = {
    "sandbox": "sandbox carrier",
    "gunicorn": "web worker",
    "web": "web worker",
    "ticker": "ticker",
    "worker": "worker",
    "postgres": "postgres process, with the buffers it shares",
    "valkey": "valkey",
}
"""By the first word of a command line that is one of these."""

EVERY_SECONDS = 0.25


class Watch:
    """Looks again and again while its block runs: a worker's processes come and go. `peaks` is in MB, of the largest of a kind."""

    def __init__(self) -> None:
        self.peaks: dict[str, float] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(EVERY_SECONDS):
            for process in psutil.Process().children(recursive=True):
                try:
                    kind, peak = _kind(process), peak_mb(process.pid)
                except (psutil.Error, OSError):
                    continue  # It has ended.
                if kind:
                    self.peaks[kind] = max(self.peaks.get(kind, 0.0), peak)


def _kind(process: psutil.Process) -> str | None:
    words = [Path(word).name.partition(":")[0] for part in process.cmdline() for word in part.split()[:1]]
    return next((KINDS[word.partition("-")[0]] for word in words if word.partition("-")[0] in KINDS), None)


def peak_mb(pid: int) -> float:
    """Linux keeps the greatest size itself; elsewhere the size now has to do.

    Not `getrusage`: what that says includes the process that started this one, as it was then.
    """
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return float(psutil.Process(pid).memory_info().rss / 2**20)

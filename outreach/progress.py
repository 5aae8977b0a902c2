"""Plain lines that say what is being done and how long it took. Read as well in a log file as on a screen."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

QUIET = 10  # seconds between two counts where lines cannot be written over


class Step:
    """One thing being done. Made by `step`."""

    def __init__(self, title: str, screen: IO[str]) -> None:
        self._title = title
        self._screen = screen
        self._on_terminal = screen.isatty()
        self._began = self._shown = time.monotonic()
        self._write(f"{title} …")

    def count(self, done: int, total: int | None = None) -> None:
        """Say how far it is; call it as often as you like."""
        now = time.monotonic()
        if now - self._shown < (0.1 if self._on_terminal else QUIET):
            return
        self._shown = now
        self._write(f"{self._title} … {done:,}" + (f" of {total:,}" if total is not None else ""))

    def finish(self, word: str) -> None:
        """Say how it ended, and how long it took. `step` does this."""
        self._write(f"{self._title}: {word} ({time.monotonic() - self._began:.1f} s)")
        if self._on_terminal:
            self._screen.write("\n")
        self._screen.flush()

    def _write(self, line: str) -> None:
        # On a terminal each line of a step takes the place of the one before (ESC [K clears the rest of the line).
        self._screen.write(f"\r{line}\x1b[K" if self._on_terminal else f"{line}\n")
        self._screen.flush()


@contextmanager
def step(title: str, screen: IO[str] | None = None) -> Iterator[Step]:
    """Say that something begins, and how it ended: with progress.step("Importing the roster") as importing: ..."""
    shown = Step(title, screen or sys.stdout)
    try:
        yield shown
    except BaseException:
        shown.finish("stopped")
        raise
    shown.finish("done")

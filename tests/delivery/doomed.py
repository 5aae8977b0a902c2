"""A worker that is led from one death to the next (`crash_points` is its program), and what it must not have left out."""

import json
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.delivery import crash_points
from tests.delivery.crash_points import Statement
from tests.stage import Stage, environment

FAILING_ADAPTER = "an adapter that raises what it says it never does"
PAUSED = "paused by somebody in that second"


@dataclass(frozen=True)
class Scene:
    """Messages that a worker is about to send; `settings` say how it differs from others."""

    roles: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)


class Worker:
    """The program `crash_points`, which leads one life after another."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def live(self, scene: Scene, at: Sequence[Any] | None = None) -> Any:
        """Until it is killed at this moment, or to its end."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"settings": dict(scene.settings), "at": at}) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@contextmanager
def worker(stage: Stage, life: str, overrides: Mapping[str, str]) -> Iterator[Worker]:
    """`life` is one of `crash_points.LIVES`."""
    s = stage.settings
    environ = environment(s.key_ring.parent, s.database_url, s.redis_url, stage.web_url, stage.carrier.url)
    ours = {f"OUTREACH_{name.upper()}": value for name, value in overrides.items()}
    process = subprocess.Popen(
        [sys.executable, "-m", crash_points.__name__, life], env=environ | ours, cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        yield Worker(process)
        assert process.stdin
        process.stdin.close()


def forgotten(
    life: str, moments: Iterable[Sequence[Any]], elsewhere: Collection[tuple[str, str]]
) -> tuple[list[Statement], set[tuple[str, str]]]:
    """The statements that no moment is before and after and that nobody excuses, and the excuses that are not needed.

    For the former write a scene, or say why there is none; the latter go.
    """
    after, before = {(module, line) for line, _, module in moments}, {(module, line) for _, line, module in moments}
    missed = {s for s in crash_points.statements(life) if (s.module, s.line) not in after & before}
    unexplained = [s for s in sorted(missed) if (s.module, s.text) not in elsewhere]
    return unexplained, set(elsewhere) - {(s.module, s.text) for s in missed}


def enough(moments: Mapping[tuple[Any, ...], int]) -> dict[tuple[Any, ...], int]:
    """Some of these moments, in their order: each statement still has one before it and one after it."""
    seen: set[tuple[Any, ...]] = set()
    kept: dict[tuple[Any, ...], int] = {}
    for moment, scene in moments.items():
        after, before, module = moment
        new = {(module, line, side) for line, side in ((after, "after"), (before, "before")) if line} - seen
        if new:
            kept[moment] = scene
            seen |= new
    return kept

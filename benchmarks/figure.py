"""A figure: what was measured, in how many runs, beside which floor, and what we wanted."""

import os
import resource
import time
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from benchmarks.memory import peak_mb


@dataclass(frozen=True, slots=True)
class Aim:
    """Something we promised. `met` is worked out by whoever measured it."""

    text: str
    measured: str
    met: bool


@dataclass(frozen=True, slots=True)
class Figure:
    """`runs` and `floor_runs` are in `unit`, in the order in which they took turns. `details` are further measurements."""

    name: str
    title: str
    unit: str
    runs: list[float]
    floor: str = ""
    floor_runs: list[float] = field(default_factory=list)
    aims: list[Aim] = field(default_factory=list)
    details: dict[str, object] = field(default_factory=dict)

    @property
    def value(self) -> float:
        return median(self.runs)

    @property
    def floor_value(self) -> float | None:
        return median(self.floor_runs) if self.floor_runs else None

    @property
    def share(self) -> float | None:
        """How much of the floor's speed we reach: the median of the turns, since both halves of a turn met the same machine."""
        if not self.floor_runs:
            return None
        return median(ours / least for ours, least in zip(self.runs, self.floor_runs, strict=True))

    def as_json(self) -> dict[str, Any]:
        computed = {"value": self.value, "floor_value": self.floor_value, "share_of_floor": self.share}
        return asdict(self) | computed


@dataclass(frozen=True, slots=True)
class Spent:
    """What this process has used: seconds by the clock, seconds of its CPU, and its greatest memory in MB."""

    seconds: float
    cpu: float
    peak_mb: float

    @staticmethod
    def now() -> "Spent":
        used = resource.getrusage(resource.RUSAGE_SELF)
        return Spent(time.perf_counter(), used.ru_utime + used.ru_stime, peak_mb(os.getpid()))

    def since(self, start: "Spent") -> "Spent":
        """The peak is that of the whole process: the kernel keeps no other."""
        return Spent(self.seconds - start.seconds, self.cpu - start.cpu, self.peak_mb)

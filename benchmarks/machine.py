"""What the figures were measured on."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import psutil
import psycopg
import redis

from benchmarks.ground import Ground


def describe(on: Ground) -> dict[str, object]:
    """The machine, the versions, whether commits are forced to the disk, and how busy the machine is already."""
    with psycopg.connect(on.engines.database_url.replace("+psycopg", "")) as connection:
        names = ("server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers")
        shown = {name: connection.execute("select current_setting(%s)", [name]).fetchone() for name in names}
    with redis.Redis.from_url(on.engines.redis_url) as valkey:
        info = valkey.info("server")
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "cpu": _cpu(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "valkey": info.get("valkey_version") or info["redis_version"],
        "postgres": {name: row[0] if row else None for name, row in shown.items()},
        "load_average_at_start": [round(load, 2) for load in os.getloadavg()],
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())

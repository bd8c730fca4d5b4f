"""A description of the machine, saved with the results."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from pathlib import Path

__all__ = ["ROOT", "available_cores", "describe"]

ROOT = Path(__file__).parents[2]


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe() -> dict[str, str]:
    """Return processor, cores, system, Python, git commit and date."""
    return {
        "cpu": _cpu(),
        "cores": str(available_cores()),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "commit": _commit(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    names = {key.strip(): value.strip() for key, value in fields.items()}
    width = next((isa for isa in ("avx512f", "avx2") if isa in names.get("flags", "").split()), "")
    return " ".join(filter(None, (names.get("model name", platform.machine()), width)))


def _commit() -> str:
    """Return the commit of this code, with a mark if files differ from it."""
    command = ("git", "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty")
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()

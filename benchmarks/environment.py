"""What a figure was measured on, without naming the machine or its folders."""

from __future__ import annotations

import os
import platform
import resource
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from graph.interval import format_utc

_PACKAGES = ("dysk", "torch", "transformers", "faiss-cpu", "numpy")


def environment(
    model: str | None, encoder: str | None, threads: int | None = None
) -> dict[str, object]:
    """Versions, models, processor, threads of a process that asked (None: of this one), date (UTC).

    A model's path goes by its last part.
    """
    import torch

    from dysk.models import DEFAULT_ENCODER, DEFAULT_MODEL

    return {
        "model": public_name(model or DEFAULT_MODEL),
        "encoder": public_name(encoder or DEFAULT_ENCODER),
        "versions": {name: _version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": processor(),
        "cores": os.cpu_count(),
        "threads": threads or torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "date": format_utc(datetime.now(UTC)),
    }


def room(folder: Path, facts: int) -> dict[str, float]:
    """What a run took: bytes on disk of a data folder for each fact, and of memory at most.

    ``peak_rss_bytes`` is of the largest process, this one or one that it waited for, as Linux
    counts it.
    """
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    peaks = [
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    ]
    return {"disk_bytes_per_fact": size / max(1, facts), "peak_rss_bytes": max(peaks) * 1024}


def public_name(model: str) -> str:
    """A hub id as it is; of a path only the last part."""
    path = Path(model).expanduser()
    return path.name if path.exists() or path.is_absolute() else model


def processor() -> str:
    """The processor as Linux names it, else whatever Python knows."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None

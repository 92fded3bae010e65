"""The environment of a run: versions, hardware, commit."""

from __future__ import annotations

import os
import platform
import subprocess
from contextlib import suppress
from importlib import metadata
from pathlib import Path

PACKAGES = ("nnrun", "tensorflow", "keras", "numpy", "scikit-learn")

# These instructions decide which kernels are chosen, and in which order they add up.
_INSTRUCTIONS = frozenset("avx2 avx512f avx512_vnni avx512_bf16 amx_tile fma asimd sve".split())
# These variables choose kernels or the number of threads, and so the order of sums.
_SETTINGS = (
    "NVIDIA_TF32_OVERRIDE",
    "OMP_NUM_THREADS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_NUM_INTEROP_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
)


def describe() -> dict[str, object]:
    """Versions, hardware and commit; imports no package, so it takes milliseconds."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return {
        "versions": versions,
        "platform": platform.platform(),
        "cores": cores(),
        **describe_machine(),
        "commit": _commit(),
    }


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe_machine() -> dict[str, object]:
    """Processor, GPUs, and TensorFlow's settings: all that affects the last digits of a result."""
    cpu = _read(Path("/proc/cpuinfo"))
    name = _entry(cpu, "model name") or platform.processor() or platform.machine()
    flags = (_entry(cpu, "flags") or _entry(cpu, "Features")).split()
    gpus = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    return {
        "processor": " ".join([name, *sorted(_INSTRUCTIONS.intersection(flags))]),
        "gpus": [_entry(_read(path), "Model") for path in gpus],
        "settings": {name: os.environ[name] for name in _SETTINGS if name in os.environ},
    }


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _entry(text: str, name: str) -> str:
    """The first value of a name, in lines such as `model name : AMD EPYC`."""
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _commit() -> str | None:
    """The commit of the working folder, with `+` if files differ from it; None outside git."""
    head = _git("rev-parse", "HEAD")
    if head is None:
        return None
    return head + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")


def _git(*arguments: str) -> str | None:
    try:
        answer = subprocess.run(
            ["git", *arguments], capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()

"""Where a run took place: versions, hardware, commit."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

# What of a machine has a part in the last digit of a result.

# Kernels are chosen by them, and add up in the order that suits them.
_INSTRUCTIONS = frozenset("avx2 avx512f avx512_vnni avx512_bf16 amx_tile fma asimd sve".split())
# Variables that choose kernels or the number of threads, which is the order of sums.
_SETTINGS = (
    "NVIDIA_TF32_OVERRIDE",
    "OMP_NUM_THREADS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_NUM_INTEROP_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
)


def describe_machine() -> dict[str, Any]:
    """The processor with what it can do, GPUs, and the settings of TensorFlow in the environment."""
    cpu = _read(Path("/proc/cpuinfo"))
    name = _entry(cpu, "model name") or platform.processor() or platform.machine()
    flags = (_entry(cpu, "flags") or _entry(cpu, "Features")).split()
    return {
        "processor": " ".join([name, *sorted(_INSTRUCTIONS.intersection(flags))]),
        "gpus": [
            _entry(_read(path), "Model")
            for path in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
        ],
        "settings": {name: os.environ[name] for name in _SETTINGS if name in os.environ},
    }


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _entry(text: str, name: str) -> str:
    """The first value under a name, in lines such as `model name : AMD EPYC`."""
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


PACKAGES = ("nnrun", "tensorflow", "keras", "numpy", "scikit-learn")


def describe() -> dict[str, Any]:
    """Versions, hardware and commit; reads no package, so it costs milliseconds."""
    return {
        "versions": {"python": platform.python_version()} | _versions(),
        "platform": platform.platform(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        **describe_machine(),
        "commit": _commit(),
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _commit() -> str | None:
    """The commit of the working folder, `+` where files differ from it; None outside git."""
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

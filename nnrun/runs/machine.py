"""What of a machine has a part in the last digit of a result."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

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


def describe() -> dict[str, Any]:
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

"""How a number is written for people."""

from __future__ import annotations


def number(value: float | None) -> str:
    """Four decimals, or four digits of what would vanish in them."""
    if value is None:
        return "-"
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:.3e}"

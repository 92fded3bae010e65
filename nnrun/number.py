"""How a number is written for people."""

from __future__ import annotations


def number(value: float | None) -> str:
    """Four decimals, or four digits of what would vanish in them."""
    if value is None:
        return "-"
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:.3e}"


def size(count: int) -> str:
    """Bytes in the unit that suits them, each a thousand times the one before.

    Example:
        >>> size(999), size(80_932), size(2_000_000_000)
        ('999 B', '80.9 kB', '2.0 GB')
    """
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        # What would be rounded up to 1000.0 is 1.0 of the next.
        if round(amount, 1) < 1000:
            return f"{count} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"

"""A folder per class, as far as a check looks at it: names, and nothing of what is in them."""

from __future__ import annotations

from pathlib import Path

ENDINGS = frozenset(".png .jpg .jpeg .bmp .gif .webp".split())
"""Of the names of pictures."""
PICTURES = "PNG, JPEG, BMP, GIF or WebP"


def there(path: Path) -> bool:
    """Whether there is a file or a folder; what has no name that could be looked up is not there."""
    try:
        return path.exists()
    except OSError:
        return False


def classes(folder: Path) -> tuple[str, ...]:
    """The names of the folders in a folder, in order; none where there is no such folder.

    Raises:
        OSError: it is no folder, or may not be read.
    """
    try:
        inside = [each.name for each in folder.iterdir() if each.is_dir()]
    except FileNotFoundError:
        return ()
    # Hidden folders are of file managers and version control.
    return tuple(sorted(name for name in inside if not name.startswith(".")))

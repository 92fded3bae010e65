"""A folder per class becomes rows of pixels, and what is no picture is named."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nnrun.data import datasets
from nnrun.data.datasets import images
from nnrun.errors import DataError
from nnrun.spec.dataset import Images
from nnrun.types import Dataset, Streamed

Pixels = np.ndarray[Any, Any]
RNG = np.random.default_rng(0)


def noise(height: int = 4, width: int = 6) -> Image.Image:
    return Image.fromarray(RNG.integers(0, 256, (height, width, 3), np.uint8))


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Ten pictures of each of two classes, 4 x 6 pixels in colour."""
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(10):
            noise().save(tmp_path / name / f"{number}.png")
    return tmp_path


def load(folder: Path, **arguments: Any) -> Dataset:
    spec = {"name": "images", "path": str(folder), "image_size": [4, 6], **arguments}
    return datasets.load(Images.model_validate(spec))


def pixels(path: Path) -> Pixels:
    return np.asarray(Image.open(path).convert("RGB"))


def test_rows_are_the_pixels_of_the_files_in_the_order_of_their_names(pets: Path) -> None:
    """Test rows that have a folder of their own stay in that order."""
    dataset = load(pets, test=str(pets))
    files = [pets / name / f"{number}.png" for name in ("cat", "dog") for number in range(10)]

    np.testing.assert_array_equal(dataset.test.x[:], np.stack([*map(pixels, files)]), strict=True)
    assert dataset.test.y.tolist() == [0] * 10 + [1] * 10
    assert (dataset.classes, dataset.target, dataset.highest) == (("cat", "dog"), "class", 255.0)


def test_training_rows_do_not_come_class_by_class(pets: Path) -> None:
    """Else a hold-out of the last rows would be of one class."""
    first, other = load(pets, test=str(pets)), load(pets, test=str(pets), seed=1)

    assert sorted(first.train.y) == [0] * 10 + [1] * 10
    assert first.train.y.tolist() not in ([0] * 10 + [1] * 10, other.train.y.tolist())


def test_test_rows_are_drawn_in_proportion_to_the_classes(pets: Path) -> None:
    dataset = load(pets, test_split=0.3)
    rows = {row.tobytes() for split in (dataset.train, dataset.test) for row in split.x[:]}

    assert np.bincount(dataset.test.y).tolist() == [3, 3]
    assert len(rows) == len(dataset.train) + len(dataset.test) == 20


def test_grey_pictures_have_one_channel(pets: Path) -> None:
    dataset = load(pets, color_mode="grayscale", image_size=[2, 3])

    assert dataset.train.x.shape == (16, 2, 3, 1)


@pytest.mark.parametrize("ending", ["png", "bmp", "webp", "gif", "PNG", "jpg", "jpeg"])
def test_every_kind_of_picture_is_read(ending: str, pets: Path) -> None:
    """Those that lose nothing, to the bit; a GIF has few colours, so it is grey here."""
    grey = noise().convert("L")
    path = pets / "cat" / f"0.{ending}"
    (pets / "cat" / "0.png").unlink()
    grey.save(path, **({"lossless": True} if ending == "webp" else {}))
    row = load(pets, test=str(pets), color_mode="grayscale").test.x[:1]
    difference = np.abs(row[0, :, :, 0].astype(int) - np.asarray(grey, int))

    assert difference.max() <= (60 if ending.startswith("jp") else 0)


def test_of_a_picture_that_moves_the_first_is_taken(pets: Path) -> None:
    black, white = (Image.new("L", (6, 4), color) for color in (0, 255))
    (pets / "cat" / "0.png").unlink()
    black.save(pets / "cat" / "0.gif", save_all=True, append_images=[white])

    assert load(pets, test=str(pets)).test.x[:1].max() == 0


def test_a_picture_is_turned_as_its_camera_was_held(pets: Path) -> None:
    """Cameras write down how they were held, and leave the pixels as they are."""
    upright = Image.new("L", (6, 4))
    upright.paste(255, (0, 0, 3, 4))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    upright.rotate(180).save(pets / "cat" / "0.png", exif=exif)

    np.testing.assert_array_equal(
        load(pets, test=str(pets)).test.x[:1][0, :, :, 0], np.asarray(upright)
    )


def test_what_is_transparent_lies_on_white(pets: Path) -> None:
    Image.new("RGBA", (6, 4), (0, 0, 0, 0)).save(pets / "cat" / "0.png")

    assert load(pets, test=str(pets)).test.x[:1].min() == 255


def test_pictures_of_any_size_are_brought_to_one(pets: Path) -> None:
    Image.new("RGB", (3000, 2000), (200, 100, 50)).save(pets / "cat" / "0.jpg", quality=95)
    (pets / "cat" / "0.png").unlink()
    row = load(pets, test=str(pets)).test.x[:1][0].reshape(-1, 3).astype(int)

    assert row.shape == (24, 3)
    assert np.abs(row - (200, 100, 50)).max() <= 2


def test_what_a_file_manager_leaves_is_no_picture(pets: Path) -> None:
    for name in (".DS_Store", "cat/.DS_Store", "cat/Thumbs.db", "cat/._0.png", "dog/desktop.ini"):
        (pets / name).write_bytes(b"\0")
    for name in ("cat/.cache/9.png", ".git/cat/9.png"):
        (pets / name).parent.mkdir(parents=True)
        (pets / name).write_bytes(b"\0")
    dataset = load(pets)

    assert (len(dataset.train) + len(dataset.test), dataset.classes) == (20, ("cat", "dog"))


def test_pictures_may_lie_in_folders_of_their_class(pets: Path) -> None:
    """As those of a film or of a patient do."""
    (pets / "cat" / "tom").mkdir()
    (pets / "cat" / "0.png").rename(pets / "cat" / "tom" / "0.png")

    assert len(load(pets, test=str(pets)).test) == 20


def test_a_class_may_be_missing_among_those_to_test_on(pets: Path, tmp_path: Path) -> None:
    (pets / "held-back" / "dog").mkdir(parents=True)
    noise().save(pets / "held-back" / "dog" / "0.png")
    (pets / "train").mkdir()
    for name in ("cat", "dog"):
        (pets / name).rename(pets / "train" / name)

    assert load(pets / "train", test=str(pets / "held-back")).test.y.tolist() == [1]


def _truncated(path: Path) -> None:
    noise(40, 60).save(path)
    path.write_bytes(path.read_bytes()[:-200])


HOSTILE: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "empty": ("0.png", Path.touch, "is empty"),
    "text": (
        "0.jpg",
        lambda path: path.write_text("a cat"),
        "is not a PNG, JPEG, BMP, GIF or WebP image, despite its name",
    ),
    "truncated PNG": ("0.png", _truncated, "is a damaged picture: "),
    "truncated JPEG": ("0.jpg", _truncated, "is a damaged picture: "),
    "another kind": (
        "notes.txt",
        Path.touch,
        "is no PNG, JPEG, BMP, GIF or WebP; leave only pictures in the folder",
    ),
    "pipe": ("pipe.png", os.mkfifo, "is no file"),
    "link to nothing": ("0.png", lambda path: path.symlink_to("gone"), "cannot be read: No such "),
    "link to itself": ("0.png", lambda path: path.symlink_to("0.png"), "cannot be read: Too many "),
    "unicode": ("猫 ü.png", Path.touch, "is empty"),
}


@pytest.mark.parametrize("streamed", [False, True], ids=["in memory", "streamed"])
@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_no_picture_is_named_before_any_training(
    what: str, streamed: bool, pets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where pictures are read as they are needed: not in the tenth hour."""
    monkeypatch.setattr(images, "IN_MEMORY", 0 if streamed else 2**30)
    name, make, reason = HOSTILE[what]
    path = pets / "dog" / name
    path.unlink(missing_ok=True)
    make(path)

    with pytest.raises(DataError) as caught:
        load(pets)
    assert str(caught.value).startswith(f"{path}: {reason}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda pets: [each.unlink() for each in (pets / "cat").iterdir()],
         "{}/cat: holds no picture (PNG, JPEG, BMP, GIF or WebP)"),
        (lambda pets: (pets / "cat").rename(pets / ".cat"),
         "{}: needs a folder per class, at least 2, but has 1"),
    ],
    ids=["empty class", "one class"],
)  # fmt: skip
def test_a_folder_without_what_a_class_needs_is_refused(
    change: Callable[[Path], object], told: str, pets: Path
) -> None:
    change(pets)

    with pytest.raises(DataError) as caught:
        load(pets)
    assert str(caught.value) == told.format(pets)


def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    """It was there when the spec was checked."""
    with pytest.raises(DataError, match=f"{tmp_path}/gone does not exist"):
        load(tmp_path / "gone")


def test_more_than_fits_is_read_as_it_is_needed_and_is_the_same(
    pets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = load(pets)
    monkeypatch.setattr(images, "IN_MEMORY", 20 * 4 * 6 * 3 - 1)
    parts = load(pets)
    rows = np.array([3, 1, 3, 15])

    for mine, theirs in ((parts.train, whole.train), (parts.test, whole.test)):
        assert isinstance(mine.x, Streamed)
        assert (mine.x.shape, mine.x.dtype) == (theirs.x.shape, theirs.x.dtype)
        np.testing.assert_array_equal(mine.x[:], theirs.x)
        np.testing.assert_array_equal(mine.y, theirs.y)
    np.testing.assert_array_equal(parts.train.x[rows], whole.train.x[rows])
    assert datasets.digest(parts) == datasets.digest(whole)


def test_the_fingerprint_is_that_of_what_the_files_hold(pets: Path) -> None:
    """A copy of the folder is the same data, and one other pixel makes it another."""
    before = datasets.digest(load(pets))
    os.utime(pets / "cat" / "0.png", (0, 0))
    moved = pets.rename(pets.with_name("moved"))

    assert datasets.digest(load(moved)) == before
    assert datasets.digest(load(moved, image_size=[6, 4])) != before
    noise().save(moved / "cat" / "0.png")
    assert datasets.digest(load(moved)) != before

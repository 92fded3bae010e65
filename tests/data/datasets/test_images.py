"""User images: the pixels of a folder per class, and errors for files that are not images."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nnrun.data import datasets
from nnrun.data.datasets import images
from nnrun.errors import DataError
from nnrun.spec import files
from nnrun.spec.dataset import Images
from nnrun.types import Array, Dataset, Streamed

RNG = np.random.default_rng(0)


def noise(height: int = 4, width: int = 6) -> Image.Image:
    return Image.fromarray(RNG.integers(0, 256, (height, width, 3), np.uint8))


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Ten images of each of two classes, 4 x 6 pixels in colour."""
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(10):
            noise().save(tmp_path / name / f"{number}.png")
    return tmp_path


def load(folder: Path, **arguments: Any) -> Dataset:
    spec = {"name": "images", "path": str(folder), "image_size": [4, 6], **arguments}
    return datasets.load(Images.model_validate(spec))


def first_row(folder: Path, **arguments: Any) -> Array:
    """The first test row: the first image of the first class."""
    return load(folder, test=str(folder), **arguments).test.x[:1][0]


def test_test_rows_are_the_pixels_in_the_order_of_names(pets: Path) -> None:
    dataset = load(pets, test=str(pets))
    files = [pets / name / f"{number}.png" for name in ("cat", "dog") for number in range(10)]
    expected = np.stack([np.asarray(Image.open(path).convert("RGB")) for path in files])

    np.testing.assert_array_equal(dataset.test.x[:], expected, strict=True)
    assert dataset.test.y.tolist() == [0] * 10 + [1] * 10
    assert (dataset.classes, dataset.target.name, dataset.highest) == (
        ("cat", "dog"),
        "class",
        255.0,
    )


def test_training_rows_are_shuffled(pets: Path) -> None:
    """Otherwise a hold-out of the last rows would have one class."""
    first, other = load(pets, test=str(pets)), load(pets, test=str(pets), seed=1)

    assert sorted(first.train.y) == [0] * 10 + [1] * 10
    assert first.train.y.tolist() not in ([0] * 10 + [1] * 10, other.train.y.tolist())


def test_drawn_test_rows_are_stratified(pets: Path) -> None:
    dataset = load(pets, test_split=0.3)
    rows = {row.tobytes() for split in (dataset.train, dataset.test) for row in split.x[:]}

    assert np.bincount(dataset.test.y).tolist() == [3, 3]
    assert len(rows) == len(dataset.train) + len(dataset.test) == 20


@pytest.mark.parametrize("ending", ["png", "bmp", "webp", "gif", "PNG", "jpg", "jpeg", "jfif"])
def test_every_format_is_read(ending: str, pets: Path) -> None:
    """Lossless ones exactly; in grey, because a GIF has few colours."""
    grey = noise().convert("L")
    path = pets / "cat" / f"0.{ending}"
    (pets / "cat" / "0.png").unlink()
    grey.save(
        path,
        "jpeg" if ending == "jfif" else None,
        **({"lossless": True} if ending == "webp" else {}),
    )
    row = first_row(pets, color_mode="grayscale")

    assert row.shape == (4, 6, 1)
    difference = np.abs(row[:, :, 0].astype(int) - np.asarray(grey, int))
    assert difference.max() <= (60 if ending.startswith("j") else 0)


def test_linked_folders_are_read_once(pets: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Folders of a class, folders within it, and a link back to the class."""
    folder = tmp_path_factory.mktemp("links")
    (folder / "cat").symlink_to(pets / "cat")
    (folder / "dog").mkdir()
    (folder / "dog" / "inner").symlink_to(pets / "dog")
    (folder / "dog" / "around").symlink_to("..")

    linked = load(folder, test=str(pets))
    assert sorted(row.tobytes() for row in linked.train.x) == sorted(
        row.tobytes() for row in load(pets, test=str(pets)).train.x
    )


def test_images_of_16_bits_use_the_range_of_8_bits(pets: Path) -> None:
    values = RNG.integers(0, 65_536, (4, 6), np.uint16)
    Image.fromarray(values).save(pets / "cat" / "0.png")

    np.testing.assert_array_equal(
        first_row(pets, color_mode="grayscale")[:, :, 0], (values // 257).astype(np.uint8)
    )


def test_the_first_frame_of_an_animation_is_read(pets: Path) -> None:
    black, white = (Image.new("L", (6, 4), color) for color in (0, 255))
    (pets / "cat" / "0.png").unlink()
    black.save(pets / "cat" / "0.gif", save_all=True, append_images=[white])

    assert first_row(pets).max() == 0


def test_an_image_is_rotated_as_by_its_exif(pets: Path) -> None:
    upright = Image.new("L", (6, 4))
    upright.paste(255, (0, 0, 3, 4))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    upright.rotate(180).save(pets / "cat" / "0.png", exif=exif)

    np.testing.assert_array_equal(first_row(pets)[:, :, 0], np.asarray(upright))


def test_transparent_pixels_become_white(pets: Path) -> None:
    Image.new("RGBA", (6, 4), (0, 0, 0, 0)).save(pets / "cat" / "0.png")

    assert first_row(pets).min() == 255


def test_images_are_resized(pets: Path) -> None:
    Image.new("RGB", (3000, 2000), (200, 100, 50)).save(pets / "cat" / "0.jpg", quality=95)
    (pets / "cat" / "0.png").unlink()
    row = first_row(pets).reshape(-1, 3).astype(int)

    assert row.shape == (24, 3)
    assert np.abs(row - (200, 100, 50)).max() <= 2


def test_system_files_are_ignored_and_subfolders_read(pets: Path) -> None:
    for name in (".DS_Store", "cat/.DS_Store", "cat/Thumbs.db", "cat/._0.png", "dog/desktop.ini"):
        (pets / name).write_bytes(b"\0")
    for name in ("cat/.cache/9.png", ".git/cat/9.png"):
        (pets / name).parent.mkdir(parents=True)
        (pets / name).write_bytes(b"\0")
    (pets / "cat" / "tom").mkdir()
    (pets / "cat" / "0.png").rename(pets / "cat" / "tom" / "0.png")
    dataset = load(pets)

    assert (len(dataset.train) + len(dataset.test), dataset.classes) == (20, ("cat", "dog"))


def test_test_rows_may_lack_a_class(pets: Path) -> None:
    (pets / "test" / "dog").mkdir(parents=True)
    noise().save(pets / "test" / "dog" / "0.png")
    (pets / "train").mkdir()
    for name in ("cat", "dog"):
        (pets / name).rename(pets / "train" / name)

    assert load(pets / "train", test=str(pets / "test")).test.y.tolist() == [1]


def _truncated(path: Path) -> None:
    noise(40, 60).save(path)
    path.write_bytes(path.read_bytes()[:-200])


BROKEN: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "empty": ("0.png", Path.touch, "is empty"),
    "text": (
        "0.jpg",
        lambda path: path.write_text("a cat"),
        "is not a PNG, JPEG, BMP, GIF or WebP image, despite its name",
    ),
    "truncated PNG": ("0.png", _truncated, "is a damaged image: "),
    "truncated JPEG": ("0.jpg", _truncated, "is a damaged image: "),
    "another kind": (
        "notes.txt",
        Path.touch,
        "is no PNG, JPEG, BMP, GIF or WebP; leave only images in the folder",
    ),
    "pipe": ("pipe.png", os.mkfifo, "cannot be read: it is a pipe or a device"),
    "link to nothing": ("0.png", lambda path: path.symlink_to("gone"), "cannot be read: No such "),
    "link to itself": ("0.png", lambda path: path.symlink_to("0.png"), "cannot be read: Too many "),
    "unicode": ("猫 ü.png", Path.touch, "is empty"),
}


@pytest.mark.parametrize("streamed", [False, True], ids=["in memory", "streamed"])
@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_named_before_training(
    case: str, streamed: bool, pets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "IN_MEMORY", 0 if streamed else 2**30)
    name, make, reason = BROKEN[case]
    path = pets / "dog" / name
    path.unlink(missing_ok=True)
    make(path)

    with pytest.raises(DataError) as caught:
        load(pets)
    assert str(caught.value).startswith(f"{path}: {reason}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda pets: [path.unlink() for path in (pets / "cat").iterdir()],
         "{}/cat: holds no image (PNG, JPEG, BMP, GIF or WebP)"),
        (lambda pets: (pets / "cat").rename(pets / ".cat"),
         "{}: holds 1 folder, and needs at least two, one per class"),
        (lambda pets: [path.rename(path.with_name(name)) for path, name in
                       ((pets / "cat", "train"), (pets / "dog", "test"))],
         "{0}: holds test and train, and the class folders are in it; write path: '{0}/train' and "
         "test: '{0}/test'"),
        (lambda pets: pets.rename(pets.with_name("gone")), "{} does not exist"),
    ],
    ids=["empty class", "one class", "train and test", "no folder"],
)  # fmt: skip
def test_a_folder_without_classes_is_refused(
    change: Callable[[Path], object], message: str, pets: Path
) -> None:
    change(pets)

    with pytest.raises(DataError) as caught:
        load(pets)
    assert str(caught.value) == message.format(pets)


def test_streamed_rows_are_the_same(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = load(pets)
    monkeypatch.setattr(images, "IN_MEMORY", 20 * 4 * 6 * 3 - 1)
    parts = load(pets)
    rows = np.array([3, 1, 3, 15])

    for streamed, loaded in ((parts.train, whole.train), (parts.test, whole.test)):
        assert isinstance(streamed.x, Streamed)
        assert (streamed.x.shape, streamed.x.dtype) == (loaded.x.shape, loaded.x.dtype)
        np.testing.assert_array_equal(streamed.x[:], loaded.x)
        np.testing.assert_array_equal(streamed.y, loaded.y)
    np.testing.assert_array_equal(parts.train.x[rows], whole.train.x[rows])
    assert datasets.digest(parts) == datasets.digest(whole)


def test_the_digest_depends_on_the_content_of_files(pets: Path) -> None:
    """Not on their folder or date."""
    before = datasets.digest(load(pets))
    os.utime(pets / "cat" / "0.png", (0, 0))
    moved = pets.rename(pets.with_name("moved"))

    assert datasets.digest(load(moved)) == before
    assert datasets.digest(load(moved, image_size=[6, 4])) != before
    noise().save(moved / "cat" / "0.png")
    assert datasets.digest(load(moved)) != before


def test_large_images_are_decoded_one_at_a_time(
    pets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of 200 million pixels would take gigabytes on every core."""
    monkeypatch.setattr(images, "_LARGE_PIXELS", 20)
    convert, active, most = images._convert, [], []

    def slowly(image: Image.Image, target: str) -> Image.Image:
        active.append(image)
        time.sleep(0.01)
        most.append(len(active))
        active.pop()
        return convert(image, target)

    monkeypatch.setattr(images, "_convert", slowly)
    load(pets)

    assert (len(most), max(most)) == (20, 1)


def test_an_image_beyond_the_memory_is_refused(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("L", (1000, 1000)).save(pets / "dog" / "0.png")
    monkeypatch.setattr(files, "memory", lambda: 10_000_000)

    with pytest.raises(DataError, match=r"0.png: needs about 12.0 MB of memory"):
        load(pets)


def test_sixteen_bits_become_eight(pets: Path) -> None:
    """Pillow would clip them at 255."""
    values = np.array([[0, 256, 257, 514, 65534, 65535]] * 4, np.uint16)
    for path in pets.glob("*/*.png"):
        Image.fromarray(values).save(path)

    x = load(pets, color_mode="grayscale").train.x
    assert isinstance(x, np.ndarray)
    assert x[0, 0, :, 0].tolist() == [0, 0, 1, 2, 254, 255]


def test_images_of_another_folder_validate(pets: Path, tmp_path_factory: Any) -> None:
    held = tmp_path_factory.mktemp("held")
    (held / "dog").mkdir()
    for number in range(3):
        noise().save(held / "dog" / f"{number}.png")
    dataset = load(pets, test=str(pets), validation=str(held))
    train = dataset.train

    assert train.held_out is not None
    assert train.held_out.tolist() == [False] * 20 + [True] * 3
    np.testing.assert_array_equal(train.x[20:], load(pets, test=str(held)).test.x[:])
    assert train.y[20:].tolist() == [1] * 3
    assert train.row_numbers(np.arange(20, 23)).tolist() == [20, 21, 22]


def test_several_test_folders_have_names(pets: Path) -> None:
    dataset = load(pets, test={"one": str(pets), "two": str(pets)})
    sets = dataset.test.test_sets

    assert {name: len(rows) for name, rows in sets.items()} == {"one": 20, "two": 20}
    np.testing.assert_array_equal(dataset.test.x[sets["one"]], dataset.test.x[sets["two"]])
    np.testing.assert_array_equal(dataset.test.x[:20], load(pets, test=str(pets)).test.x[:])

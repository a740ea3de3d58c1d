"""Image files as people see them: formats, orientation, size, damage."""

from __future__ import annotations

import contextlib
import logging
import os
import time
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import PIL
import pytest
from image_files import noise_image, png, refusal, smooth
from PIL import Image, ImageFile

from zsavs.errors import ImageError
from zsavs.media.image_file import load_image

# --- formats and modes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "arguments"),
    [
        ("a.png", {}),
        ("a.bmp", {}),
        ("a.ppm", {}),
        ("a.tif", {}),
        ("lzw.tif", {"compression": "tiff_lzw"}),
        ("a.webp", {"lossless": True}),
        ("a.jp2", {"irreversible": False}),
    ],
)
@pytest.mark.parametrize("size_hw", [(37, 23), (1, 1), (1, 5000), (5000, 1)])
def test_lossless_formats_come_back_as_written(tmp_path, file, arguments, size_hw):
    expected = noise_image(*size_hw)
    Image.fromarray(expected).save(tmp_path / file, **arguments)
    image = load_image(tmp_path / file)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert image.flags.writeable
    np.testing.assert_array_equal(image, expected)
    assert load_image(str(tmp_path / file)).tobytes() == image.tobytes()


def skip_if_unknown(file: str) -> None:
    if Path(file).suffix not in Image.registered_extensions():
        pytest.skip(f"Pillow {PIL.__version__} does not write {file}")


@pytest.mark.parametrize("file", ["a.jpg", "a.webp", "a.avif"])
def test_lossy_formats_look_the_same(tmp_path, file):
    skip_if_unknown(file)
    expected = smooth(64, 96)
    Image.fromarray(expected).save(tmp_path / file, quality=95)
    assert np.abs(load_image(tmp_path / file).astype(int) - expected).max() < 12


def test_a_large_image_is_copied_out_completely(tmp_path):
    """Larger than the bands in which pixels are copied, and not a multiple of them."""
    expected = smooth(1500, 1999)
    Image.fromarray(expected).save(tmp_path / "a.bmp")
    np.testing.assert_array_equal(load_image(tmp_path / "a.bmp"), expected)


def test_the_extension_does_not_matter(tmp_path):
    expected = noise_image(5, 7)
    Image.fromarray(expected).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    np.testing.assert_array_equal(load_image(tmp_path / "a.jpg"), expected)


# --- orientation ------------------------------------------------------------------------------------------------------

#: Where the first row and the first column of the file belong (EXIF 2.3, tag 274).
ORIENTATIONS = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}


def as_seen(stored: np.ndarray, orientation: int) -> np.ndarray:
    """Put every pixel where the EXIF standard says."""
    first_row, first_column = ORIENTATIONS[orientation]
    rows, columns = stored.shape[:2]
    seen = np.zeros((columns, rows, 3) if orientation >= 5 else stored.shape, np.uint8)
    for row in range(rows):
        for column in range(columns):
            place = {
                "top": row if first_row == "top" else column,
                "bottom": seen.shape[0] - 1 - (row if first_row == "bottom" else column),
                "left": column if first_column == "left" else row,
                "right": seen.shape[1] - 1 - (column if first_column == "right" else row),
            }
            y = place["top" if "top" in (first_row, first_column) else "bottom"]
            x = place["left" if "left" in (first_row, first_column) else "right"]
            seen[y, x] = stored[row, column]
    return seen


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("file", ["a.png", "a.tif", "lzw.tif", "a.webp", "a.jpg", "a.avif"])
def test_orientation(tmp_path, file, orientation):
    skip_if_unknown(file)
    cells = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[0, 0, 0], [255, 255, 255], [255, 255, 0]]], np.uint8)
    stored = cells.repeat(16, axis=0).repeat(16, axis=1)
    exif = Image.Exif()
    exif[0x0112] = orientation
    arguments = {
        "lzw.tif": {"compression": "tiff_lzw"},
        "a.webp": {"lossless": True},
        "a.jpg": {"quality": 95, "subsampling": 0},
        "a.avif": {"quality": 95, "subsampling": "4:4:4"},
    }
    Image.fromarray(stored).save(tmp_path / file, exif=exif, **arguments.get(file, {}))
    image, expected = load_image(tmp_path / file), as_seen(stored, orientation)
    assert image.shape == expected.shape
    assert image.flags.c_contiguous
    assert np.abs(image.astype(int) - expected).max() <= (30 if file in ("a.jpg", "a.avif") else 0)


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_left_out(tmp_path, value):
    expected = noise_image(4, 6)
    exif = Image.Exif()
    exif[0x0112] = value
    Image.fromarray(expected).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(load_image(tmp_path / "a.png"), expected)


@pytest.mark.parametrize("exif", [b"Exif\0\0nonsense", b"Exif\0\0MM\0*\0\0\0\x08\0\xff\x01\x12\0\x03", b""])
def test_broken_exif_is_left_out(tmp_path, exif):
    Image.fromarray(smooth(16, 24)).save(tmp_path / "a.jpg", exif=exif)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow may say what it found
        assert load_image(tmp_path / "a.jpg").shape == (16, 24, 3)


# --- several images in one file -------------------------------------------------------------------------------------


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("file", ["a.gif", "a.webp", "a.png", "a.tif"])
def test_of_several_images_the_first_is_used_and_this_is_logged(tmp_path, caplog, file):
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "lime", "blue")]
    frames[0].save(tmp_path / file, save_all=True, append_images=frames[1:], lossless=True)
    np.testing.assert_array_equal(load_image(tmp_path / file), np.asarray(frames[0]))
    (message,) = said(caplog)
    assert file in message


def test_a_photo_with_a_second_view_is_one_photo(tmp_path, caplog):
    red, blue = (Image.new("RGB", (16, 16), colour) for colour in ("red", "blue"))
    red.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[blue])
    assert np.abs(load_image(tmp_path / "a.jpg").astype(int) - [255, 0, 0]).max() <= 3
    assert not said(caplog)


def test_a_single_image_is_nothing_to_log(tmp_path, caplog):
    for file in ("a.gif", "a.webp", "a.png", "a.tif", "a.jpg"):
        Image.fromarray(smooth(8, 8)).save(tmp_path / file)
        load_image(tmp_path / file)
    assert not said(caplog)


# --- size -------------------------------------------------------------------------------------------------------------


def test_200_megapixels_are_refused_before_decoding(tmp_path, monkeypatch):
    path = tmp_path / "huge.png"
    path.write_bytes(png(20_000, 10_000, 1, 0, bytes(2501 * 10_000)))

    def load(*_: object) -> None:
        raise AssertionError("the image is being decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    started = time.perf_counter()
    tracemalloc.start()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        message = refusal(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.perf_counter() - started < 1
    assert peak < 5e6
    for part in ("20000x10000", "100 million", "max_pixels=200000000"):
        assert part in message


@pytest.mark.parametrize("file", ["a.png", "a.jpg", "a.gif", "a.webp", "a.tif", "a.bmp", "a.jp2", "a.pgm"])
def test_the_limit_holds_for_every_format(tmp_path, file):
    Image.new("L", (10, 10)).save(tmp_path / file)
    assert "10x10" in refusal(tmp_path / file, max_pixels=99)
    assert load_image(tmp_path / file, max_pixels=100).shape == (10, 10, 3)


@pytest.mark.parametrize("file", ["a.png", "a.jpg", "a.gif", "a.webp", "a.tif", "a.bmp"])
def test_the_limit_of_pillow_is_not_ours(tmp_path, monkeypatch, file):
    Image.new("L", (15, 10)).save(tmp_path / file)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    monkeypatch.setattr("zsavs.media.image_file._BAND_PIXELS", 140)
    filters = list(warnings.filters)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_image(tmp_path / file).shape == (10, 15, 3)
    assert Image.MAX_IMAGE_PIXELS == 100
    assert warnings.filters == filters


@pytest.mark.parametrize("file", ["a.png", "a.webp", "a.tif"])
def test_where_pillow_insists_it_is_explained(tmp_path, monkeypatch, file):
    Image.new("L", (30, 10)).save(tmp_path / file)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    try:
        assert load_image(tmp_path / file).shape == (10, 30, 3)
    except ImageError as error:
        assert "MAX_IMAGE_PIXELS" in str(error)  # noqa: PT017


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_missing(tmp_path):
    assert "no such file" in refusal(tmp_path / "none.png")


def test_folder(tmp_path):
    (tmp_path / "folder.png").mkdir()
    assert "name one file in it" in refusal(tmp_path / "folder.png")


def test_empty(tmp_path):
    (tmp_path / "a.png").touch()
    assert "0 bytes" in refusal(tmp_path / "a.png")


def test_pipe_does_not_wait(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    assert "is a pipe" in refusal(tmp_path / "a.png")


def test_permission_is_explained(tmp_path, monkeypatch):
    """Staged, as tests may run as root, who is never refused."""
    Image.new("L", (3, 3)).save(tmp_path / "a.png")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert "chmod u+r" in refusal(tmp_path / "a.png")


@pytest.mark.parametrize("path", [None, 3, "", "a\0b.png", "x" * 5000])
def test_what_is_no_path(path):
    refusal(path)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"hello, this is a text\n" * 20, "text"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"<html>404</html>", "web page"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0" + bytes(200), "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0" + bytes(200), "HEIF"),
        (b"\0\0\0\x18ftypisom\0\0\0\0" + bytes(200), "MP4"),
        (b"RIFF\0\1\0\0WAVEfmt " + bytes(200), "WAV file"),
        (b"%PDF-1.7\n", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "text"),
        (bytes(range(128, 256)), ""),
        (b"P", ""),
    ],
)
def test_what_is_no_image(tmp_path, content, kind):
    (tmp_path / "a.jpg").write_bytes(content)
    message = refusal(tmp_path / "a.jpg")
    assert kind in message


def test_other_formats_name_the_remedy(tmp_path):
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0" + bytes(200))
    assert "export it as PNG" in refusal(tmp_path / "a.heic")


def test_a_format_that_this_pillow_was_built_without(tmp_path, monkeypatch):
    """Its plug-in then accepts the file with a sentence instead of True."""
    (tmp_path / "a.avif").write_bytes(b"\0\0\0\x18ftypavif\0\0\0\0avif" + bytes(200))
    Image.init()
    monkeypatch.setitem(Image.OPEN, "AVIF", (pytest.fail, lambda head: "support not installed"))
    assert "it looks like an AVIF image" in refusal(tmp_path / "a.avif")


@pytest.mark.parametrize("file", ["a.jpg", "a.png", "a.gif", "a.webp", "a.tif", "a.bmp", "a.ppm"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_a_image_that_breaks_off(tmp_path, file, share):
    Image.fromarray(noise_image(64, 64)).save(tmp_path / file)
    content = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(content[: int(len(content) * share)])
    message = refusal(tmp_path / file)
    assert "damaged" in message or "cannot be decoded" in message


def test_damaged_bytes_never_end_in_a_foreign_error(tmp_path):
    rng = np.random.default_rng(0)
    files = ["a.jpg", "a.png", "a.gif", "a.webp", "a.tif", "a.bmp", "a.ppm", "a.jp2"]
    for file in files + ["a.avif"] * (".avif" in Image.registered_extensions()):
        Image.fromarray(smooth(24, 32)).save(tmp_path / file)
        good = (tmp_path / file).read_bytes()
        for _ in range(40):
            bad = bytearray(good)
            for place in rng.integers(0, min(len(bad), 300), 4):
                bad[place] = rng.integers(256)
            (tmp_path / file).write_bytes(bad[: rng.integers(1, len(bad) + 1)])
            with warnings.catch_warnings(), contextlib.suppress(ImageError):
                warnings.simplefilter("ignore")
                image = load_image(tmp_path / file, max_pixels=1_000_000)
                assert image.dtype == np.uint8
                assert image.shape[2] == 3

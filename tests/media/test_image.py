"""Images as people hand them over: every mode, orientation and accident; resizing, letterboxes, crops."""

from __future__ import annotations

import contextlib
import logging
import os
import struct
import time
import tracemalloc
import warnings
import zlib
from pathlib import Path

import numpy as np
import PIL
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFile

from zsavs.errors import ImageError
from zsavs.media.colour import to_rgb
from zsavs.media.image_file import load_image
from zsavs.media.letterbox import letterbox
from zsavs.media.regions import crop_with_margin, highlight
from zsavs.media.resize import resize_map, shrink


def noise_image(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def smooth(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height)], -1).astype(np.uint8)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def refusal(path: object, **arguments: int) -> str:
    """The message with which load_image refuses a file: one line that names the file."""
    with pytest.raises(ImageError) as caught:
        load_image(path, **arguments)  # type: ignore[arg-type]
    message = str(caught.value)
    assert "\n" not in message
    if isinstance(path, Path):
        assert path.name in message
    return message


def skip_if_unknown(file: str) -> None:
    if Path(file).suffix not in Image.registered_extensions():
        pytest.skip(f"Pillow {PIL.__version__} does not write {file}")


def png(width: int, height: int, bits: int, colour: int, rows: bytes) -> bytes:
    """A PNG written by hand, for what Pillow cannot write."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


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


GREY = np.arange(256, dtype=np.uint8).reshape(16, 16)


@pytest.mark.parametrize("file", ["a.png", "a.tif", "a.bmp", "a.pgm"])
def test_grey(tmp_path, file):
    Image.fromarray(GREY).save(tmp_path / file)
    np.testing.assert_array_equal(load_image(tmp_path / file), np.stack([GREY] * 3, -1))


@pytest.mark.parametrize("file", ["a.png", "a.tif", "a.bmp", "a.pbm"])
def test_one_bit(tmp_path, file):
    bits = noise_image(9, 13)[..., 0] > 128
    Image.fromarray(bits).save(tmp_path / file)
    np.testing.assert_array_equal(load_image(tmp_path / file), np.stack([bits * np.uint8(255)] * 3, -1))


@pytest.mark.parametrize("file", ["a.png", "a.gif", "a.tif", "a.bmp"])
def test_palette(tmp_path, file):
    colours = noise_image(1, 16)[0]
    indices = noise_image(8, 8)[..., 0] % 16
    indexed = Image.fromarray(indices)
    indexed.putpalette(colours.tobytes())
    indexed.save(tmp_path / file)
    np.testing.assert_array_equal(load_image(tmp_path / file), colours[indices])


@pytest.mark.parametrize("transparent", [{}, {"transparency": 3}])
def test_a_palette_that_is_not_there_is_refused(tmp_path, transparent):
    indexed = Image.fromarray(noise_image(8, 8)[..., 0] % 16)
    indexed.putpalette(noise_image(1, 16)[0].tobytes())
    path = tmp_path / "a.png"
    indexed.save(path, **transparent)
    data = path.read_bytes()
    start = data.index(b"PLTE") - 4
    length = int.from_bytes(data[start : start + 4], "big") + 12
    path.write_bytes(data[:start] + data[start + length :])
    with pytest.raises(ImageError, match="palette that it does not have"):
        load_image(path)


def over_white(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    share = alpha[..., None] / 255
    return colour * share + 255 * (1 - share)


@pytest.mark.parametrize("file", ["a.png", "a.tif", "a.webp"])
def test_transparency_shows_white(tmp_path, file):
    colour, alpha = noise_image(16, 16), GREY
    Image.fromarray(np.dstack([colour, alpha])).save(tmp_path / file, lossless=True, exact=True)
    image = load_image(tmp_path / file)
    assert np.abs(image - over_white(colour, alpha)).max() <= 1
    np.testing.assert_array_equal(image[alpha == 0], 255)
    np.testing.assert_array_equal(image[alpha == 255], colour[alpha == 255])


@pytest.mark.parametrize("file", ["a.png", "a.tif"])
def test_grey_with_transparency(tmp_path, file):
    grey = noise_image(16, 16)[..., 0]
    Image.fromarray(np.dstack([grey, GREY]), "LA").save(tmp_path / file)
    assert np.abs(load_image(tmp_path / file) - over_white(np.dstack([grey] * 3), GREY)).max() <= 1


@pytest.mark.parametrize(("mode", "value"), [("La", (40, 102)), ("RGBa", (40, 40, 40, 102))])
def test_premultiplied_transparency(mode, value):
    """Level 100 at 40 % over white; only TIFF holds it, and Pillow does not write it."""
    stored = Image.frombytes(mode, (2, 2), bytes(value) * 4)
    assert np.abs(np.asarray(to_rgb(stored, "a.tif")).astype(int) - 193).max() <= 1


@pytest.mark.parametrize("file", ["a.png", "a.gif"])
def test_palette_with_one_transparent_colour(tmp_path, file):
    indexed = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8))
    indexed.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    indexed.save(tmp_path / file, transparency=1)
    expected = [[[10, 20, 30], [255] * 3], [[70, 80, 90], [255] * 3]]
    np.testing.assert_array_equal(load_image(tmp_path / file), expected)


def test_palette_with_half_transparent_colours(tmp_path):
    indexed = Image.fromarray(np.array([[0, 1, 2]], np.uint8))
    indexed.putpalette([0, 0, 0, 100, 0, 0, 0, 200, 0])
    indexed.save(tmp_path / "a.png", transparency=bytes([0, 51, 255]))
    image = load_image(tmp_path / "a.png").astype(int)
    assert np.abs(image - [[[255] * 3, [224, 204, 204], [0, 200, 0]]]).max() <= 1


@pytest.mark.parametrize(("mode", "key"), [("RGB", (9, 8, 7)), ("L", 9)])
def test_one_colour_that_means_transparent(tmp_path, mode, key):
    flat = Image.new(mode, (3, 2), (50, 60, 70) if mode == "RGB" else 50)
    flat.putpixel((1, 0), key)
    flat.save(tmp_path / "a.png", transparency=key)
    image = load_image(tmp_path / "a.png")
    np.testing.assert_array_equal(image[0, 1], [255, 255, 255])
    np.testing.assert_array_equal(image[1, 2], [50, 60, 70] if mode == "RGB" else [50] * 3)


@pytest.mark.parametrize(
    ("ink", "colour"),
    [((0, 0, 0, 0), (255, 255, 255)), ((255, 0, 0, 0), (0, 255, 255)), ((0, 0, 0, 255), (0, 0, 0))],
)
@pytest.mark.parametrize("file", ["a.jpg", "a.tif"])
def test_cmyk_is_not_inverted(tmp_path, file, ink, colour):
    """Pillow writes JPEG as Adobe does: inverted, with a marker that says so."""
    Image.new("CMYK", (16, 16), ink).save(tmp_path / file)
    if file == "a.jpg":
        assert b"Adobe" in (tmp_path / file).read_bytes()
    assert np.abs(load_image(tmp_path / file).astype(int) - colour).max() <= 3


@pytest.mark.parametrize("mode", ["YCbCr", "HSV", "RGBX"])
def test_other_colour_spaces(mode):
    expected = smooth(16, 16)
    stored = Image.fromarray(expected).convert(mode)
    assert np.abs(np.asarray(to_rgb(stored, "a.tif")).astype(int) - expected).max() <= 6


def test_lab(tmp_path):
    """L* 54.3, a* 80.8, b* 69.9 (D50) is the red of sRGB; Pillow holds a* and b* plus 128."""
    Image.new("LAB", (4, 4), (round(54.3 * 2.55), 128 + 81, 128 + 70)).save(tmp_path / "red.tif")
    assert np.abs(load_image(tmp_path / "red.tif").astype(int) - [255, 0, 0]).max() <= 12
    Image.new("LAB", (4, 4), (255, 128, 128)).save(tmp_path / "white.tif")
    assert load_image(tmp_path / "white.tif").min() >= 252


GREY_16 = np.array([[0, 128, 257, 1000], [32768, 50000, 65000, 65535]], np.uint16)
GREY_16_AS_8 = np.rint(GREY_16 / 257).astype(np.uint8)


@pytest.mark.parametrize("file", ["a.png", "a.tif", "a.pgm", "a.jp2"])
def test_16_bit_grey_keeps_its_shades(tmp_path, file):
    if file == "a.pgm":  # by hand: older versions of Pillow do not write it
        (tmp_path / file).write_bytes(b"P5 4 2 65535\n" + GREY_16.astype(">u2").tobytes())
    else:
        Image.fromarray(GREY_16).save(tmp_path / file)
    np.testing.assert_array_equal(load_image(tmp_path / file), np.stack([GREY_16_AS_8] * 3, -1))


def test_16_bit_grey_of_the_other_byte_order(tmp_path):
    big = Image.frombytes("I;16B", (4, 2), GREY_16.astype(">u2").tobytes())
    big.save(tmp_path / "a.tif")
    np.testing.assert_array_equal(load_image(tmp_path / "a.tif"), np.stack([GREY_16_AS_8] * 3, -1))


@pytest.mark.parametrize(("colour", "channels"), [(2, 3), (6, 4), (4, 2)])
def test_16_bit_colour_and_alpha(tmp_path, colour, channels):
    values = np.full((3, 5, channels), 0xC040, ">u2")
    if channels != 3:
        values[..., -1] = 0xFFFF
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    (tmp_path / "a.png").write_bytes(png(5, 3, 16, colour, rows))
    assert np.abs(load_image(tmp_path / "a.png").astype(int) - 0xC0).max() <= 1


@pytest.mark.parametrize(("mode", "what"), [("I", "32-bit integers"), ("F", "floats")])
def test_numbers_without_an_agreed_white_are_refused(tmp_path, mode, what):
    Image.new(mode, (4, 4), 1).save(tmp_path / "a.tif")
    message = refusal(tmp_path / "a.tif")
    assert what in message
    assert "0..255" in message


# --- colour profiles --------------------------------------------------------------------------------------------------


def profile(space: bytes = b"RGB ", swapped: bool = False) -> bytes:
    """A small matrix profile with a linear response; ``swapped`` exchanges red and green."""

    def xyz(*values: float) -> bytes:
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))

    red, green, blue = xyz(0.4361, 0.2225, 0.0139), xyz(0.3851, 0.7169, 0.0971), xyz(0.1431, 0.0606, 0.7141)
    name = b"test\0"
    curve = b"curv\0\0\0\0" + struct.pack(">I", 0)
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + bytes(78),
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": xyz(0.9642, 1, 0.8249),
        b"rXYZ": green if swapped else red,
        b"gXYZ": red if swapped else green,
        b"bXYZ": blue,
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC", b"kTRC"), curve),
    }
    table, body, start = b"", b"", 128 + 4 + 12 * len(tags)
    for tag, content in tags.items():
        table += tag + struct.pack(">II", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    size = start + len(body)
    header = struct.pack(">I4sI4s4s4s12x4s", size, b"lcms", 0x02100000, b"mntr", space, b"XYZ ", b"acsp")
    header += bytes(68 - len(header)) + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


@pytest.mark.parametrize("file", ["a.png", "a.jpg", "a.tif", "a.webp"])
def test_an_embedded_profile_is_applied(tmp_path, file):
    red = Image.new("RGB", (16, 16), (255, 0, 0))
    red.save(tmp_path / file, icc_profile=profile(swapped=True), quality=95, lossless=True)
    assert np.abs(load_image(tmp_path / file).astype(int) - [0, 255, 0]).max() <= 8


def test_a_profile_is_applied_below_transparency(tmp_path):
    Image.new("RGBA", (4, 4), (255, 0, 0, 255)).save(tmp_path / "a.png", icc_profile=profile(swapped=True))
    assert np.abs(load_image(tmp_path / "a.png").astype(int) - [0, 255, 0]).max() <= 3


def test_a_grey_profile_is_applied(tmp_path):
    """Linear light of one half is level 188 in sRGB."""
    Image.new("L", (4, 4), 128).save(tmp_path / "a.png", icc_profile=profile(b"GRAY"))
    assert np.abs(load_image(tmp_path / "a.png").astype(int) - 188).max() <= 2


def test_srgb_changes_nothing(tmp_path, monkeypatch):
    """Not even by rounding, and without the time that a conversion takes."""

    def convert(*_: object, **__: object) -> None:
        raise AssertionError("sRGB is being converted to sRGB")

    monkeypatch.setattr(ImageCms, "profileToProfile", convert)
    expected = noise_image(16, 16)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(expected).save(tmp_path / "a.png", icc_profile=srgb)
    np.testing.assert_array_equal(load_image(tmp_path / "a.png"), expected)


@pytest.mark.parametrize("broken", [b"nonsense", profile()[:200], profile(b"GRAY"), profile(b"CMYK")])
def test_a_profile_that_is_broken_or_does_not_fit_is_left_out(tmp_path, broken):
    expected = noise_image(16, 16)
    Image.fromarray(expected).save(tmp_path / "a.png", icc_profile=broken)
    np.testing.assert_array_equal(load_image(tmp_path / "a.png"), expected)


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
        (b"RIFF\0\1\0\0WAVEfmt " + bytes(200), "WAV recording"),
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


# --- shrinking --------------------------------------------------------------------------------------------------------


def test_a_small_image_is_not_touched():
    image = noise_image(10, 10)
    assert shrink(image, 100) is image


def test_shrinking_averages_areas():
    image = noise_image(40, 60)
    expected = image.reshape(20, 2, 30, 2, 3).mean(axis=(1, 3))
    small = shrink(image, 600)
    assert small.shape == (20, 30, 3)
    assert np.abs(small - expected).max() <= 1


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 2000))
def test_shrinking_keeps_limit_and_shape(height, width, limit):
    small = shrink(np.full((height, width, 3), 77, np.uint8), limit)
    h, w = small.shape[:2]
    assert 1 <= h <= height
    assert 1 <= w <= width
    assert h * w <= limit or h * w == height * width <= limit
    assert (small == 77).all()
    if min(h, w) > 1:
        scale = (h * w / (height * width)) ** 0.5
        assert abs(h - height * scale) <= max(1, height / width)
        assert abs(w - width * scale) <= max(1, width / height)


@pytest.mark.parametrize("size_hw", [(1, 5000), (5000, 1)])
def test_a_line_can_be_shrunk(size_hw):
    small = shrink(np.zeros((*size_hw, 3), np.uint8), 100)
    assert sorted(small.shape[:2]) == [1, 100]


@pytest.mark.parametrize(
    "image", [np.zeros((3, 3)), np.zeros((3, 3, 4), np.uint8), np.zeros((0, 3, 3), np.uint8), None]
)
def test_what_is_no_image_array(image):
    for use in (
        lambda: shrink(image, 1),
        lambda: letterbox(image, (4, 4)),
        lambda: crop_with_margin(image, (0, 0, 1, 1)),
        lambda: highlight(image, (0, 0, 1, 1)),
    ):
        with pytest.raises(ImageError, match="picture"):
            use()
    with pytest.raises(ImageError, match="max_pixels"):
        shrink(noise_image(3, 3), 0)


# --- maps -------------------------------------------------------------------------------------------------------------


def bilinear(values: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Half-pixel centres, border repeated, in float64."""
    for axis, new in enumerate(size_hw):
        old = values.shape[axis]
        place = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
        low = np.floor(place).astype(int)
        share = np.expand_dims(place - low, 1 - axis)
        high = np.minimum(low + 1, old - 1)
        values = np.take(values, low, axis) * (1 - share) + np.take(values, high, axis) * share
    return values


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 40), st.integers(0, 40))
def test_enlarging_is_bilinear(height, width, more, wider):
    values = np.random.default_rng(height).normal(0, 20, (height, width)).astype(np.float32)
    size_hw = (height + more, width + wider)
    enlarged = resize_map(values, size_hw)
    assert enlarged.shape == size_hw
    assert enlarged.dtype == np.float32
    np.testing.assert_allclose(enlarged, bilinear(values.astype(np.float64), size_hw), rtol=0, atol=1e-4)


def test_half_pixel_centres():
    np.testing.assert_allclose(resize_map(np.array([[0, 1]], np.float32), (1, 4)), [[0, 0.25, 0.75, 1]])


@pytest.mark.parametrize("size_hw", [(3, 5), (500, 301), (40, 40), (1, 1)])
def test_a_map_stays_within_its_range(size_hw):
    values = np.random.default_rng(1).normal(0, 1e3, (40, 40)).astype(np.float32)
    resized = resize_map(values, size_hw)
    assert values.min() <= resized.min()
    assert resized.max() <= values.max()
    assert (resize_map(np.full((7, 9), 0.1, np.float32), size_hw) == np.float32(0.1)).all()


def test_shrinking_a_map_skips_no_value():
    for place in range(64):
        values = np.zeros((1, 64), np.float32)
        values[0, place] = 64
        # In the mean each value has a weight of 1; at the border the filter is cut off and normalised.
        assert 4 < resize_map(values, (1, 8)).sum() < 12


def test_a_map_of_the_right_size_is_copied():
    values = np.random.default_rng(2).random((5, 6), np.float32)
    same = resize_map(values, (5, 6))
    np.testing.assert_array_equal(same, values)
    same[:] = 0
    assert values.any()


def test_a_map_may_be_a_view():
    values = np.random.default_rng(3).random((20, 30), np.float32)
    np.testing.assert_array_equal(resize_map(values.T[::2], (60, 40)), resize_map(values.T[::2].copy(), (60, 40)))


@pytest.mark.parametrize(
    ("shape", "size_hw"), [((3,), (2, 2)), ((0, 3), (2, 2)), ((2, 2, 2), (2, 2)), ((2, 2), (0, 2))]
)
def test_what_is_no_map(shape, size_hw):
    with pytest.raises(ImageError, match="map"):
        resize_map(np.zeros(shape, np.float32), size_hw)


# --- letterbox --------------------------------------------------------------------------------------------------------

SHAPES = [
    ((37, 101), (64, 64)),
    ((101, 37), (64, 80)),
    ((480, 640), (416, 416)),
    ((1, 50), (33, 20)),
    ((50, 50), (50, 50)),
]


@pytest.mark.parametrize(("image_hw", "canvas_hw"), SHAPES)
def test_a_letterbox_holds_the_whole_image_in_the_middle(image_hw, canvas_hw):
    fill = (255, 0, 255)
    canvas, back = letterbox(np.full((*image_hw, 3), 7, np.uint8), canvas_hw, fill)
    assert canvas.shape == (*canvas_hw, 3)
    content = (canvas == 7).all(axis=-1)
    rows, columns = np.flatnonzero(content.any(axis=1)), np.flatnonzero(content.any(axis=0))
    assert content.sum() == len(rows) * len(columns) == back.content_hw[0] * back.content_hw[1]
    assert (canvas[~content] == fill).all()
    assert len(rows) == canvas_hw[0] or len(columns) == canvas_hw[1]
    assert abs(rows[0] - (canvas_hw[0] - 1 - rows[-1])) <= 1
    assert abs(columns[0] - (canvas_hw[1] - 1 - columns[-1])) <= 1
    assert (back.top, back.left) == (rows[0], columns[0])


def test_a_image_that_fits_is_unchanged():
    image = noise_image(30, 40)
    canvas, back = letterbox(image, (30, 40))
    np.testing.assert_array_equal(canvas, image)
    canvas, back = letterbox(image, (50, 40))
    np.testing.assert_array_equal(canvas[10:40], image)
    np.testing.assert_array_equal(back.map_to_image(canvas[..., 1].astype(np.float32)), image[..., 1])


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 12_000), st.integers(1, 12_000), st.integers(16, 1400), st.integers(16, 1400), st.integers(0, 99))
def test_boxes_come_back(height, width, canvas_height, canvas_width, seed):
    _, back = letterbox(np.zeros((2, 2, 3), np.uint8), (4, 4))
    scale = min(canvas_height / height, canvas_width / width)
    content = (max(1, round(height * scale)), max(1, round(width * scale)))
    back = type(back)((height, width), content, (canvas_height, canvas_width), seed % 7, seed % 5)
    corners = np.random.default_rng(seed).uniform(0, 1, (20, 4)) * [width, height, width, height]
    np.testing.assert_allclose(back.boxes_to_image(back.boxes_from_image(corners)), corners, rtol=0, atol=1e-4)
    assert back.boxes_to_image(np.zeros((0, 4))).shape == (0, 4)


@pytest.mark.parametrize(("image_hw", "canvas_hw"), SHAPES)
def test_the_whole_image_is_the_whole_content(image_hw, canvas_hw):
    _, back = letterbox(np.zeros((*image_hw, 3), np.uint8), canvas_hw)
    height, width = image_hw
    (box,) = back.boxes_from_image([[0, 0, width, height]])
    np.testing.assert_allclose(
        box, [back.left, back.top, back.left + back.content_hw[1], back.top + back.content_hw[0]], atol=1e-9
    )


def test_a_box_lands_on_the_same_pixels():
    image = np.zeros((60, 200, 3), np.uint8)
    image[20:40, 50:100] = 255
    canvas, back = letterbox(image, (100, 100))
    (box,) = back.boxes_from_image([[50, 20, 100, 40]])
    bright = np.argwhere(canvas[..., 0] > 127)
    np.testing.assert_allclose(box, [*bright.min(axis=0)[::-1], *(bright.max(axis=0)[::-1] + 1)], atol=0.51)


@pytest.mark.parametrize(("image_hw", "canvas_hw"), SHAPES)
@pytest.mark.parametrize("map_hw", [None, (16, 16), (13, 29), (7, 5), (1, 1), (200, 300)])
def test_nothing_of_the_padding_enters_a_map(image_hw, canvas_hw, map_hw):
    """A map that is 1 wherever it touches content alone, and -1000 wherever it touches padding."""
    _, back = letterbox(np.zeros((*image_hw, 3), np.uint8), canvas_hw)
    height, width = map_hw or canvas_hw
    y0, x0 = np.arange(height) * canvas_hw[0] / height, np.arange(width) * canvas_hw[1] / width
    pure_y = (y0 >= back.top) & (y0 + canvas_hw[0] / height <= back.top + back.content_hw[0] + 1e-9)
    pure_x = (x0 >= back.left) & (x0 + canvas_hw[1] / width <= back.left + back.content_hw[1] + 1e-9)
    if not pure_y.any():
        pure_y[:] = True
    if not pure_x.any():
        pure_x[:] = True
    values = np.where(pure_y[:, None] & pure_x, 1, -1000).astype(np.float32)
    seen = back.map_to_image(values)
    assert seen.shape == image_hw
    assert seen.dtype == np.float32
    assert (seen == 1).all()


@pytest.mark.parametrize("map_hw", [(90, 120), (45, 60), (23, 31)])
@pytest.mark.parametrize("image_hw", [(200, 61), (61, 200), (300, 400)])
def test_a_map_comes_back_to_its_place(map_hw, image_hw):
    """A map that tells its own position, sampled at the centres of the map's pixels."""
    canvas_hw = (90, 120)
    _, back = letterbox(np.zeros((*image_hw, 3), np.uint8), canvas_hw)
    for axis in (0, 1):
        place = (np.arange(map_hw[axis]) + 0.5) * canvas_hw[axis] / map_hw[axis]
        values = np.broadcast_to(place[:, None] if axis == 0 else place, map_hw).astype(np.float32)
        seen = back.map_to_image(values)
        offset = (back.top, back.left)[axis]
        expected = (np.arange(image_hw[axis]) + 0.5) * back.content_hw[axis] / image_hw[axis] + offset
        got = seen[:, image_hw[1] // 2] if axis == 0 else seen[image_hw[0] // 2]
        # Where the content ends the outermost value is repeated: at most one and a half values of the map.
        step = canvas_hw[axis] / map_hw[axis]
        inner = (expected > offset + 1.5 * step) & (expected < offset + back.content_hw[axis] - 1.5 * step)
        assert inner.sum() > 5
        np.testing.assert_allclose(got[inner], expected[inner], atol=0.01 * step)
        np.testing.assert_allclose(got, expected, atol=1.5 * step)


def test_letterbox_refuses():
    with pytest.raises(ImageError, match="side"):
        letterbox(noise_image(3, 3), (0, 3))
    _, back = letterbox(noise_image(3, 5), (8, 8))
    with pytest.raises(ImageError, match="boxes"):
        back.boxes_to_image(np.zeros(4))
    with pytest.raises(ImageError, match="map"):
        back.map_to_image(np.zeros((2, 2, 2), np.float32))


# --- crop and highlight -----------------------------------------------------------------------------------------------


def test_crop_adds_a_margin_and_stays_in_the_image():
    image = noise_image(100, 200)
    np.testing.assert_array_equal(crop_with_margin(image, (50, 20, 100, 40)), image[18:42, 45:105])
    np.testing.assert_array_equal(crop_with_margin(image, (50.5, 20.2, 99.5, 39.8), 0), image[20:40, 50:100])
    np.testing.assert_array_equal(crop_with_margin(image, (-50, -20, 30, 10), 0), image[:10, :30])
    np.testing.assert_array_equal(crop_with_margin(image, (0, 0, 200, 100), 0.5), image)


@pytest.mark.parametrize(
    ("box", "pixel"),
    [
        ((5.2, 7.2, 5.2, 7.2), (7, 5)),
        ((5, 7, 5, 7), (7, 5)),
        ((500, 600, 700, 800), (9, 19)),
        ((-9, -9, -5, -5), (0, 0)),
        ((20, 10, 20, 10), (9, 19)),
    ],
)
def test_a_crop_has_at_least_one_pixel(box, pixel):
    image = noise_image(10, 20)
    np.testing.assert_array_equal(crop_with_margin(image, box, 0), image[pixel][None, None])


def test_a_crop_does_not_hold_on_to_the_image():
    image = noise_image(10, 10)
    crop = crop_with_margin(image, (1, 1, 5, 5))
    assert crop.flags.owndata
    assert crop.flags.c_contiguous


@pytest.mark.parametrize("box", [(0, 0, 1), (3, 0, 1, 1), (0, 3, 1, 1), (0, 0, np.nan, 1), (0, 0, np.inf, 1)])
def test_what_is_no_box(box):
    for use in (crop_with_margin, highlight):
        with pytest.raises(ImageError, match="box"):
            use(noise_image(5, 5), box)


def test_a_negative_margin_is_refused():
    with pytest.raises(ImageError, match="margin"):
        crop_with_margin(noise_image(5, 5), (0, 0, 1, 1), -0.1)


def test_highlight_keeps_the_region_and_blurs_the_rest():
    image = noise_image(120, 160)
    seen = highlight(image, (40.2, 30.7, 80, 60))
    np.testing.assert_array_equal(seen[30:60, 40:80], image[30:60, 40:80])
    outside = np.ones((120, 160), bool)
    outside[30:60, 40:80] = False
    assert seen[outside].std() < 0.1 * image[outside].std()
    assert abs(seen[outside].mean() - image[outside].mean()) < 2


def test_highlight_leaves_no_halo():
    """A bright object on a dark ground: around it the blur is brighter than the ground, not darker."""
    image = np.full((90, 90, 3), 100, np.uint8)
    image[30:60, 30:60] = 250
    seen = highlight(image, (30, 30, 60, 60))
    ring = seen[28, 30:60]
    assert ring.min() > 110
    flat = highlight(np.full((90, 90, 3), 100, np.uint8), (30, 30, 60, 60))
    assert (flat == 100).all()


def test_highlight_by_mask():
    image = noise_image(60, 80)
    box = (10, 20, 30, 50)
    mask = np.zeros((60, 80), bool)
    mask[20:50, 10:30] = True
    by_box = highlight(image, box)
    np.testing.assert_array_equal(highlight(image, mask=mask), by_box)
    np.testing.assert_array_equal(highlight(image, mask=mask.astype(np.float32)), by_box)
    np.testing.assert_array_equal(highlight(image, mask=np.ones((60, 80), bool)), image)
    blurred = highlight(image, mask=np.zeros((60, 80), bool))
    half = highlight(image, mask=np.full((60, 80), 0.5, np.float32))
    assert np.abs(half - (image / 2 + blurred / 2)).max() <= 1.5


def test_highlight_blurs_as_much_as_told():
    image = np.zeros((201, 201, 3), np.uint8)
    image[:, 100:] = 255
    corner = (0, 0, 1, 1)
    np.testing.assert_array_equal(highlight(image, corner, sigma=0), image)
    for sigma in (3.0, 10.0):
        edge = highlight(image, corner, sigma=sigma)[100, :, 0] / 255
        # One sigma beside the edge a Gaussian blur is at 0.841.
        assert edge[100 + round(sigma)] == pytest.approx(0.841, abs=0.05)
    default = highlight(np.asarray(Image.fromarray(image).resize((224, 224))), corner)[112, :, 0] / 255
    assert default[112 + 11] == pytest.approx(0.841, abs=0.05)


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 50), (2, 2)])
def test_highlight_of_tiny_images(size_hw):
    image = noise_image(*size_hw)
    seen = highlight(image, (0, 0, 1, 1))
    assert seen.shape == image.shape
    np.testing.assert_array_equal(seen[0, 0], image[0, 0])


def test_highlight_does_not_change_what_it_is_given():
    image = noise_image(20, 20)
    before = image.copy()
    highlight(image, (0, 0, 5, 5))[:] = 0
    image.flags.writeable = False
    highlight(image, (0, 0, 5, 5))
    np.testing.assert_array_equal(image, before)


def test_highlight_refuses():
    image = noise_image(5, 5)
    with pytest.raises(ImageError, match="box or a mask"):
        highlight(image)
    with pytest.raises(ImageError, match="box or a mask"):
        highlight(image, (0, 0, 1, 1), mask=np.zeros((5, 5), bool))
    for mask in (np.zeros((4, 5), bool), np.full((5, 5), 2.0), np.full((5, 5), np.nan)):
        with pytest.raises(ImageError, match="mask"):
            highlight(image, mask=mask)
    with pytest.raises(ImageError, match="sigma"):
        highlight(image, (0, 0, 1, 1), sigma=-1)

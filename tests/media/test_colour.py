"""Colour: palettes, transparency, CMYK, 16 bits and profiles to the RGB that people see."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from image_files import noise_image, png, refusal, smooth
from PIL import Image, ImageCms

from zsavs.errors import ImageError
from zsavs.media.colour import to_rgb
from zsavs.media.image_file import load_image

# --- modes ------------------------------------------------------------------------------------------------------------

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

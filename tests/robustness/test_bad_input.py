"""Odd and broken files through the front door: a right answer, or one line that names the file and the remedy."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from PIL import Image

from zsavs.cli.main import main
from zsavs.testing import toy

SAMPLE, _ = toy.scene(("red", "blue"), ("blue",))
IMAGE = Image.fromarray(SAMPLE.image)
WAVE: NDArray[np.float32] = SAMPLE.audio.waveform[0]


def _exif_rotated(path: Path) -> None:
    exif = Image.Exif()
    exif[0x112] = 6
    IMAGE.rotate(90, expand=True).save(path, exif=exif, quality=95)


def _sixteen_bit(path: Path) -> None:
    Image.fromarray(SAMPLE.image[..., 0].astype(np.uint16) * 257).save(path)


def _animated(path: Path) -> None:
    IMAGE.save(path, save_all=True, append_images=[Image.new("RGB", IMAGE.size, "black")], duration=100, loop=0)


def _half(path: Path, write: Callable[[Path], object]) -> None:
    write(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _wave(rate: int = 16_000, channels: int = 1, **options: object) -> Callable[[Path], None]:
    """A writer of the scene's hum at another rate or with more channels."""
    hum = toy.tone("blue", sample_rate_hz=rate).waveform[0]
    return lambda path: soundfile.write(path, np.repeat(hum[:, None], channels, axis=1), rate, **options)


def _samples(values: NDArray[np.floating], rate: int = 16_000) -> Callable[[Path], None]:
    return lambda path: soundfile.write(path, values.astype(np.float32), rate, subtype="FLOAT")


#: Name, how it is written, and the phrases found: None where the answer is an error.
IMAGES: list[tuple[str, Callable[[Path], object], list[str] | None]] = [
    ("plain.png", lambda p: IMAGE.save(p), ["blue thing"]),
    ("cmyk.jpg", lambda p: IMAGE.convert("CMYK").save(p, quality=95), ["blue thing"]),
    ("palette.png", lambda p: IMAGE.convert("P").save(p), ["blue thing"]),
    ("alpha.png", lambda p: IMAGE.convert("RGBA").save(p), ["blue thing"]),
    ("rotated.jpg", _exif_rotated, ["blue thing"]),
    ("animated.gif", _animated, ["blue thing"]),
    ("grey.png", lambda p: IMAGE.convert("L").save(p), []),
    ("sixteen.png", _sixteen_bit, []),
    ("one.png", lambda p: Image.new("RGB", (1, 1)).save(p), []),
    ("line.png", lambda p: Image.new("RGB", (1, 5000)).save(p), []),
    ("text.jpg", lambda p: p.write_text("hello"), None),
    ("empty.png", lambda p: p.touch(), None),
    ("folder.png", lambda p: p.mkdir(), None),
    ("missing.png", lambda p: None, None),
    ("cut.png", lambda p: _half(p, IMAGE.save), None),
    ("cut.jpg", lambda p: _half(p, IMAGE.save), None),
    ("huge.png", lambda p: Image.new("1", (20_000, 10_000)).save(p), None),
]
SOUNDS: list[tuple[str, Callable[[Path], object], list[str] | None]] = [
    ("plain.wav", _wave(), ["blue thing"]),
    ("plain.flac", _wave(), ["blue thing"]),
    ("plain.ogg", _wave(), ["blue thing"]),
    ("plain.mp3", _wave(), ["blue thing"]),
    ("8k.wav", _wave(8_000), ["blue thing"]),
    ("192k.wav", _wave(192_000), ["blue thing"]),
    ("eight.wav", _wave(channels=8), ["blue thing"]),
    ("24_bit.wav", _wave(subtype="PCM_24"), ["blue thing"]),
    ("float.wav", _wave(subtype="FLOAT"), ["blue thing"]),
    ("10_ms.wav", _samples(WAVE[:160]), ["blue thing"]),
    ("clipped.wav", _samples(np.clip(WAVE * 20, -1, 1)), ["blue thing"]),
    ("offset.wav", _samples(WAVE * 0.5 + 0.4), ["blue thing"]),
    ("10_minutes.flac", lambda p: soundfile.write(p, np.tile(WAVE, 300), 16_000), ["blue thing"]),
    ("cut.wav", lambda p: _half(p, _wave()), ["blue thing"]),
    ("silence.wav", _samples(np.zeros(16_000)), []),
    ("noise.wav", _samples(np.random.default_rng(0).normal(0, 0.1, 32_000)), []),
    ("no_samples.wav", _samples(np.zeros(0)), None),
    ("nan.wav", _samples(np.full(1_600, np.nan)), None),
    ("infinite.wav", _samples(np.full(1_600, np.inf)), None),
    ("text.wav", lambda p: p.write_text("hello"), None),
    ("empty.wav", lambda p: p.touch(), None),
    ("folder.wav", lambda p: p.mkdir(), None),
    ("missing.wav", lambda p: None, None),
]


def _run(
    image: Path, recording: Path, found: list[str] | None, culprit: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = image.parent / "out"
    code = main(["segment", str(image), str(recording), "--preset", "toy", "--out", str(out), "--json"])
    said = capsys.readouterr()
    if found is None:
        assert code == 1
        assert said.err.startswith("zsavs: error: ")
        assert said.err.count("\n") == 1
        assert str(culprit) in said.err
        assert not out.exists()
    else:
        assert code == 0, said.err
        assert [row["phrase"] for row in json.loads(said.out)["objects"]] == found


@pytest.mark.parametrize(("name", "write", "found"), IMAGES, ids=[name for name, *_ in IMAGES])
def test_image(
    name: str,
    write: Callable[[Path], object],
    found: list[str] | None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    image, recording = tmp_path / name, tmp_path / "sound.wav"
    write(image)
    _wave()(recording)
    _run(image, recording, found, image, capsys)


@pytest.mark.parametrize(("name", "write", "found"), SOUNDS, ids=[name for name, *_ in SOUNDS])
def test_sound(
    name: str,
    write: Callable[[Path], object],
    found: list[str] | None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    image, recording = tmp_path / "scene.png", tmp_path / name
    IMAGE.save(image)
    write(recording)
    _run(image, recording, found, recording, capsys)


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["blue", "", "  ", "Blue", "blue", "# a comment"], ["blue"]),
        ([f"word {number}" for number in range(5_000)] + ["blue"], ["blue"]),
        (["собака", "犬", "كلب", "blue"], ["blue"]),
        (["", "   "], None),
        ([], None),
    ],
    ids=["repeated", "5000", "scripts", "blank", "empty"],
)
def test_vocabulary(
    lines: list[str], found: list[str] | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image, recording, words = tmp_path / "scene.png", tmp_path / "sound.wav", tmp_path / "words.txt"
    IMAGE.save(image)
    _wave()(recording)
    words.write_text("\n".join(lines), encoding="utf-8")
    arguments = ["segment", str(image), str(recording), "--preset", "toy", "--strategy", "audio_to_text", "--json"]
    code = main([*arguments, "--vocabulary", str(words), "--out", str(tmp_path / "out")])
    said = capsys.readouterr()
    if found is None:
        assert code == 1
        assert str(words) in said.err
        assert said.err.count("\n") == 1
    else:
        assert [row["phrase"] for row in json.loads(said.out)["objects"]] == found

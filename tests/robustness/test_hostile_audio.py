"""Audio files that mean harm, or look as if they did: refused in a line, within bounds of time and memory."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from limits import bounded

from zsavs.errors import (
    AudioError,
)
from zsavs.media.audio_file import load_audio


@pytest.mark.parametrize("head", [b"", b"ID3\x04\0\0\0\0\0\0", b"fLaC\0\0\0\x22", b"OggS", b"FORM\x7f\xff\xff\xffAIFF"])
def test_two_sparse_gigabytes_are_no_recording(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "zeros.wav"
    with path.open("wb") as file:
        file.write(head)
        file.truncate(2**31)
    done = bounded(
        "try:\n    load_audio(sys.argv[1])\nexcept AudioError as error:\n    print('refused', error)\n",
        path,
        imports="import sys, soundfile\nfrom zsavs.errors import AudioError\n"
        "from zsavs.media.audio_file import load_audio\n",
        mebibytes=128,
    )
    assert done.stdout.startswith(f"refused {path}: "), done.stderr[-500:]


# ----------------------------------------------------------------------------------- recordings
def wav(
    data: bytes, *, channels: int = 1, rate: int = 16_000, align: int | None = None, bits: int = 16, tag: int = 1
) -> bytes:
    """A WAV file with the numbers that we like in its header."""
    align = channels * bits // 8 % 65_536 if align is None else align
    layout = struct.pack("<HHIIHH", tag, channels, rate, rate * align & 0xFFFFFFFF, align, bits)
    chunks = b"fmt " + struct.pack("<I", 16) + layout + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks


SAMPLES = (np.sin(np.arange(1600) / 9) * 9_000).astype("<i2").tobytes()


@pytest.mark.parametrize(
    "header",
    [
        {"align": 0},
        {"align": 3},
        {"align": 65_535},
        {"bits": 0},
        {"bits": 7},
        {"bits": 65_535},
        {"channels": 0},
        {"channels": 65_535},
        {"tag": 0},
        {"tag": 0xFFFE},
        {"tag": 0x11},
        {"rate": 0},
        {"rate": 2**32 - 1},
    ],
    ids=str,
)
def test_a_header_with_impossible_numbers(tmp_path: Path, header: dict[str, int]) -> None:
    """What can be made sense of is heard as finite samples, and no more of them than the file has bytes."""
    path = tmp_path / "odd.wav"
    path.write_bytes(wav(SAMPLES, **header))
    try:
        clip = load_audio(path)
    except AudioError as error:
        assert str(error).startswith(f"{path}: ")  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert clip.waveform.size <= len(SAMPLES)


def test_an_rf64_is_read_and_its_lies_are_not_believed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "long.rf64"
    wave = np.frombuffer(SAMPLES, "<i2")
    soundfile.write(path, wave, 16_000, format="RF64", subtype="PCM_16")
    assert np.array_equal(load_audio(path).waveform[0] * 32768, wave)
    whole = path.read_bytes()
    place = whole.index(b"ds64") + 8
    for size in (0, 1, 2**40, 2**63 - 1, 2**64 - 1):
        # The sizes of the file and of its data, and the number of samples.
        path.write_bytes(whole[:place] + struct.pack("<QQQ", size, size, size) + whole[place + 24 :])
        try:
            assert load_audio(path).waveform.shape[1] <= len(wave)
        except AudioError as error:
            assert str(error).startswith(f"{path}: ")  # noqa: PT017


def test_a_damaged_recording_prints_no_traceback(tmp_path: Path) -> None:
    """Headers that point before the start of the file: soundfile's callback would print its own exception."""
    path = tmp_path / "back.aiff"
    soundfile.write(path, np.frombuffer(SAMPLES, "<i2"), 16_000, format="AIFF", subtype="PCM_16")
    whole = path.read_bytes()
    for place in range(12, len(whole) - len(SAMPLES)):
        for number in (0x7FFFFFFF, 0x80000000, 0xFFFFFFFF):
            (tmp_path / f"{place}-{number}").write_bytes(whole[:place] + struct.pack(">I", number) + whole[place + 4 :])
    path.unlink()
    done = bounded(
        "for path in pathlib.Path(sys.argv[1]).iterdir():\n"
        "    try:\n        load_audio(path)\n    except AudioError:\n        pass\n",
        tmp_path,
        imports="import pathlib, sys, soundfile\n"
        "from zsavs.errors import AudioError; from zsavs.media.audio_file import load_audio\n",
    )
    assert done.returncode == 0, done.stderr[-500:]
    assert "Traceback" not in done.stderr

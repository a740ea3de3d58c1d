"""Long audio files: whole, in bounded memory, in a temporary file; as one channel; in excerpts for those who ask."""

from __future__ import annotations

import errno
import io
import math
import mmap
import os
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from audio_files import numbered, said, sparse_wav
from limits import bounded
from waveforms import RATE, noise

import zsavs.media.collector
from zsavs.errors import AudioError, OutputError
from zsavs.media.audio_clip import AudioClip
from zsavs.media.audio_file import load_audio
from zsavs.media.mapped import release


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits a thousandth as high: in memory 16 k samples, channels apart 131 k, and whole a million."""
    for name in ("IN_MEMORY", "MAX_VALUES", "MAX_FRAMES"):
        monkeypatch.setattr(zsavs.media.collector, name, getattr(zsavs.media.collector, name) // 2**10)


def is_mapped(clip: AudioClip) -> bool:
    base = clip.waveform
    while isinstance(base, np.ndarray):
        base = base.base
    return isinstance(base.obj if isinstance(base, memoryview) else base, mmap.mmap)


# ------------------------------------------------------------------------------------------------------------- whole
@pytest.mark.parametrize("file", ["long.wav", "long.flac"])
def test_a_long_recording_is_heard_whole(tmp_path: Path, caplog: pytest.LogCaptureFixture, file: str) -> None:
    wave = numbered(tmp_path / file, 600_123, 1000)
    clip = load_audio(tmp_path / file)
    np.testing.assert_array_equal(clip.waveform, wave[None])
    assert not said(caplog)


@pytest.mark.parametrize("file", ["long.wav", "long.flac"])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_what_is_mapped_is_what_would_be_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, channels: int
) -> None:
    soundfile.write(tmp_path / file, np.stack([noise(20_001, seed) for seed in range(channels)], axis=1), RATE)
    held = load_audio(tmp_path / file)
    monkeypatch.setattr(zsavs.media.collector, "IN_MEMORY", 20_000)
    clip = load_audio(tmp_path / file)
    assert is_mapped(clip)
    assert not is_mapped(held)
    np.testing.assert_array_equal(clip.waveform, held.waveform)
    np.testing.assert_array_equal(clip.mono(), held.mono())
    assert type(clip.waveform) is np.ndarray
    assert not clip.waveform.flags.writeable
    release(clip.waveform)
    np.testing.assert_array_equal(clip.waveform, held.waveform)


def test_somebody_elses_mapping_keeps_what_was_written_into_it(tmp_path: Path) -> None:
    """Pages that were copied to be written on are nowhere else."""
    (tmp_path / "samples").write_bytes(bytes(400_000))
    wave = np.memmap(tmp_path / "samples", np.float32, "c")
    wave[:] = 0.5
    clip = AudioClip(wave[None], RATE)
    release(clip.waveform)
    assert (clip.waveform == 0.5).all()
    assert (wave == 0.5).all()


def test_the_temporary_file_has_no_name_and_goes_with_the_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: None
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    numbered(tmp_path / "a.wav", 50_000, 1000)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    clip = load_audio(tmp_path / "a.wav")
    assert is_mapped(clip)
    assert not list(folder.iterdir())
    del clip
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    """What Python and numpy hold while 150 MB of samples are read."""
    path = sparse_wav(tmp_path / "long.wav", 1200, 16_000, 2)
    load_audio(sparse_wav(tmp_path / "short.wav", 1, 44_100, 2))
    tracemalloc.start()
    try:
        clip = load_audio(path)
        assert clip.duration_s == 1200
        assert tracemalloc.get_traced_memory()[1] < 2e6
    finally:
        tracemalloc.stop()


def test_a_mapped_clip_stays_within_a_limit_of_memory(tmp_path: Path) -> None:
    """400 MB of samples are read, checked and windowed, and a tenth of them is ever resident."""
    path = sparse_wav(tmp_path / "long.wav", 12_500, 8000, 1)
    done = bounded(
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "clip = load_audio(sys.argv[1])\n"
        "count = sum(1 for _ in stream_windows(clip, 16_000, 5, 5))\n"
        "print(count, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)\n",
        path,
        imports="import resource, sys, soundfile, soxr\nfrom zsavs.media.audio_file import load_audio\n"
        "from zsavs.media.waveform import stream_windows\n",
        mebibytes=700,
    )
    count, mebibytes = map(int, done.stdout.split())
    assert count == 2500
    assert mebibytes < 60


# -------------------------------------------------------------------------------------------- one channel, excerpts
def test_more_than_fits_in_several_channels_is_downmixed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    wave = np.stack([noise(10_000, seed) for seed in range(3)])
    soundfile.write(tmp_path / "a.wav", wave.T, RATE, subtype="FLOAT")
    whole = load_audio(tmp_path / "a.wav")
    assert not said(caplog)
    monkeypatch.setattr(zsavs.media.collector, "MAX_VALUES", 20_000)
    averaged = load_audio(tmp_path / "a.wav")
    assert averaged.waveform.shape == (1, 10_000)
    np.testing.assert_allclose(averaged.mono(), whole.mono(), rtol=0, atol=1e-7)
    (message,) = said(caplog)
    assert "a.wav: 3 channels at 16000 Hz are downmixed to one" in message


def test_a_downmix_while_decoding_does_not_cancel_either(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, small: None
) -> None:
    wave = noise(100_000)
    soundfile.write(tmp_path / "a.wav", np.stack([-0.95 * wave, wave], axis=1), RATE, subtype="FLOAT")
    np.testing.assert_array_equal(load_audio(tmp_path / "a.wav").waveform[0], wave)
    assert [line for line in said(caplog) if "cancel" in line] == [
        f"{tmp_path}/a.wav: the channels are opposite in sign and cancel in their mean; channel 2 of 2 is heard alone."
    ]


def test_many_channels_at_a_high_rate_are_downmixed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clip = load_audio(sparse_wav(tmp_path / "array.wav", 12, 192_000, 64))
    assert clip.waveform.shape == (1, 12 * 192_000)
    assert any("array.wav" in line and "64 channels" in line for line in said(caplog))


def test_more_channels_than_a_clip_takes_are_averaged(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.tile(np.linspace(0, 0.5, 300), (20, 1)), RATE)
    clip = load_audio(tmp_path / "a.wav")
    assert clip.waveform.shape == (1, 20)
    np.testing.assert_allclose(clip.waveform, 0.25, atol=1e-4)


def test_of_more_than_may_lie_on_the_disk_excerpts_are_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, small: None
) -> None:
    """2^20 samples: 104 excerpts of ten seconds."""
    wave = numbered(tmp_path / "a.wav", 2**20 + 1000, 1000)
    clip = load_audio(tmp_path / "a.wav")
    assert clip.duration_s == 1040
    assert clip.waveform[0, -1] == wave[-1]
    (message,) = said(caplog)
    assert "1049.6 s long; reading 104 evenly spaced excerpts, 1040.0 s in all" in message


@pytest.mark.parametrize("file", ["long.wav", "long.flac"])
def test_the_fast_mode_hears_evenly_spaced_excerpts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, file: str
) -> None:
    rate, frames = 1000, 600_123
    wave = numbered(tmp_path / file, frames, rate)
    clip = load_audio(tmp_path / file, max_duration_s=60)
    assert clip.waveform.shape == (1, 60 * rate)
    pieces = clip.waveform[0].reshape(6, 10 * rate)
    starts = np.rint(pieces[:, 0] * 2**23).astype(int)
    assert starts[0] == 0
    assert pieces[-1, -1] == wave[-1]
    assert np.ptp(np.diff(starts)) <= 1
    for piece, start in zip(pieces, starts, strict=True):
        np.testing.assert_array_equal(piece, wave[start : start + 10 * rate])
    (message,) = said(caplog)
    assert f"{file}: 600.1 s long; reading 6 evenly spaced excerpts, 60.0 s in all (max_duration_s=60)." in message


def test_a_recording_of_just_the_limit_is_heard_whole(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    wave = numbered(tmp_path / "a.wav", 60_000, 1000)
    np.testing.assert_array_equal(load_audio(tmp_path / "a.wav", max_duration_s=60).waveform[0], wave)
    assert not said(caplog)
    wave = numbered(tmp_path / "b.wav", 60_001, 1000)
    clip = load_audio(tmp_path / "b.wav", max_duration_s=60)
    assert clip.waveform.shape[1] == 60_000
    assert clip.waveform[0, -1] == wave[-1]
    assert len(said(caplog)) == 1


@pytest.mark.parametrize(("limit", "heard"), [(5, 5), (10, 10), (19, 10), (25, 20), (99.9, 90), (100, 100)])
def test_the_limit_can_be_chosen(tmp_path: Path, caplog: pytest.LogCaptureFixture, limit: float, heard: float) -> None:
    """Also below a minute it is said what is heard."""
    wave = numbered(tmp_path / "a.wav", 100_000, 1000)
    clip = load_audio(tmp_path / "a.wav", max_duration_s=limit)
    assert clip.duration_s == heard
    assert clip.waveform[0, 0] == 0
    if heard >= 20:
        assert clip.waveform[0, -1] == wave[-1]
    assert len(said(caplog)) == (heard < 100)


@pytest.mark.parametrize("limit", [0, -1, math.nan])
def test_a_limit_that_is_none_is_refused(tmp_path: Path, limit: float) -> None:
    soundfile.write(tmp_path / "a.wav", noise(10), RATE)
    with pytest.raises(AudioError, match="max_duration_s"):
        load_audio(tmp_path / "a.wav", max_duration_s=limit)


# ---------------------------------------------------------------------------------------------- broken off, no room
@pytest.mark.parametrize("channels", [1, 2])
def test_a_long_recording_that_breaks_off_is_used_up_to_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, small: None, channels: int
) -> None:
    path = tmp_path / "a.flac"
    wave = np.round(np.stack([noise(60_000, seed) for seed in range(channels)]) * 2**15).astype(np.float32) / 2**15
    soundfile.write(path, wave.T, RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    clip = load_audio(path)
    found = clip.waveform.shape[1]
    assert 20_000 < found < 31_000
    np.testing.assert_array_equal(clip.waveform, wave[:, :found])
    (message,) = said(caplog)
    assert "can be decoded" in message


def test_excerpts_of_a_truncated_recording_end_where_it_breaks_off(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.flac"
    rate, frames = 4000, 800_000
    wave = np.round(noise(frames) * 2**15).astype(np.float32) / 2**15
    soundfile.write(path, wave, rate)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    clip = load_audio(path, max_duration_s=60)
    assert clip.duration_s == 60
    last = clip.waveform[0, -1000:]
    (end,) = [i for i in range(350_000, 400_001) if wave[i - 1] == last[-1] and (wave[i - 1000 : i] == last).all()]
    assert end > frames // 2 - 10_000
    assert "can be decoded" in said(caplog)[0]
    assert "evenly spaced" in said(caplog)[1]


def test_a_full_disk_is_said_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: None) -> None:
    soundfile.write(tmp_path / "a.wav", np.stack([noise(50_000)] * 2, axis=1), RATE)

    class Full(io.FileIO):
        def write(self, data: object, /) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: Full(tmp_path / "waveform", "w+"))
    with pytest.raises(OutputError, match=r"a\.wav: its waveform takes 0 MB in .*No space left.*set TMPDIR") as error:
        load_audio(tmp_path / "a.wav")
    assert "\n" not in str(error.value)


def test_a_write_in_parts_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: None) -> None:
    wave = numbered(tmp_path / "a.wav", 50_000, 1000)
    written: list[int] = []

    class InParts(io.FileIO):
        def write(self, data: Any, /) -> int:
            written.append(super().write(data[:1001]))
            return written[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: InParts(tmp_path / "waveform", "w+"))
    np.testing.assert_array_equal(load_audio(tmp_path / "a.wav").waveform[0], wave)
    assert max(written) == 1001


def test_no_folder_for_temporary_files_is_said_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: None
) -> None:
    numbered(tmp_path / "a.wav", 50_000, 1000)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(OutputError, match=r"a\.wav: .*nowhere.*set TMPDIR to a folder"):
        load_audio(tmp_path / "a.wav")

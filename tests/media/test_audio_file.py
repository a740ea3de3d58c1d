"""Audio files: every format, absurd sizes, broken files."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from audio_files import said, wav_header
from waveforms import RATE, noise, tone

from zsavs.errors import AudioError, BrokenInstallation
from zsavs.media.audio_file import load_audio
from zsavs.media.waveform import resample

# --- decoding ---------------------------------------------------------------------------------------------------------

LOSSLESS = [
    ("a.wav", "PCM_U8", None, 2**-7),
    ("a.wav", "PCM_16", None, 2**-15),
    ("a.wav", "PCM_24", None, 2**-23),
    ("a.wav", "PCM_32", None, 2**-23),
    ("a.wav", "FLOAT", None, 0.0),
    ("a.wav", "DOUBLE", None, 0.0),
    ("a.wav", "PCM_16", "RF64", 2**-15),
    ("a.wav", "PCM_24", "WAVEX", 2**-23),
    ("a.flac", "PCM_S8", None, 2**-7),
    ("a.flac", "PCM_16", None, 2**-15),
    ("a.flac", "PCM_24", None, 2**-23),
    ("a.aiff", "PCM_16", None, 2**-15),
]


@pytest.mark.parametrize(("file", "subtype", "container", "step"), LOSSLESS)
def test_lossless_formats_come_back_as_written(tmp_path, file, subtype, container, step):
    wave = np.stack([noise(3000, 1), noise(3000, 2)])
    path = tmp_path / file
    soundfile.write(path, wave.T, RATE, subtype=subtype, format=container)
    clip = load_audio(path)
    assert clip.sample_rate_hz == RATE
    assert clip.source == str(path)
    assert clip.waveform.dtype == np.float32
    assert clip.waveform.shape == (2, 3000)
    np.testing.assert_allclose(clip.waveform, wave, rtol=0, atol=step)


@pytest.mark.parametrize(
    ("file", "arguments"),
    [
        ("a.mp3", {"format": "MP3"}),
        ("a.ogg", {"format": "OGG", "subtype": "VORBIS"}),
        ("a.opus", {"format": "OGG", "subtype": "OPUS"}),
    ],
)
def test_lossy_formats_sound_the_same(tmp_path, file, arguments):
    wave = np.stack([tone(2, 48_000, 440), tone(2, 48_000, 1000)])
    soundfile.write(tmp_path / file, wave.T, 48_000, **arguments)
    clip = load_audio(tmp_path / file)
    assert clip.sample_rate_hz == 48_000
    assert clip.waveform.shape == wave.shape
    middle = slice(10_000, -10_000)
    assert np.abs(clip.waveform - wave)[:, middle].max() < 0.05


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 96_000, 192_000])
@pytest.mark.parametrize("channels", [1, 2, 6, 8, 16])
def test_rates_and_channels_are_kept(tmp_path, rate, channels):
    levels = np.arange(channels, dtype=np.float32) / 32
    soundfile.write(tmp_path / "a.wav", np.tile(levels, (50, 1)), rate, subtype="FLOAT")
    clip = load_audio(tmp_path / "a.wav")
    assert clip.sample_rate_hz == rate
    np.testing.assert_array_equal(clip.waveform, np.tile(levels[:, None], (1, 50)))


def test_mono_and_dual_mono_are_heard_alike(tmp_path):
    soundfile.write(tmp_path / "one.wav", noise(5000), RATE)
    soundfile.write(tmp_path / "two.wav", np.stack([noise(5000)] * 2, axis=1), RATE)
    one, two = load_audio(tmp_path / "one.wav"), load_audio(tmp_path / "two.wav")
    np.testing.assert_array_equal(one.mono(), two.mono())


def test_louder_than_full_scale_is_kept(tmp_path):
    soundfile.write(tmp_path / "loud.wav", np.full(10, 1.5, np.float32), RATE, subtype="FLOAT")
    assert load_audio(tmp_path / "loud.wav").waveform.max() == 1.5


def test_a_single_sample_is_a_recording(tmp_path):
    soundfile.write(tmp_path / "one.wav", np.array([0.25]), RATE)
    np.testing.assert_array_equal(load_audio(tmp_path / "one.wav").waveform, [[0.25]])


@pytest.mark.parametrize("name", ["a.raw", "a", "a.txt", "ä ö.WAV", "-a.wav", "line\nbreak.wav"])
def test_the_name_does_not_matter(tmp_path, name):
    soundfile.write(tmp_path / "a.wav", noise(100), RATE)
    shutil.copy(tmp_path / "a.wav", tmp_path / "copy")
    (tmp_path / "copy").rename(tmp_path / name)
    clip = load_audio(str(tmp_path / name))
    assert clip.waveform.shape == (1, 100)
    assert clip.source == str(tmp_path / name)


@pytest.mark.parametrize("file", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
@pytest.mark.parametrize("seconds", [1, 75])
def test_the_same_file_gives_the_same_bits(tmp_path, file, seconds):
    soundfile.write(tmp_path / file, noise(seconds * 8000), 8000)
    first, second = load_audio(tmp_path / file), load_audio(tmp_path / file)
    assert first.waveform.tobytes() == second.waveform.tobytes()


def test_block_by_block_decoding_of_mp3_loses_nothing(tmp_path):
    """Seeking between blocks would restart the decoder and make clicks."""
    soundfile.write(tmp_path / "a.mp3", noise(20 * 44_100), 44_100)
    at_once, _ = soundfile.read(tmp_path / "a.mp3", dtype="float32")
    np.testing.assert_array_equal(load_audio(tmp_path / "a.mp3").waveform[0], at_once)


# --- files that break off, headers that lie ---------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["a.wav", "a.flac", "a.ogg", "a.opus", "a.mp3", "a.rf64", "a.aiff"])
def test_what_is_there_of_a_truncated_file_is_used(tmp_path, caplog, file):
    path = tmp_path / file
    arguments = {"a.opus": {"format": "OGG", "subtype": "OPUS"}, "a.rf64": {"format": "RF64"}}.get(file, {})
    soundfile.write(path, tone(20) + noise(20 * RATE) / 50, RATE, **arguments)
    whole = load_audio(path).waveform
    assert not said(caplog)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    rest = load_audio(path).waveform
    assert 8 * RATE < rest.shape[1] <= 10.1 * RATE
    # A lossy decoder may end its last frames otherwise.
    compared = rest.shape[1] - (2000 if file in ("a.ogg", "a.opus", "a.mp3") else 0)
    np.testing.assert_allclose(rest[:, :compared], whole[:, :compared], rtol=0, atol=1e-6)
    if file in ("a.ogg", "a.opus") and soundfile.__libsndfile_version__ < "1.2.2":
        return  # older versions do not notice
    (message,) = said(caplog)
    assert file in message


def test_a_flac_that_does_not_state_its_length_is_heard_whole(tmp_path, caplog):
    path = tmp_path / "stream.flac"
    soundfile.write(path, noise(30_000), RATE)
    whole = load_audio(path).waveform
    content = bytearray(path.read_bytes())
    total = int.from_bytes(content[18:26], "big")
    assert total & (2**36 - 1) == 30_000
    content[18:26] = (total >> 36 << 36).to_bytes(8, "big")
    path.write_bytes(content)
    np.testing.assert_array_equal(load_audio(path).waveform, whole)
    np.testing.assert_array_equal(load_audio(path, max_duration_s=math.inf).waveform, whole)
    assert not said(caplog)


@pytest.mark.parametrize("size", [2**32 - 1, 2**31 - 1, 10**9])
def test_a_wav_header_that_promises_too_much_is_not_believed(tmp_path, caplog, size):
    samples = np.arange(1000, dtype="<i2")
    (tmp_path / "a.wav").write_bytes(wav_header(1000, RATE, 1, data_bytes=size) + samples.tobytes())
    np.testing.assert_array_equal(load_audio(tmp_path / "a.wav").waveform[0], samples / np.float32(32768))
    assert "a.wav" in said(caplog)[0]


def test_a_wav_header_that_promises_too_little_is_pointed_out(tmp_path, caplog):
    samples = (noise(20_000) * 32767).astype("<i2")
    (tmp_path / "a.wav").write_bytes(wav_header(500, RATE, 1) + samples.tobytes())
    assert load_audio(tmp_path / "a.wav").waveform.shape == (1, 500)
    assert "header is wrong" in said(caplog)[0]


def refusal(path: object) -> str:
    """The message with which load_audio refuses a file: one line that names the file."""
    with pytest.raises(AudioError) as caught:
        load_audio(path)  # type: ignore[arg-type]
    message = str(caught.value)
    assert "\n" not in message
    if isinstance(path, Path):
        assert path.name in message
    return message


@pytest.mark.parametrize("stated", [0, 2**32 - 1])
@pytest.mark.parametrize(("channels", "bits", "odd"), [(1, 16, 0), (1, 16, 1), (2, 16, 3), (2, 24, 5)])
def test_a_wav_header_that_states_no_length_is_corrected(tmp_path, caplog, stated, channels, bits, odd):
    """As an interrupted recorder leaves it, or a program that writes into a pipe; the last frame may be incomplete."""
    path = tmp_path / "a.wav"
    data = np.random.default_rng(0).integers(0, 256, 3000 * channels * bits // 8, np.uint8).tobytes()
    path.write_bytes(wav_header(3000, RATE, channels, bits=bits) + data)
    whole = load_audio(path).waveform
    assert whole.shape == (channels, 3000)
    assert not said(caplog)
    path.write_bytes(wav_header(0, RATE, channels, data_bytes=stated, bits=bits) + data + bytes(odd))
    np.testing.assert_array_equal(load_audio(path).waveform, whole)
    (message,) = said(caplog)
    assert message == f"{path}: its header states no length; using the 0.19 s found."


def test_a_riff_header_without_any_size_is_corrected(tmp_path, caplog):
    samples = (noise(20_000) * 32767).astype("<i2")
    header = bytearray(wav_header(0, RATE, 1))
    header[4:8] = bytes(4)
    (tmp_path / "a.wav").write_bytes(header + samples.tobytes())
    np.testing.assert_array_equal(load_audio(tmp_path / "a.wav").waveform[0], samples / np.float32(32768))
    assert len(said(caplog)) == 1


def test_a_wav_that_is_really_empty_has_no_samples(tmp_path):
    tags = b"LIST" + struct.pack("<I", 17) + b"INFOISFT\x05\0\0\0abcd\0\0"
    for rest in (b"", tags, b"\1"):
        (tmp_path / "a.wav").write_bytes(wav_header(0, RATE, 1) + rest)
        assert "holds no samples" in refusal(tmp_path / "a.wav")


def test_no_samples_come_with_a_remedy(tmp_path):
    (tmp_path / "a.wav").write_bytes(wav_header(0, RATE, 1))
    assert "ffmpeg -ignore_length 1 -i" in refusal(tmp_path / "a.wav")


def test_unknown_chunks_and_tags_are_no_reason_to_warn(tmp_path, caplog):
    samples = np.arange(1000, dtype="<i2").tobytes()
    tags = b"LIST" + struct.pack("<I", 16) + b"INFOISFT\x04\0\0\0abc\0"
    (tmp_path / "a.wav").write_bytes(wav_header(1000, RATE, 1) + samples + tags)
    assert load_audio(tmp_path / "a.wav").waveform.shape == (1, 1000)
    assert not said(caplog)


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_missing(tmp_path):
    assert "no such file" in refusal(tmp_path / "none.wav")
    (tmp_path / "file").write_text("x")
    assert "no such file" in refusal(tmp_path / "file" / "none.wav")


def test_folder(tmp_path):
    (tmp_path / "folder.wav").mkdir()
    assert "name one file in it" in refusal(tmp_path / "folder.wav")


def test_empty(tmp_path):
    (tmp_path / "a.wav").touch()
    assert "0 bytes" in refusal(tmp_path / "a.wav")


def test_pipe_does_not_wait(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    assert "is a pipe" in refusal(tmp_path / "a.wav")


@pytest.mark.parametrize("file", ["none.wav", "none.ogg"])
def test_no_samples(tmp_path, file):
    soundfile.write(tmp_path / file, np.zeros((0, 1)), RATE)
    assert "holds no samples" in refusal(tmp_path / file)


def test_permission_is_explained(tmp_path, monkeypatch):
    """Staged, as tests may run as root, who is never refused."""
    soundfile.write(tmp_path / "a.wav", noise(10), RATE)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert "chmod u+r" in refusal(tmp_path / "a.wav")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"hello, this is a text\n" * 20, "text"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
            "a Git LFS pointer; run: git lfs pull",
        ),
        (b"<!DOCTYPE html><HTML><body>404", "a web page"),
        (b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(200), "M4A audio"),
        (b"\0\0\0\x20ftypisom\0\0\0\0" + bytes(200), "an MP4"),
        (b"\x1aE\xdf\xa3" + bytes(200), "a WebM"),
        (b"\x89PNG\r\n\x1a\n" + bytes(200), "a PNG image"),
        (wav_header(100, 0, 1) + bytes(200), "a WAV file"),
        (wav_header(100, RATE, 0) + bytes(200), "a WAV file"),
        (bytes(range(128, 256)), ""),
    ],
)
def test_what_is_no_recording(tmp_path, content, kind):
    (tmp_path / "my song.wav").write_bytes(content)
    message = refusal(tmp_path / "my song.wav")
    assert (f"(it looks like {kind}" in message) if kind else ("looks like" not in message)
    assert f"ffmpeg -i '{tmp_path}/my song.wav' 'my song_fixed.wav'" in message


def test_m4a_names_the_command_that_converts_it(tmp_path):
    (tmp_path / "a.m4a").write_bytes(b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(200))
    assert refusal(tmp_path / "a.m4a").endswith(f"ffmpeg -i {tmp_path}/a.m4a a.wav")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300])
def test_samples_that_are_no_numbers(tmp_path, value):
    wave = noise(1000).astype(np.float64)
    wave[500] = value
    soundfile.write(tmp_path / "a.wav", wave, RATE, subtype="DOUBLE")
    assert "np.nan_to_num" in refusal(tmp_path / "a.wav")


def test_an_absurd_sample_rate(tmp_path):
    (tmp_path / "a.wav").write_bytes(wav_header(100, 2_000_000_000, 1) + bytes(200))
    assert "2000000000 Hz" in refusal(tmp_path / "a.wav")


@pytest.mark.parametrize("path", [None, 3, ["a.wav"]])
def test_what_is_no_path(path):
    assert type(path).__name__ in refusal(path)


@pytest.mark.parametrize("path", ["", "a\0b.wav", "x" * 5000])
def test_paths_that_cannot_be(path):
    refusal(path)


def test_a_name_with_a_line_break_stays_on_one_line(tmp_path):
    refusal(str(tmp_path / "two\nlines.wav"))


def test_damaged_bytes_never_end_in_a_foreign_error(tmp_path):
    rng = np.random.default_rng(0)
    for file in ("a.wav", "a.flac", "a.ogg"):
        path = tmp_path / file
        soundfile.write(path, noise(4000), RATE)
        good = path.read_bytes()
        for _ in range(60):
            bad = bytearray(good)
            for place in rng.integers(0, min(len(bad), 200), 4):
                bad[place] = rng.integers(256)
            path.write_bytes(bad[: rng.integers(1, len(bad) + 1)])
            with contextlib.suppress(AudioError):
                assert np.isfinite(load_audio(path).waveform).all()


@pytest.mark.parametrize("package", ["soundfile", "soxr"])
def test_a_broken_installation_says_what_to_install(tmp_path, monkeypatch, package):
    soundfile.write(tmp_path / "a.wav", noise(10), RATE)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(BrokenInstallation, match=f"pip install --force-reinstall {package}"):
        load_audio(tmp_path / "a.wav") if package == "soundfile" else resample(noise(10), 16_000, 8_000)


def test_importing_is_light():
    code = "import sys, zsavs.media; print(*{'torch', 'PIL', 'soundfile', 'soxr', 'transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []

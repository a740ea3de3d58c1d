"""The sound of videos on their clock, and audio files that libsndfile cannot decode."""

from __future__ import annotations

import sys
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from audio_files import said
from clips import onset_s, pitch_hz, write_clip, write_sound
from limits import bounded
from refusals import one_line

import zsavs.media.collector
from zsavs.errors import AudioError
from zsavs.media.audio_file import load_audio
from zsavs.media.audio_stream import read_sound
from zsavs.media.video_file import load_video_audio, probe_video

TENTHS = [k / 10 for k in range(20)]
FILES = [
    ("a.m4a", "aac", 44_100),
    ("a.aac", "aac", 44_100),
    ("a.m4a", "alac", 48_000),
    ("a.wma", "wmav2", 44_100),
    ("a.mka", "libopus", 48_000),
    ("a.webm", "libopus", 48_000),
    ("a.ac3", "ac3", 48_000),
    ("a.mp4", "libmp3lame", 44_100),
    ("a.mov", "pcm_s24le", 96_000),
    ("a.avi", "pcm_u8", 11_025),
]


# ---------------------------------------------------------------------------------------------------------- audio files
@pytest.mark.parametrize(("file", "codec", "rate"), FILES)
@pytest.mark.parametrize("channels", [1, 2])
def test_what_ffmpeg_decodes_is_a_recording(tmp_path: Path, file: str, codec: str, rate: int, channels: int) -> None:
    path = write_sound(tmp_path / file, [(0, 1, 1000)], codec=codec, rate=rate, channels=channels)
    clip = load_audio(path)
    assert clip.source == str(path)
    assert clip.sample_rate_hz == rate
    assert clip.waveform.shape[0] == channels
    assert clip.waveform.dtype == np.float32
    assert abs(clip.duration_s - 1) < 0.08
    assert onset_s(clip.waveform[0], rate) < 0.05
    middle = clip.waveform[:, rate // 4 : rate * 3 // 4]
    assert abs(np.abs(middle).max() - 0.5) < 0.06
    for channel in middle:
        assert abs(pitch_hz(channel, rate) - 1000) < 5


def test_the_first_samples_of_aac_are_where_they_were(tmp_path: Path) -> None:
    """An encoder begins with 1024 samples of nothing, which the container says to leave out."""
    path = write_sound(tmp_path / "a.m4a", [(0, 1, 440)], codec="aac")
    wave = load_audio(path).waveform[0]
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(44_100) / 44_100)
    assert np.abs(wave[2000:40_000] - expected[2000:40_000]).max() < 0.05


def test_lossless_sound_is_what_libsndfile_gives(tmp_path: Path) -> None:
    wave = np.random.default_rng(0).integers(-(2**15), 2**15, (5000, 2)).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", wave, 44_100, subtype="PCM_16")
    with av.open(str(tmp_path / "a.mkv"), "w") as out:
        stream = out.add_stream("flac", rate=44_100, layout="stereo")
        frame = av.AudioFrame.from_ndarray(wave.reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate, frame.pts = 44_100, 0
        out.mux(stream.encode(frame) + stream.encode(None))
    expected = load_audio(tmp_path / "a.wav").waveform
    np.testing.assert_array_equal(load_audio(tmp_path / "a.mkv").waveform, expected)
    by_ffmpeg = read_sound(tmp_path / "a.wav")
    assert by_ffmpeg is not None
    np.testing.assert_array_equal(by_ffmpeg.waveform, expected)


def test_what_libsndfile_reads_ffmpeg_is_not_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    for file, settings in (("a.ogg", {}), ("a.mp3", {}), ("a.opus", {"format": "OGG", "subtype": "OPUS"})):
        soundfile.write(tmp_path / file, np.zeros(4800), 48_000, **settings)
        assert load_audio(tmp_path / file).duration_s > 0.05


def test_a_cover_image_does_not_matter(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.m4a", [(0, 1, 440)], codec="aac", cover=True)
    assert abs(load_audio(path).duration_s - 1) < 0.05


def test_the_same_file_gives_the_same_bits(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.m4a", [(0, 3, 440)], codec="aac", channels=2)
    assert load_audio(path).waveform.tobytes() == load_audio(path).waveform.tobytes()


def test_without_pyav_an_m4a_says_which_extra_helps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_sound(tmp_path / "a.m4a", [(0, 0.5, 440)], codec="aac")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(AudioError, match=r'a\.m4a: .*looks like M4A audio.*pip install "zsavs\[video\]"') as caught:
        load_audio(path)
    one_line(caught)


def test_a_video_without_sound_is_no_recording(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", TENTHS)
    assert load_video_audio(path) is None
    with pytest.raises(AudioError, match=r"a\.mp4: a video without sound"):
        load_audio(path)


def test_a_cut_off_recording_is_used_up_to_there(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_sound(tmp_path / "a.aac", [(0, 4, 440)], codec="aac")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    clip = load_audio(path)
    assert 1 < clip.duration_s < 3
    whole = write_sound(tmp_path / "a.m4a", [(0, 4, 440)], codec="aac")
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])  # its index was at the end
    with pytest.raises(AudioError, match="M4A audio"):
        load_audio(whole)


# ------------------------------------------------------------------------------------------------------- on the clock
@pytest.mark.parametrize(
    ("file", "codec", "sound", "rate"),
    [("a.mp4", "mpeg4", "aac", 44_100), ("a.mkv", "mpeg4", "aac", 48_000), ("a.webm", "libvpx-vp9", "libopus", 48_000)],
)
@pytest.mark.parametrize("start_s", [0.0, 0.5, 1.25])
def test_late_and_short_sound_lies_where_it_is_heard(
    tmp_path: Path, file: str, codec: str, sound: str, rate: int, start_s: float
) -> None:
    path = write_clip(tmp_path / file, TENTHS, codec=codec, audio_codec=sound, rate=rate, sound=[(start_s, 0.5, 440)])
    for clip in (load_video_audio(path), load_audio(path)):
        assert clip is not None
        wave = clip.waveform[0]
        assert abs(onset_s(wave, rate) - start_s) < 0.005
        assert abs(clip.duration_s - (start_s + 0.5)) < 0.05
        assert probe_video(path).duration_s > 1.95
        assert np.abs(wave[: int(max(start_s - 0.03, 0) * rate)]).max(initial=0) < 0.01


def test_a_gap_is_silent(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mkv", TENTHS, audio_codec="pcm_s16le", sound=[(0, 0.4, 440), (1.2, 0.4, 880)])
    clip = load_video_audio(path)
    assert clip is not None
    wave, rate = clip.waveform[0], clip.sample_rate_hz
    assert abs(clip.duration_s - 1.6) < 0.002
    assert np.abs(wave[int(0.41 * rate) : int(1.19 * rate)]).max() == 0
    assert abs(onset_s(wave[rate:], rate) - 0.2) < 0.003
    assert abs(pitch_hz(wave[: int(0.4 * rate)], rate) - 440) < 5
    assert abs(pitch_hz(wave[int(1.2 * rate) :], rate) - 880) < 5


def test_rounded_times_make_no_clicks(tmp_path: Path) -> None:
    """Matroska rounds to a thousandth of a second: 44 samples."""
    path = write_clip(tmp_path / "a.mkv", TENTHS, audio_codec="pcm_s16le", sound=[(0, 2, 440)])
    clip = load_video_audio(path)
    assert clip is not None
    assert np.abs(np.diff(clip.waveform[0])).max() < 0.5 * 2 * np.pi * 440 / 44_100 * 1.05


def test_the_clock_is_that_of_the_first_frame(tmp_path: Path) -> None:
    """Sound from before the first frame is cut."""
    path = write_clip(
        tmp_path / "a.mkv",
        [0.5 + time_s for time_s in TENTHS],
        audio_codec="pcm_s16le",
        sound=[(0, 1.0, 440), (1.0, 0.5, 1760)],
    )
    clip = load_video_audio(path)
    assert clip is not None
    rate = clip.sample_rate_hz
    assert abs(clip.duration_s - 1) < 0.003
    assert abs(pitch_hz(clip.waveform[0, : rate // 2 - 100], rate) - 440) < 5
    assert abs(pitch_hz(clip.waveform[0, rate // 2 + 100 :], rate) - 1760) < 5


@pytest.mark.parametrize(("default", "hz"), [(None, 440), (0, 440), (1, 880), (2, 1760)])
def test_of_several_streams_the_default_is_heard(tmp_path: Path, default: int | None, hz: float) -> None:
    path = write_clip(tmp_path / "a.mkv", TENTHS, sound=[(0, 1, 440)], streams=3, default=default)
    clip = load_video_audio(path)
    assert clip is not None
    assert abs(pitch_hz(clip.waveform[0], clip.sample_rate_hz) - hz) < 5


def test_sound_that_changes_its_channels_goes_on(tmp_path: Path) -> None:
    """As in a broadcast; two elementary streams of AC-3 one after the other."""
    one = write_sound(tmp_path / "one.ac3", [(0, 1, 440)], codec="ac3", rate=48_000)
    two = write_sound(tmp_path / "two.ac3", [(0, 1, 440)], codec="ac3", rate=48_000, channels=2)
    (tmp_path / "both.ac3").write_bytes(one.read_bytes() + two.read_bytes())
    clip = load_audio(tmp_path / "both.ac3")
    assert len(clip.waveform) == 1
    assert abs(clip.duration_s - 2) < 0.1
    assert np.abs(clip.waveform[0, -48_000:-4800]).max() > 0.3


def test_damaged_sound_costs_what_it_hit(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_sound(tmp_path / "a.m4a", [(0, 3, 440)], codec="aac")
    content = bytearray(path.read_bytes())
    middle = content.index(b"mdat") + 4000
    content[middle : middle + 1500] = np.random.default_rng(0).integers(0, 256, 1500, np.uint8).tobytes()
    path.write_bytes(content)
    clip = load_audio(path)
    assert abs(clip.duration_s - 3) < 0.1
    assert np.isfinite(clip.waveform).all()
    assert len([line for line in said(caplog) if "damaged" in line]) == 1


# ---------------------------------------------------------------------------------------------------------------- long
@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits a thousandth as high: in memory 16 k samples, channels apart 131 k, and whole a million."""
    for name in ("IN_MEMORY", "MAX_VALUES", "MAX_FRAMES"):
        monkeypatch.setattr(zsavs.media.collector, name, getattr(zsavs.media.collector, name) // 2**10)


def test_a_long_recording_is_mapped_and_downmixed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_sound(tmp_path / "a.m4a", [(0, 4, 440)], codec="aac", channels=2)
    held = load_audio(path)
    monkeypatch.setattr(zsavs.media.collector, "IN_MEMORY", 20_000)
    np.testing.assert_array_equal(load_audio(path).waveform, held.waveform)
    assert not said(caplog)
    monkeypatch.setattr(zsavs.media.collector, "MAX_VALUES", 20_000)
    np.testing.assert_allclose(load_audio(path).waveform[0], held.mono(), rtol=0, atol=1e-6)
    assert "2 channels at 44100 Hz are downmixed" in said(caplog)[0]


def test_a_quick_look_hears_evenly_spaced_excerpts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_sound(tmp_path / "a.m4a", [(10 * k, 10, 300 + 100 * k) for k in range(10)], codec="aac", rate=16_000)
    clip = load_audio(path, max_duration_s=30)
    assert clip.duration_s == 30
    assert "reading 3 evenly spaced excerpts, 30.0 s in all (max_duration_s=30)" in said(caplog)[0]
    whole = load_audio(path).waveform[0]
    for k, start in enumerate((0, (len(whole) - 160_000) // 2, len(whole) - 160_000)):
        excerpt = clip.waveform[0, k * 160_000 : (k + 1) * 160_000]
        assert np.abs(excerpt - whole[start : start + 160_000]).max() < 1e-3


def test_of_more_than_may_lie_on_the_disk_excerpts_are_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, small: None
) -> None:
    path = write_sound(tmp_path / "a.m4a", [(0, 140, 440)], codec="aac", rate=8000)
    clip = load_audio(path)
    assert clip.duration_s == 130
    assert "the rest is too much to hold" in said(caplog)[0]


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    """Ten minutes, which are 115 MB of samples."""
    path = tmp_path / "long.m4a"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=48_000, layout="mono")
        silence = np.zeros((1, 48_000), np.float32)
        for second in range(600):
            frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48_000, 48_000 * second
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    done = bounded(
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "clip = load_audio(sys.argv[1])\n"
        "print(round(clip.duration_s), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)\n",
        path,
        imports="import resource, sys, soundfile, av\nfrom zsavs.media.audio_file import load_audio\n",
        mebibytes=700,
    )
    seconds, mebibytes = map(int, done.stdout.split())
    assert seconds == 600
    assert mebibytes < 60

"""Videos that are written: frames, colours and times come back, the sound is the original's, and no scraps stay."""

from __future__ import annotations

import logging
import math
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from audio_files import said
from clips import colour, number, onset_s, payloads, pitch_hz, write_clip, write_sound
from limits import bounded
from refusals import one_line

from zsavs.errors import ImageError, MissingExtra, OutputError, UnknownName, VideoError, ZsavsError
from zsavs.media.video_file import load_video_audio, probe_video, read_frames
from zsavs.media.video_writer import CODECS, VideoWriter

TENTHS = [k / 10 for k in range(20)]


def image(k: int, size_hw: tuple[int, int] = (48, 64)) -> np.ndarray:
    return np.full((*size_hw, 3), colour(k), np.uint8)


def write(path: Path, times: list[float] = TENTHS, *, size_hw: tuple[int, int] = (48, 64), **settings: object) -> Path:
    """A video with a frame at each of ``times``."""
    with VideoWriter(path, size_hw, 10, **settings) as writer:  # type: ignore[arg-type]
        for k, time_s in enumerate(times):
            writer.write(image(k, size_hw), time_s)
    return path


def seen(path: Path) -> list[tuple[int, float]]:
    return [(number(frame.image), round(frame.time_s, 3)) for frame in read_frames(path)]


def streams(path: Path) -> dict[str, str]:
    """The codec of each kind of stream."""
    with av.open(str(path)) as container:
        return {stream.type: stream.codec_context.codec.canonical_name for stream in container.streams}


# ------------------------------------------------------------------------------------------------------ what comes back
@pytest.mark.parametrize(
    ("file", "codec"),
    [
        ("a.mp4", "vp9"),
        ("a.webm", "vp9"),
        ("a.mkv", "vp9"),
        ("a.mp4", "av1"),
        ("a.webm", "av1"),
        ("a.mp4", "h264"),
        ("a.mov", "h264"),
        ("a.mp4", "mpeg4"),
        ("a.mkv", "mpeg4"),
    ],
)
def test_frames_come_back_with_their_colours_and_times(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], file: str, codec: str
) -> None:
    path = write(tmp_path / file, codec=codec)
    assert seen(path) == [(k, k / 10) for k in range(20)]
    for k, frame in enumerate(read_frames(path)):
        assert np.abs(frame.image.astype(int) - colour(k)).max() <= 6
    assert streams(path) == {"video": codec}
    info = probe_video(path)
    assert info.size_hw == (48, 64)
    assert abs(info.duration_s - 2) < 0.02
    assert not info.has_audio
    assert not capfd.readouterr().err
    assert [entry.name for entry in tmp_path.iterdir()] == [file]


def test_the_file_says_which_colours_it_has(tmp_path: Path) -> None:
    with av.open(str(write(tmp_path / "a.mp4"))) as container:
        frame = next(container.decode(video=0))
        assert (frame.colorspace, frame.color_range) == (1, 1)
        assert (frame.color_primaries, frame.color_trc) == (1, 1)
        assert frame.format.name == "yuv420p"


def test_a_photograph_comes_back_much_as_it_was(tmp_path: Path) -> None:
    across, down = np.meshgrid(np.linspace(0, 255, 64), np.linspace(0, 255, 48))
    ramp = np.stack([across, down, np.full((48, 64), 90.0)], axis=-1)
    picture = ramp.astype(np.uint8)
    with VideoWriter(tmp_path / "a.mp4", (48, 64), 10) as writer:
        for time_s in TENTHS:
            writer.write(picture, time_s)
    back = np.stack([frame.image for frame in read_frames(tmp_path / "a.mp4")]).astype(int)
    assert np.abs(back - picture).mean() < 3


def test_times_of_their_own_come_back(tmp_path: Path) -> None:
    times = [0.0, 0.033, 0.066, 0.4, 0.45, 1.5, 1.9]
    for file in ("a.mp4", "a.webm"):
        assert seen(write(tmp_path / file, times)) == list(enumerate(times))


def test_an_mp4_begins_with_its_index_and_has_key_frames(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", [k / 10 for k in range(100)])
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    with av.open(str(path)) as container:
        keys = [packet.pts * packet.time_base for packet in container.demux(video=0) if packet.is_keyframe]
    assert keys == [0, 3, 6, 9]


@pytest.mark.parametrize("size", [(47, 64), (48, 63), (33, 17)])
@pytest.mark.parametrize("codec", CODECS)
def test_odd_sizes_are_padded_by_a_pixel(tmp_path: Path, size: tuple[int, int], codec: str) -> None:
    if codec == "av1":
        size = (size[0] + 64, size[1] + 64)  # SVT-AV1 takes no less than 64 pixels
    path = write(tmp_path / "a.mp4", size_hw=size, codec=codec)
    assert probe_video(path).size_hw == (size[0] + size[0] % 2, size[1] + size[1] % 2)
    last = next(read_frames(path)).image[-1, -1].astype(int)
    assert np.abs(last - colour(0)).max() <= 8


def test_the_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    assert write(tmp_path / "a.mp4").read_bytes() == write(tmp_path / "b.mp4").read_bytes()


def test_an_image_however_it_lies_in_memory(tmp_path: Path) -> None:
    big = np.zeros((96, 64, 3), np.uint8)
    big[::2] = colour(7)
    with VideoWriter(tmp_path / "a.mp4", (48, 64), 10) as writer:
        writer.write(big[::2], 0)
        writer.write(np.asfortranarray(image(8)), 0.1)
    assert seen(tmp_path / "a.mp4") == [(7, 0), (8, 0.1)]


@pytest.mark.parametrize(
    "name", ["with spaces.mp4", "Größe 日本.mp4", "http:x.mp4", "a%03d.mp4", "A.MP4", "new/folders/a.mp4"]
)
def test_any_name_and_folders_are_made(tmp_path: Path, name: str) -> None:
    assert len(seen(write(tmp_path / name, TENTHS[:3]))) == 3


def test_a_file_that_is_there_is_replaced(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "a.mp4", TENTHS, sound=[(0, 2, 440)])
    sound = payloads(source)
    with VideoWriter(source, (48, 64), 10, audio_from=source) as writer:
        for frame in read_frames(source):
            writer.write(frame.image, frame.time_s)
    assert streams(source) == {"video": "vp9", "audio": "aac"}
    assert payloads(source) == sound
    assert source.stat().st_mode & 0o600 == 0o600


# -------------------------------------------------------------------------------------------------- the original sound
@pytest.mark.parametrize(
    ("file", "source", "codec", "rate"),
    [
        ("o.mp4", "a.mp4", "aac", 44_100),
        ("o.mp4", "a.webm", "libopus", 48_000),
        ("o.mp4", "a.mp4", "libmp3lame", 44_100),
        ("o.mp4", "a.mkv", "flac", 44_100),
        ("o.webm", "a.webm", "libopus", 48_000),
        ("o.mkv", "a.mp4", "aac", 44_100),
        ("o.mkv", "a.avi", "pcm_s16le", 44_100),
        ("o.mov", "a.mp4", "aac", 44_100),
    ],
)
def test_sound_is_kept_packet_for_packet(tmp_path: Path, file: str, source: str, codec: str, rate: int) -> None:
    video = "libvpx-vp9" if source.endswith("webm") else "mpeg4"
    original = write_clip(
        tmp_path / source, TENTHS, codec=video, audio_codec=codec, rate=rate, sound=[(0, 1, 440), (1, 0.9, 880)]
    )
    path = write(tmp_path / file, audio_from=original, codec="h264" if file.endswith("mov") else "vp9")
    assert payloads(path) == payloads(original)
    before, after = load_video_audio(original), load_video_audio(path)
    assert before is not None
    assert after is not None
    assert after.sample_rate_hz == rate
    common = min(before.waveform.shape[1], after.waveform.shape[1])
    assert common > 1.85 * rate
    assert abs(onset_s(before.waveform[0], rate) - onset_s(after.waveform[0], rate)) < 0.002
    assert pitch_hz(after.waveform[0, rate // 4 : rate * 3 // 4], rate) == pytest.approx(440, abs=5)


@pytest.mark.parametrize(
    ("file", "source", "codec", "again"),
    [
        ("o.mp4", "a.avi", "pcm_s16le", "aac"),
        ("o.mp4", "a.mkv", "pcm_s24le", "aac"),
        ("o.webm", "a.mp4", "aac", "opus"),
    ],
)
def test_sound_that_the_container_cannot_hold_is_encoded_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, file: str, source: str, codec: str, again: str
) -> None:
    original = write_clip(tmp_path / source, TENTHS, audio_codec=codec, sound=[(0, 1, 440), (1, 0.9, 880)], channels=2)
    caplog.set_level(logging.INFO, logger="zsavs")
    path = write(tmp_path / file, audio_from=original)
    assert streams(path)["audio"] == again
    (record,) = (record for record in caplog.records if "is encoded again" in record.message)
    assert record.levelname == ("INFO" if codec.startswith("pcm") else "WARNING"), "what loses quality a second time"
    clip = load_video_audio(path)
    assert clip is not None
    assert len(clip.waveform) == 2
    assert clip.sample_rate_hz == 48_000
    assert abs(clip.duration_s - 1.9) < 0.05
    assert onset_s(clip.waveform[0], 48_000) < 0.005
    for channel in clip.waveform:
        assert pitch_hz(channel[12_000:36_000], 48_000) == pytest.approx(440, abs=5)
        assert pitch_hz(channel[60_000:84_000], 48_000) == pytest.approx(880, abs=5)


@pytest.mark.parametrize("file", ["a.wav", "a.mp3", "a.m4a"])
def test_sound_comes_from_an_audio_file_too(tmp_path: Path, file: str) -> None:
    if file == "a.m4a":
        write_sound(tmp_path / file, [(0, 1.5, 440)], codec="aac")
    else:
        wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(66_150) / 44_100)
        soundfile.write(tmp_path / file, wave, 44_100)
    path = write(tmp_path / "o.mp4", audio_from=tmp_path / file)
    clip = load_video_audio(path)
    assert clip is not None
    assert abs(clip.duration_s - 1.5) < 0.06
    assert onset_s(clip.waveform[0], clip.sample_rate_hz) < 0.04


@pytest.mark.parametrize("file", ["o.mp4", "o.mkv", "o.webm"])
@pytest.mark.parametrize("late", [0.0, 0.6])
def test_a_part_keeps_frames_and_sound_together(tmp_path: Path, file: str, late: float) -> None:
    """Frames change and a tone begins at 0.9 s; of the part from 0.5 s on that is at 0.4 s."""
    sound = [(late, 0.9 - late, 440), (0.9, 1.0, 880)]
    original = write_clip(tmp_path / "a.mp4", TENTHS, sound=sound, rate=48_000)
    with VideoWriter(tmp_path / file, (48, 64), 10, audio_from=original, start_s=0.5, end_s=1.5) as writer:
        for frame in read_frames(original, start_s=0.5, end_s=1.5):
            writer.write(frame.image, frame.time_s)
    assert seen(tmp_path / file) == [(k, round(k / 10 - 0.5, 3)) for k in range(5, 15)]
    clip = load_video_audio(tmp_path / file)
    assert clip is not None
    rate = clip.sample_rate_hz
    assert abs(clip.duration_s - 1) < 0.05
    wave = clip.waveform[0]
    begins = 0.1 if late else 0.0
    assert abs(onset_s(wave, rate) - begins) < 0.03
    assert pitch_hz(wave[int(0.15 * rate) : int(0.38 * rate)], rate) == pytest.approx(440, abs=8)
    assert pitch_hz(wave[int(0.42 * rate) : int(0.65 * rate)], rate) == pytest.approx(880, abs=8)


def test_the_frame_that_is_shown_at_the_start_is_there_from_the_start(tmp_path: Path) -> None:
    original = write_clip(tmp_path / "a.mp4", [0, 1, 2])
    with VideoWriter(tmp_path / "o.mp4", (48, 64), 1, start_s=0.5) as writer:
        for frame in read_frames(original, start_s=0.5):
            writer.write(frame.image, frame.time_s)
    assert seen(tmp_path / "o.mp4") == [(0, 0), (1, 0.5), (2, 1.5)]


def test_late_sound_stays_late(tmp_path: Path) -> None:
    original = write_clip(tmp_path / "a.mp4", TENTHS, sound=[(0.7, 1, 440)])
    clip = load_video_audio(write(tmp_path / "o.mp4", audio_from=original))
    assert clip is not None
    assert abs(onset_s(clip.waveform[0], 44_100) - 0.7) < 0.005


def test_a_video_without_sound_gives_one_without(tmp_path: Path) -> None:
    original = write_clip(tmp_path / "a.mp4", TENTHS)
    assert streams(write(tmp_path / "o.mp4", audio_from=original)) == {"video": "vp9"}


def test_sound_lies_beside_its_frames_in_the_file(tmp_path: Path) -> None:
    times = [k / 10 for k in range(100)]
    original = write_clip(tmp_path / "a.mp4", times, sound=[(0, 10, 440)])
    with av.open(str(write(tmp_path / "o.mp4", times, audio_from=original))) as container:
        packets = [(p.pos, float(p.dts * p.time_base)) for p in container.demux() if p.size]
    packets.sort()
    assert np.diff([time_s for _, time_s in packets]).min() > -1.2


# ----------------------------------------------------------------------------------------------------- complete or not
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_after_an_error_nothing_is_there(tmp_path: Path, error: type[BaseException]) -> None:
    def broken_off() -> None:
        with VideoWriter(tmp_path / "a.mp4", (48, 64), 10) as writer:
            writer.write(image(0), 0)
            assert list(tmp_path.iterdir())
            raise error

    with pytest.raises(error):
        broken_off()
    assert not list(tmp_path.iterdir())


def test_an_error_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("precious")
    with pytest.raises(VideoError, match="no frame was written"), VideoWriter(tmp_path / "a.mp4", (48, 64), 10):
        pass
    assert (tmp_path / "a.mp4").read_text() == "precious"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.fixture
def no_signal() -> Iterator[None]:
    """A file that may not grow is an error, as a full disk is, and not the end of the process."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize(
    ("file", "codec"), [("a.mp4", "vp9"), ("a.webm", "vp9"), ("a.mp4", "h264"), ("a.mkv", "mpeg4")]
)
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, no_signal: None, file: str, codec: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (5, 120, 160, 3), np.uint8)

    def write_noise() -> None:
        with VideoWriter(tmp_path / file, (120, 160), 10, codec=codec) as writer:
            for k, frame in enumerate(noise):
                writer.write(frame, k / 10)

    write_noise()
    size = (tmp_path / file).stat().st_size
    (tmp_path / file).unlink()
    for limit in (0, size // 2, size - 1):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        with pytest.raises(OutputError, match=r"a\.\w+: cannot be written \(File too large\)") as caught:
            write_noise()
        assert "free space" in one_line(caught)
        assert not list(tmp_path.iterdir())


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    """A thousand frames that would take 690 MB."""
    source = write_sound(tmp_path / "a.m4a", [(0, 100, 440)], codec="aac", rate=16_000)
    done = bounded(
        "image, before = np.zeros((360, 640, 3), np.uint8), 0\n"
        "with VideoWriter(sys.argv[1], (360, 640), 10, audio_from=sys.argv[2]) as writer:\n"
        "    for k in range(1000):\n"
        "        writer.write(image, k / 10)\n"
        "        if k == 100: before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)\n",
        tmp_path / "a.mp4",
        source,
        imports="import resource, sys, av, numpy as np\nfrom zsavs.media.video_writer import VideoWriter\n",
        mebibytes=1500,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 20


# ------------------------------------------------------------------------------------------------------------- refusals
@pytest.mark.parametrize(
    ("path", "settings", "error", "message"),
    [
        ("a.avi", {}, OutputError, r"'vp9' has a name that ends in \.mp4 or \.m4v or \.mkv or \.webm"),
        ("a", {}, OutputError, "ends in"),
        ("a.mov", {}, OutputError, "ends in"),
        ("a.webm", {"codec": "h264"}, OutputError, r"\.mp4"),
        ("a.mp4", {"codec": "divx"}, UnknownName, "video codec named 'divx'.*vp9"),
        ("a.mp4", {"codec": None}, UnknownName, "video codec"),
        ("a.mp4", {"size_hw": (0, 64)}, VideoError, "size_hw"),
        ("a.mp4", {"size_hw": 64}, VideoError, "size_hw"),
        ("a.mp4", {"size_hw": (10**6, 10**6)}, VideoError, "size_hw"),
        ("a.mp4", {"fps": 0}, VideoError, "fps"),
        ("a.mp4", {"fps": math.nan}, VideoError, "fps"),
        ("a.mp4", {"start_s": -1}, VideoError, "start_s"),
        ("a.mp4", {"end_s": 0}, VideoError, "end_s"),
        ("a.mp4", {"audio_from": "none.mp4"}, VideoError, "none.mp4: there is no such file"),
        ("folder.mp4", {}, OutputError, "is a folder"),
        ("file/a.mp4", {}, OutputError, "cannot be written"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    tmp_path: Path, path: str, settings: dict[str, object], error: type[ZsavsError], message: str
) -> None:
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "file").touch()
    before = sorted(tmp_path.rglob("*"))
    settings = {"size_hw": (48, 64), "fps": 10} | settings
    with pytest.raises(error, match=message) as caught:  # noqa: SIM117
        with VideoWriter(tmp_path / path, **settings) as writer:  # type: ignore[arg-type]
            writer.write(image(0), 0)
    one_line(caught)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("picture", "time_s", "error"),
    [
        (image(0, (48, 63)), 1, ImageError),
        (image(0)[..., 0], 1, ImageError),
        (image(0).astype(np.float32), 1, ImageError),
        (None, 1, ImageError),
        (image(0), 0.0, VideoError),
        (image(0), -1, VideoError),
        (image(0), math.nan, VideoError),
        (image(0), None, VideoError),
    ],
)
def test_a_frame_that_is_none_is_refused(tmp_path: Path, picture: np.ndarray, time_s: float, error: type) -> None:
    with VideoWriter(tmp_path / "a.mp4", (48, 64), 10) as writer:
        writer.write(image(0), 0)
        with pytest.raises(error) as caught:
            writer.write(picture, time_s)
        writer.write(image(1), 0.1)
    assert "VideoWriter.write" in one_line(caught)
    assert seen(tmp_path / "a.mp4") == [(0, 0), (1, 0.1)]


def test_outside_of_its_block_nothing_is_written(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "a.mp4", (48, 64), 10)
    with pytest.raises(VideoError, match="with VideoWriter"):
        writer.write(image(0), 0)
    assert not list(tmp_path.iterdir())


def test_an_encoder_that_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zsavs.media import video_writer

    lacking = video_writer._CODECS["h264"]._replace(encoder="libnone")
    monkeypatch.setitem(video_writer._CODECS, "h264", lacking)
    with pytest.raises(OutputError, match="FFmpeg has no libnone here; choose from: vp9, av1, mpeg4"):
        VideoWriter(tmp_path / "a.mp4", (48, 64), 10, codec="h264")


def test_h264_says_that_its_encoder_is_under_the_gpl(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / "a.mp4", TENTHS[:2], codec="h264")
    assert "GPL" in said(caplog)[0]


def test_without_pyav_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtra, match=r'pip install "zsavs\[video\]"'):
        VideoWriter(tmp_path / "a.mp4", (48, 64), 10)

"""Video files: every container, times, rotation, pixels that are not square, damage, and what is no video."""

from __future__ import annotations

import math
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import av
import numpy as np
import pytest
from audio_files import said
from clips import colour, number, onset_s, write_clip, write_sound
from limits import bounded
from PIL import Image
from refusals import one_line

from zsavs.errors import MissingExtra, VideoError
from zsavs.media import container
from zsavs.media.video_file import is_video, load_video_audio, probe_video, read_frames

TENTHS = [k / 10 for k in range(20)]
CONTAINERS = [
    ("a.mp4", "mpeg4", "aac", 44_100),
    ("a.mov", "mpeg4", "pcm_s16le", 44_100),
    ("a.mkv", "mpeg4", "libopus", 48_000),
    ("a.webm", "libvpx-vp9", "libopus", 48_000),
    ("a.avi", "mpeg4", "pcm_s16le", 44_100),
    ("a.flv", "flv", "aac", 44_100),
]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of ten frames a second, with a tone in all of it; key frames every half second."""
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", TENTHS, sound=[(0, 2, 440)])


def seen(path: Path, **settings: float) -> list[tuple[int, float]]:
    """The number and the time of each frame."""
    return [(number(image), round(time_s, 4)) for image, time_s in read_frames(path, **settings)]


def refusal(path: object) -> str:
    with pytest.raises(VideoError) as caught:
        list(read_frames(path))  # type: ignore[arg-type]
    with pytest.raises(VideoError):
        probe_video(path)  # type: ignore[arg-type]
    message = one_line(caught)
    if isinstance(path, Path):
        assert path.name in message
        assert not is_video(path)
    return message


# ----------------------------------------------------------------------------------------------------- frames and times
@pytest.mark.parametrize(("file", "codec", "sound", "rate"), CONTAINERS)
def test_every_container_gives_its_frames_and_its_sound(
    tmp_path: Path, file: str, codec: str, sound: str, rate: int
) -> None:
    path = write_clip(tmp_path / file, TENTHS, codec=codec, audio_codec=sound, rate=rate, sound=[(0, 2, 440)])
    assert seen(path) == [(k, k / 10) for k in range(20)]
    info = probe_video(path)
    assert info.size_hw == (48, 64)
    assert info.has_audio
    assert abs(info.duration_s - 2) < 0.05
    assert is_video(path)
    audio = load_video_audio(path)
    assert audio is not None
    assert audio.sample_rate_hz == rate
    assert abs(audio.duration_s - 2) < 0.05
    assert onset_s(audio.waveform[0], rate) < 0.01


def test_frames_are_rgb_as_they_were(clip: Path) -> None:
    image, _ = next(read_frames(clip))
    assert image.dtype == np.uint8
    assert image.shape == (48, 64, 3)
    assert image.flags.c_contiguous
    assert np.abs(image.astype(int) - colour(0)).max() < 6


def test_a_rate_takes_the_frame_that_is_shown(clip: Path) -> None:
    assert seen(clip, fps=4) == [(0, 0), (2, 0.2), (5, 0.5), (7, 0.7), (10, 1), (12, 1.2), (15, 1.5), (17, 1.7)]
    assert seen(clip, fps=10) == seen(clip)
    assert seen(clip, fps=1000) == seen(clip)
    assert seen(clip, fps=0.001) == [(0, 0)]


@pytest.mark.parametrize("rate", [30, 25, Fraction(30_000, 1001), 60])
def test_the_own_rate_of_a_video_takes_every_frame(tmp_path: Path, rate: Fraction) -> None:
    """Matroska rounds times to a thousandth of a second."""
    times = [float(k / rate) for k in range(30)]
    path = write_clip(tmp_path / "a.webm", times, codec="libvpx-vp9", length_s=float(1 / rate))
    assert [k for k, _ in seen(path, fps=rate)] == list(range(30))


def test_a_span_begins_with_the_frame_that_is_shown_then(clip: Path) -> None:
    assert seen(clip, start_s=1.25, end_s=1.5) == [(12, 1.2), (13, 1.3), (14, 1.4)]
    assert seen(clip, start_s=1.3, end_s=1.31) == [(13, 1.3)]
    assert seen(clip, fps=2, start_s=0.25) == [(2, 0.2), (7, 0.7), (12, 1.2), (17, 1.7)]
    assert seen(clip, fps=2, start_s=1.95) == [(19, 1.9)]
    assert seen(clip, start_s=1.95) == [(19, 1.9)]


@pytest.mark.parametrize(("file", "codec"), [(file, codec) for file, codec, _, _ in CONTAINERS])
def test_seeking_gives_what_reading_from_the_start_gives(tmp_path: Path, file: str, codec: str) -> None:
    path = write_clip(tmp_path / file, TENTHS, codec=codec)
    for start in (0.05, 0.5, 0.99, 1.5):
        assert seen(path, start_s=start) == [(k, k / 10) for k in range(math.floor(start * 10), 20)]


def test_a_transport_stream_that_does_not_begin_at_zero(tmp_path: Path) -> None:
    times = [k / 25 for k in range(50)]
    path = write_clip(tmp_path / "a.ts", times, codec="mpeg2video", audio_codec="mp2", sound=[(0.5, 1, 440)])
    assert seen(path) == [(k, k / 25) for k in range(50)]
    assert seen(path, start_s=1)[0] == (25, 1.0)
    audio = load_video_audio(path)
    assert audio is not None
    assert abs(onset_s(audio.waveform[0], 44_100) - 0.5) < 0.03


def test_a_variable_rate_has_its_own_times(tmp_path: Path) -> None:
    times = [0.0, 0.033, 0.066, 0.4, 0.45, 1.5, 1.9]
    path = write_clip(tmp_path / "a.mp4", times, length_s=0.5)
    assert seen(path) == [(k, time_s) for k, time_s in enumerate(times)]
    assert seen(path, fps=2) == [(0, 0), (4, 0.45), (5, 1.5), (6, 1.9)]
    assert seen(path, fps=0.45) == [(0, 0), (6, 1.9)]
    assert seen(path, fps=0.4) == [(0, 0)]
    assert abs(probe_video(path).duration_s - 2.4) < 0.01


def test_a_rate_takes_no_frame_twice(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mkv", [0, 1.0, 3.0], length_s=1)
    assert seen(path, fps=10) == [(0, 0), (1, 1), (2, 3)]


def test_a_recording_of_a_browser_states_no_length(tmp_path: Path) -> None:
    live = write_clip(tmp_path / "a.webm", TENTHS, codec="libvpx-vp9", container={"live": "1"})
    with av.open(str(live)) as opened:
        assert not opened.duration
    assert abs(probe_video(live).duration_s - 2) < 0.11
    assert len(seen(live)) == 20


def test_an_index_at_the_end_is_found(tmp_path: Path, clip: Path) -> None:
    assert clip.read_bytes().index(b"mdat") < clip.read_bytes().index(b"moov")
    fast = write_clip(tmp_path / "fast.mp4", TENTHS, container={"movflags": "+faststart"})
    assert fast.read_bytes().index(b"moov") < fast.read_bytes().index(b"mdat")
    assert seen(fast) == seen(clip)


@pytest.mark.parametrize("name", ["with spaces.mp4", "Größe 日本.mp4", "no ending", "-a.mp4", "http:x.mp4", "a%d.png"])
def test_the_name_does_not_matter(tmp_path: Path, clip: Path, name: str) -> None:
    shutil.copy(clip, tmp_path / name)
    assert len(seen(tmp_path / name)) == 20
    assert is_video(str(tmp_path / name))


def test_a_name_that_is_no_unicode(tmp_path: Path, clip: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff.mp4"
    shutil.copy(clip, path)
    assert probe_video(os.fsdecode(path)).size_hw == (48, 64)


# ------------------------------------------------------------------------------------------------------- what is shown
def _corner(_: int) -> np.ndarray:
    """Red in the upper left corner of a blue image."""
    image = np.full((48, 64, 3), (20, 20, 200), np.uint8)
    image[:24, :32] = (220, 20, 20)
    return image


@pytest.mark.parametrize("turn", [90, -90, 180])
def test_a_phone_s_frames_are_turned_upright(tmp_path: Path, turn: int) -> None:
    path = write_clip(tmp_path / "a.mp4", [0, 0.1, 0.2], paint=_corner, rotation=turn)
    ((upright, _), *_) = read_frames(path)
    expected = np.rot90(_corner(0), turn // 90)
    assert upright.shape == expected.shape
    assert probe_video(path).size_hw == expected.shape[:2]
    assert np.abs(upright.astype(int) - expected)[4:20, 4:20].max() < 40
    assert np.abs(upright.astype(int) - expected).mean() < 12
    assert upright.flags.c_contiguous


def test_pixels_are_made_square(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mkv", [0, 0.1], aspect=Fraction(16, 11))
    assert probe_video(path).size_hw == (48, 93)
    assert next(read_frames(path)).image.shape == (48, 93, 3)


@pytest.mark.parametrize("size", [(33, 47), (48, 63), (17, 16)])
def test_odd_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    path = write_clip(tmp_path / "a.webm", [0, 0.1, 0.2], size_hw=size, codec="libvpx-vp9")
    assert probe_video(path).size_hw == size
    assert [k for k, _ in seen(path)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("file", "codec", "pix_fmt"),
    [
        ("a.mkv", "ffv1", "yuv420p10le"),
        ("a.mkv", "ffv1", "gray"),
        ("a.mkv", "ffv1", "gray12le"),
        ("a.mkv", "ffv1", "gbrp16le"),
        ("a.mkv", "ffv1", "bgra"),
        ("a.mkv", "ffv1", "yuv444p16le"),
        ("a.avi", "rawvideo", "bgr24"),
        ("a.avi", "mjpeg", "yuvj422p"),
        ("a.mov", "qtrle", "rgb24"),
    ],
)
def test_every_format_of_pixels(tmp_path: Path, file: str, codec: str, pix_fmt: str) -> None:
    grey = [np.full((48, 64, 3), level, np.uint8) for level in (0, 128, 255)]
    options = {"g": "1"}
    path = write_clip(
        tmp_path / file, [0, 0.1, 0.2], codec=codec, pix_fmt=pix_fmt, paint=grey.__getitem__, options=options
    )
    for (image, _), expected in zip(read_frames(path), grey, strict=True):
        assert np.abs(image.astype(int) - expected).max() <= 4


@pytest.mark.parametrize(("space", "height"), [(1, 48), (5, 48), (2, 48), (2, 720)])
def test_colours_are_those_that_the_file_says_or_else_those_of_its_size(
    tmp_path: Path, space: int, height: int
) -> None:
    """BT.709, BT.601, and unsaid: BT.601, but BT.709 from 720 rows on."""
    green = np.full((height, 64, 3), (20, 200, 60), np.uint8)
    with av.open(str(tmp_path / "a.mkv"), "w") as out:
        stream = out.add_stream("ffv1", rate=10)
        stream.height, stream.width, stream.pix_fmt = height, 64, "yuv444p"
        stream.codec_context.colorspace = space
        converted = space if space != 2 else (1 if height >= 720 else 5)
        frame = av.VideoFrame.from_ndarray(green).reformat(format="yuv444p", dst_colorspace=converted)
        frame.colorspace = space
        frame.pts = 0
        out.mux(stream.encode(frame) + stream.encode(None))
    image, _ = next(read_frames(tmp_path / "a.mkv"))
    assert np.abs(image.astype(int) - green).max() <= 4


# ------------------------------------------------------------------------------------------------------------- damage
@pytest.mark.parametrize(("file", "codec"), [("a.mkv", "mpeg4"), ("a.avi", "mpeg4"), ("a.webm", "libvpx-vp9")])
def test_what_is_there_of_a_truncated_video_is_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, file: str, codec: str
) -> None:
    def noise(k: int) -> np.ndarray:
        image = np.random.default_rng(k).integers(0, 256, (48, 64, 3), np.uint8)
        image[16:32, 20:44] = colour(k)
        return image

    path = write_clip(tmp_path / file, TENTHS, codec=codec, paint=noise)
    assert len(seen(path)) == 20
    assert not said(caplog)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    frames = seen(path)
    assert 6 <= len(frames) <= 14
    assert [time_s for _, time_s in frames] == [k / 10 for k in range(len(frames))]
    (message,) = said(caplog)
    assert file in message
    assert "cut off" in message
    assert is_video(path)


def test_a_truncated_mp4_without_its_index_is_refused(tmp_path: Path, clip: Path) -> None:
    path = tmp_path / "cut.mp4"
    path.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    assert "damaged or cut off" in refusal(path)


def test_damage_in_the_middle_costs_what_it_hit(tmp_path: Path, caplog: pytest.LogCaptureFixture, clip: Path) -> None:
    content = bytearray(clip.read_bytes())
    middle = content.index(b"mdat") + 3000
    content[middle : middle + 400] = bytes(400)
    (tmp_path / "a.mp4").write_bytes(content)
    assert len(list(read_frames(tmp_path / "a.mp4"))) >= 10
    assert len(said(caplog)) <= 1


def test_damaged_bytes_never_end_in_a_foreign_error(tmp_path: Path) -> None:
    """Whatever is in a file: frames, or one line."""
    rng = np.random.default_rng(0)
    sources = [
        write_clip(tmp_path / f"a{k}{Path(c[0]).suffix}", TENTHS[:6], codec=c[1]) for k, c in enumerate(CONTAINERS)
    ]
    path = tmp_path / "bad"
    for source in sources:
        good = source.read_bytes()
        for _ in range(25):
            bad = bytearray(good)
            for place in rng.integers(0, len(bad), 6):
                bad[place] = rng.integers(256)
            path.write_bytes(bad[: rng.integers(1, len(bad) + 1)])
            try:
                for frame in read_frames(path, start_s=0.1):
                    assert frame.image.ndim == 3
                load_video_audio(path)
                probe_video(path)
            except VideoError as error:
                lines = str(error).splitlines()
            else:
                lines = [""]
            assert len(lines) == 1


def test_a_small_file_that_claims_a_huge_size_takes_no_large_memory(tmp_path: Path, clip: Path) -> None:
    content = bytearray(clip.read_bytes())
    at = content.index(b"mp4v") + 4 + 24  # in the sample description: width and height, 16 bits each
    assert content[at : at + 4] == bytes([0, 64, 0, 48])
    content[at : at + 4] = b"\xff\xff\xff\xff"
    (tmp_path / "a.mp4").write_bytes(content)
    done = bounded(
        "try:\n    list(read_frames(sys.argv[1]))\n    print('read')\nexcept VideoError as error:\n    print(error)\n",
        tmp_path / "a.mp4",
        imports="import sys, av\nfrom zsavs.errors import VideoError\nfrom zsavs.media.video_file import read_frames\n",
        mebibytes=512,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_frames_larger_than_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch, clip: Path) -> None:
    monkeypatch.setattr("zsavs.media.video_file.MAX_PIXELS", 1000)
    with pytest.raises(VideoError, match=r"clip\.mp4: frames of 64x48 pixels are more than the limit"):
        probe_video(clip)


# ---------------------------------------------------------------------------------------------------- what is no video
def test_images_say_that_they_are_images(tmp_path: Path) -> None:
    image = Image.fromarray(np.zeros((8, 8, 3), np.uint8))
    for ending in ("png", "jpg", "gif", "webp", "tiff", "bmp"):
        image.save(tmp_path / f"a.{ending}")
        message = refusal(tmp_path / f"a.{ending}")
        assert ending == "bmp" or "image, not a video" in message
    frames = [Image.fromarray(np.full((8, 8, 3), level, np.uint8)) for level in (0, 200)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    assert "GIF image" in refusal(tmp_path / "moving.gif")


@pytest.mark.parametrize(("file", "codec"), [("a.wav", "pcm_s16le"), ("a.flac", "flac"), ("a.m4a", "aac")])
def test_audio_files_say_that_they_hold_only_sound(tmp_path: Path, file: str, codec: str) -> None:
    path = write_sound(tmp_path / file, [(0, 0.5, 440)], codec=codec)
    assert "no moving pictures, only sound" in refusal(path)
    with pytest.raises(VideoError, match="only sound"):
        load_video_audio(path)


def test_a_cover_image_is_no_video(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.m4a", [(0, 0.5, 440)], codec="aac", cover=True)
    with av.open(str(path)) as opened:
        assert len(opened.streams.video) == 1
    assert "only sound and a cover image" in refusal(path)


def test_texts_and_noise(tmp_path: Path) -> None:
    for name, content in (
        ("text.mp4", b"hello, this is a text\n" * 50),
        ("noise.mp4", np.random.default_rng(0).integers(0, 256, 5000, np.uint8).tobytes()),
        ("zeros.mp4", bytes(5000)),
        ("ansi.ans", b"\x1b[31mred\x1b[0m\r\n" * 100),
        ("header.mp4", b"\0\0\0\x20ftypisom\0\0\0\0" + bytes(200)),
    ):
        (tmp_path / name).write_bytes(content)
        assert "cannot be read as a video" in refusal(tmp_path / name)


def test_what_is_not_there_or_no_file(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "none.mp4")
    (tmp_path / "empty.mp4").touch()
    assert "0 bytes" in refusal(tmp_path / "empty.mp4")
    (tmp_path / "folder.mp4").mkdir()
    assert "is a folder" in refusal(tmp_path / "folder.mp4")
    os.mkfifo(tmp_path / "pipe.mp4")
    assert "is a pipe" in refusal(tmp_path / "pipe.mp4")
    assert "NoneType" in refusal(None)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[str]]]:
    """The address of a server of this machine, and what it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    with HTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}", asked
        listening.shutdown()


def test_no_address_is_opened_and_no_other_file(
    tmp_path: Path, clip: Path, server: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, asked = server
    shutil.copy(clip, tmp_path / "clip.mp4")
    monkeypatch.chdir(tmp_path)
    for path in (
        f"{address}/clip.mp4",
        "concat:clip.mp4|clip.mp4",
        "file:clip.mp4",
        "subfile,,start,0,end,9,,:clip.mp4",
    ):
        assert "no such file" in refusal(path)
    segments = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{}\n#EXT-X-ENDLIST\n"
    for name, text in (
        ("a.m3u8", segments.format("clip.mp4")),
        ("b.m3u8", segments.format(f"{address}/segment.ts")),
        ("c.ffconcat", "ffconcat version 1.0\nfile 'clip.mp4'\n"),
        (
            "d.sdp",
            f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nu={address}\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
        ),
        (
            "e.mpd",
            f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{address}</BaseURL></MPD>',
        ),
    ):
        (tmp_path / name).write_text(text)
        assert "cannot be read as a video" in refusal(tmp_path / name)
    assert not asked


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"fps": 0}, "fps"),
        ({"fps": -1}, "fps"),
        ({"fps": math.inf}, "fps"),
        ({"fps": math.nan}, "fps"),
        ({"fps": "2"}, "fps"),
        ({"fps": True}, "fps"),
        ({"start_s": -1}, "start_s"),
        ({"start_s": math.inf}, "start_s"),
        ({"start_s": None}, "start_s"),
        ({"end_s": 0}, "end_s"),
        ({"start_s": 2, "end_s": 1}, "end_s"),
        ({"end_s": math.nan}, "end_s"),
    ],
)
def test_rates_and_times_that_are_none_are_refused_at_once(clip: Path, settings: dict[str, float], what: str) -> None:
    with pytest.raises(VideoError, match=f"read_frames: {what}"):
        read_frames(clip, **settings)


def test_a_start_after_the_end_says_where_the_end_is(clip: Path) -> None:
    with pytest.raises(VideoError, match=r"it ends at 2\.00 s, before start_s=5"):
        list(read_frames(clip, start_s=5))


def test_without_pyav_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clip: Path) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    for ask in (probe_video, load_video_audio, is_video, lambda path: list(read_frames(path))):
        with pytest.raises(MissingExtra, match=r'clip\.mp4: .*run: pip install "zsavs\[video\]"'):
            ask(clip)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "a.png")
    assert not is_video(tmp_path / "a.png")
    assert not is_video(tmp_path / "none.mp4")


# -------------------------------------------------------------------------------------------------------------- streams
def test_a_reader_that_stops_closes_the_file(clip: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for start in (0.0, 1.0):
        frames = read_frames(clip, start_s=start)
        next(frames)
        frames.close()  # type: ignore[attr-defined]
    list(read_frames(clip))
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    """Ten minutes of frames that would take 415 MB."""
    path = write_clip(tmp_path / "long.mp4", [float(k) for k in range(600)], size_hw=(360, 640), length_s=1)
    done = bounded(
        "count, before = 0, 0\n"
        "for frame in read_frames(sys.argv[1]):\n"
        "    count += 1\n"
        "    if count == 60: before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(count, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)\n",
        path,
        imports="import resource, sys, av\nfrom zsavs.media.video_file import read_frames\n",
        mebibytes=2000,
        seconds=300,
    )
    count, mebibytes = map(int, done.stdout.split())
    assert count == 600
    assert mebibytes < 20


def test_the_limit_of_pixels_reaches_the_decoder() -> None:
    assert int(container._OPTIONS["max_pixels"]) == container.MAX_PIXELS

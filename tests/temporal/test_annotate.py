"""The annotated video: read again, and compared with what was drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import video_results
from numpy.typing import NDArray
from video_results import DURATION_S, NATIVE_FPS, SIZE_HW, images, masks_at

from zsavs.draw import palette
from zsavs.errors import ContractError, InputError, OutputError
from zsavs.media.video_file import load_video_audio, read_frames
from zsavs.temporal.video_result import VideoResult

#: The image is enlarged, as it is narrower than 320 pixels.
SCALE = 2
PINK = np.array(palette(1)[0])


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return video_results.write_clip(tmp_path_factory.mktemp("clip") / "dogs.mp4")


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return video_results.write_clip(tmp_path_factory.mktemp("clip") / "silent.mp4", audio=False)


@pytest.fixture(scope="module")
def written(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return video_results.result(str(clip)).save_video(tmp_path_factory.mktemp("out") / "a" / "dogs.mp4")


def colour_of(image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The mean colour within a mask of the video, in a frame of the annotated one."""
    large = np.kron(mask, np.ones((SCALE, SCALE), np.bool_))
    part: NDArray[np.uint8] = image[: large.shape[0], : large.shape[1]][large]
    return np.asarray(part.mean(axis=0))


def is_tinted(image: NDArray[np.uint8], time_s: float, track: int, colour: NDArray[np.int64]) -> bool:
    """Whether a thing is nearer to a colour than it is in the video."""
    own = np.array(video_results.COLOURS[track])
    seen = colour_of(image, masks_at(time_s)[track])
    return bool(np.abs(seen - own).max() > 15 and np.abs(seen - colour).sum() < np.abs(own - colour).sum())


def test_every_frame_is_written_at_its_time_with_the_timeline_beneath(written: Path) -> None:
    frames = list(read_frames(written))
    times = [frame.time_s for frame in frames]
    assert times == pytest.approx((np.arange(DURATION_S * NATIVE_FPS) / NATIVE_FPS).tolist(), abs=2e-3)
    height, width = frames[0].image.shape[:2]
    assert width == SCALE * SIZE_HW[1]
    assert SCALE * SIZE_HW[0] < height < 2.5 * SCALE * SIZE_HW[0]
    assert frames[0].image[-4:].mean() < 60, "the strip is dark"


def test_what_sounds_is_marked_while_it_sounds_in_the_frames_between_those_looked_at_too(written: Path) -> None:
    for frame in read_frames(written):
        on = any(a <= frame.time_s + 1e-3 < b for a, b in video_results.SOUNDS[1])
        if all(abs(frame.time_s - edge) > 0.02 for span in video_results.SOUNDS[1] for edge in span):
            assert is_tinted(frame.image, frame.time_s, 1, PINK) == on, frame.time_s
        assert np.abs(colour_of(frame.image, masks_at(frame.time_s)[2]) - video_results.COLOURS[2]).max() < 25


def test_the_sound_goes_along(written: Path, silent: Path, tmp_path: Path) -> None:
    heard = load_video_audio(written)
    assert heard is not None
    assert heard.duration_s == pytest.approx(DURATION_S, abs=0.1)
    assert np.abs(heard.mono()).max() > 0.05
    without = video_results.result(str(silent)).save_video(tmp_path / "silent.mp4")
    assert load_video_audio(without) is None


def test_always_outlines_what_does_not_sound(clip: Path, tmp_path: Path) -> None:
    seen: dict[str, NDArray[np.uint8]] = {}
    for show in ("sounding", "always"):
        path = video_results.result(str(clip)).save_video(tmp_path / f"{show}.mp4", show=show)
        seen[show] = next(frame.image for frame in read_frames(path) if frame.time_s > 1.0)
    mask = np.kron(masks_at(1.0)[2], np.ones((SCALE, SCALE), np.bool_))
    inner = mask & np.roll(mask, 8, 0) & np.roll(mask, -8, 0) & np.roll(mask, 8, 1) & np.roll(mask, -8, 1)
    difference = np.abs(seen["always"].astype(int) - seen["sounding"])[: mask.shape[0], : mask.shape[1]].max(axis=2)
    assert difference[inner].mean() < 12
    assert difference[mask & ~inner].mean() > 2 * difference[inner].mean() + 5


def test_a_part_of_the_video_is_written_from_the_first_to_the_last_frame_that_was_looked_at(
    clip: Path, tmp_path: Path
) -> None:
    whole = video_results.result(str(clip))
    part = VideoResult(whole.frames[2:6], SIZE_HW, (), whole.queries, str(clip))
    path = part.save_video(tmp_path / "part.mp4")
    assert len(list(read_frames(path))) == NATIVE_FPS
    heard = load_video_audio(path)
    assert heard is not None
    assert heard.duration_s == pytest.approx(1.0, abs=0.1)


def test_a_result_of_frames_takes_them_again(tmp_path: Path) -> None:
    result = video_results.result()
    path = result.save_video(tmp_path / "a.mp4", frames=images(video_results.FPS))
    assert [frame.time_s for frame in read_frames(path)] == pytest.approx(result.frames.tolist(), abs=2e-3)
    assert load_video_audio(path) is None
    more = result.save_video(tmp_path / "b.mp4", frames=iter(images()), fps=NATIVE_FPS, audio=video_results.sound())
    assert len(list(read_frames(more))) == NATIVE_FPS * DURATION_S
    heard = load_video_audio(more)
    assert heard is not None
    assert heard.duration_s == pytest.approx(DURATION_S, abs=0.1)
    soundfile.write(tmp_path / "tone.flac", video_results.sound().waveform.T, video_results.RATE_HZ)
    loud = result.save_video(tmp_path / "c.mp4", frames=images(), fps=NATIVE_FPS, audio=tmp_path / "tone.flac")
    heard = load_video_audio(loud)
    assert heard is not None
    assert np.abs(heard.mono()).max() > 0.05


def test_progress_and_every_image_are_told(clip: Path, tmp_path: Path) -> None:
    done: list[tuple[int, int | None]] = []
    watched: list[tuple[float, int]] = []
    video_results.result(str(clip)).save_video(
        tmp_path / "a.mp4",
        progress=lambda *steps: done.append(steps),
        watch=lambda image, time_s, number: watched.append((time_s, number)),
    )
    assert done == [(number, 40) for number in range(1, 41)]
    for time_s, number in watched:
        assert abs(number / video_results.FPS - min(time_s, 1.75)) <= 0.5 / video_results.FPS + 1e-3


def test_no_tracks_are_written_too(clip: Path, tmp_path: Path) -> None:
    nothing = VideoResult(np.arange(4) / 2, SIZE_HW, (), source=str(clip))
    assert len(list(read_frames(nothing.save_video(tmp_path / "a.mp4")))) == 40


def test_what_cannot_be_drawn_is_refused_before_anything_is_written(clip: Path, tmp_path: Path) -> None:
    result, out = video_results.result(str(clip)), tmp_path / "a.mp4"
    with pytest.raises(InputError, match="made from frames"):
        video_results.result().save_video(out)
    with pytest.raises(ContractError, match="sounding, always"):
        result.save_video(out, show="never")
    with pytest.raises(OutputError, match="the video itself"):
        result.save_video(clip)
    with pytest.raises(InputError, match="no frame"):
        VideoResult(np.zeros(0), SIZE_HW, (), source=str(clip)).save_video(out)
    with pytest.raises(InputError, match="of the result"):
        VideoResult(np.zeros(1), (50, 60), (), source=str(clip)).save_video(out)
    with pytest.raises(InputError, match=r"no frame between|before start_s"):
        VideoResult(np.array([100.0]), SIZE_HW, (), source=str(clip)).save_video(out)
    assert not out.exists()
    assert clip.exists()

"""The page of a video and what lies beside it."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
import video_results
from PIL import Image

from zsavs.errors import OutputError
from zsavs.temporal.video_result import VideoResult


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return video_results.write_clip(tmp_path_factory.mktemp("clip") / "two dogs.mp4")


@pytest.fixture(scope="module")
def page(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("out")
    files = video_results.result(str(clip)).save_page(folder, "two dogs", files={"two dogs.json": "all of it"})
    assert {path.name for path in folder.iterdir()} == {"two dogs.mp4", "two dogs.html"}
    assert set(files.values()) == set(folder.iterdir())
    return files["page"].read_text()


def test_the_page_plays_the_video_beside_it_and_names_the_files(page: str) -> None:
    assert 'src="two%20dogs.mp4"' in page
    assert "two dogs.json" in page
    assert "What sounds in two dogs.mp4" in page


def test_each_track_has_its_times_its_best_score_and_an_image(page: str) -> None:
    assert "sounds at 0.2-0.8 and 1.5-1.8 s" in page
    assert "in view, and does not sound" in page
    assert "not in view; sounds at 1.0-1.4 s" in page
    assert page.count(">0.90</span>") == 3
    crops = [base64.b64decode(data) for data in re.findall(r"data:image/png;base64,([^\"]+)", page)]
    assert len(crops) == 3
    colours = []
    for crop in crops:
        image = np.asarray(Image.open(io.BytesIO(crop)))
        colours.append(image[image.shape[0] // 2, image.shape[1] // 2])
    np.testing.assert_allclose(colours, list(video_results.COLOURS.values()), atol=25)


def test_a_track_is_shown_where_it_is_surest_while_it_sounds(page: str) -> None:
    times = dict(re.findall(r'alt="([^"]+) at ([\d.]+) s"', page))
    assert float(times["dog 1"]) == pytest.approx(1.5, abs=0.06), "not at 1.75 s, where it is surer and silent"
    assert float(times["violin"]) == pytest.approx(1.75, abs=0.06)


def test_notes_and_models_are_told(page: str) -> None:
    assert "<li>the sound ends at 1.9 s; what comes after is answered with nothing</li>" in page
    assert "<li>tracker: associate</li>" in page
    assert "somebody/" in page
    assert "Apache-2.0" in page


def test_a_part_says_where_it_begins(clip: Path, tmp_path: Path) -> None:
    whole = video_results.result(str(clip))
    part = VideoResult(whole.frames[4:], video_results.SIZE_HW, (), whole.queries, str(clip))
    text = part.save_page(tmp_path, "part")["page"].read_text()
    assert 'data-start="1.0"' in text
    assert "begins at 1.0 s" in text
    assert "Nothing in view is sounding." in text


def test_frames_have_a_page_too_and_no_sound_is_told(tmp_path: Path) -> None:
    frames = video_results.images(video_results.FPS)
    text = video_results.result().save_page(tmp_path, "frames", frames=frames)["page"].read_text()
    assert "This video has no sound." in text
    assert text.count("data:image/png") == 3
    heard = video_results.result().save_page(tmp_path, "heard", frames=frames, audio=video_results.sound())
    assert "waveform" in heard["page"].read_text()


def test_the_same_result_gives_the_same_page(clip: Path, page: str, tmp_path: Path) -> None:
    again = video_results.result(str(clip)).save_page(tmp_path, "two dogs", files={"two dogs.json": "all of it"})
    assert again["page"].read_text() == page


@pytest.mark.parametrize("stem", ["", "a/b", "../a"])
def test_a_stem_is_no_folder(clip: Path, tmp_path: Path, stem: str) -> None:
    with pytest.raises(OutputError):
        video_results.result(str(clip)).save_page(tmp_path, stem)

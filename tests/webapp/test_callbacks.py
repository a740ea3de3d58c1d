"""What the page does, without a page: answers, thresholds, regions, files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import toy_video
from PIL import Image

import zsavs
from zsavs.considered import Thresholds
from zsavs.errors import AudioError, ImageError, InputError, VideoError
from zsavs.media.video_writer import VideoWriter
from zsavs.webapp.answers import ImageAnswer
from zsavs.webapp.callbacks import Callbacks


def labels(answer: ImageAnswer) -> list[str]:
    return [region.label for region in answer.regions()]


def test_an_image_is_answered_by_several_strategies_as_anywhere_else(
    answer: ImageAnswer, pair: tuple[str, str]
) -> None:
    assert list(answer.considered) == ["audio_to_text", "fused"]
    expected = zsavs.segment(*pair, strategy="audio_to_text", preset="toy")
    assert labels(answer) == list(expected.phrases)
    assert np.array_equal(answer.result.score_map, expected.score_map)


def test_other_thresholds_and_what_is_removed_ask_no_model(answer: ImageAnswer) -> None:
    """The answer has no model in it: what is kept is arrays."""
    assert sorted(labels(answer)) == ["green", "red"]
    assert labels(answer.with_thresholds(Thresholds(min_weight=1.0))) == []
    assert labels(answer.with_thresholds(Thresholds(min_score=1.0))) == []
    first, second = answer.regions()
    without = answer.without(first.key)
    assert [region.key for region in without.regions()] == [second.key]
    assert without.count_removed == 1
    assert labels(without.with_all()) == labels(answer)
    other = without.looking_at("fused")
    assert sorted(labels(other)) == ["green", "red"], "what is removed of one strategy stays in another"


def test_a_region_keeps_its_colour_by_any_thresholds_and_strategy(answer: ImageAnswer) -> None:
    colours = {region.label: region.colour for region in answer.regions()}
    assert len(set(colours.values())) == 2
    first, second = answer.regions()
    assert answer.without(first.key).regions()[0].colour == second.colour
    assert {region.label: region.colour for region in answer.looking_at("fused").regions()} == colours


def test_a_point_finds_its_region(answer: ImageAnswer) -> None:
    height, width = answer.looked_at.sample.size_hw
    for region, mask in zip(answer.regions(), answer.result.masks, strict=True):
        rows, columns = np.nonzero(mask)
        middle = len(rows) // 2
        assert answer.at((columns[middle] + 0.5) / width, (rows[middle] + 0.5) / height) == region.key
    assert answer.at(0.0, 0.0) is None
    assert answer.at(1.0, 1.0) is None


def test_why_a_region_was_marked_is_told_with_the_numbers_of_the_answer(doings: Callbacks, answer: ImageAnswer) -> None:
    region = answer.regions()[0]
    reason = doings.reason(answer, region.key)
    assert reason is not None
    told = dict(reason.rows)
    weights = dict(zip(answer.result.queries.phrases, answer.result.queries.weights, strict=True))
    other = next(phrase for phrase in weights if phrase != region.label)
    gap = weights[region.label] - weights[other]
    assert f"{region.label} {weights[region.label]:.2f}" in told["Heard"]
    assert f"{other} {weights[other]:.2f}, {abs(gap):.2f}" in told["Heard"]
    assert f"Score {region.score:.2f}" in told["Seen"]
    assert doings.reason(answer.without(region.key), region.key) is None
    assert doings.reason(answer, None) is None


def test_fainter_sounds_are_looked_for_on_demand_and_hidden_at_first(
    doings: Callbacks, answer: ImageAnswer, pair: tuple[str, str]
) -> None:
    more = doings.answer_pair(*pair, "toy", ["audio_to_text"], fainter=True)
    assert len(more.looked_at.query) >= len(answer.looked_at.query)
    assert set(labels(more)) == {"red", "green"}, "at the strategy's own threshold"
    lower = more.with_thresholds(Thresholds())
    assert set(labels(lower)) >= {"red", "green"}
    assert more.thresholds.min_weight > 0


@pytest.mark.parametrize("what", ["image", "audio"])
def test_what_is_missing_is_asked_for(doings: Callbacks, pair: tuple[str, str], what: str) -> None:
    image, audio = pair
    with pytest.raises(ImageError if what == "image" else AudioError, match=r"Add (an image|a recording) first"):
        doings.answer_pair(None if what == "image" else image, None if what == "audio" else audio, "toy", ["fused"])
    with pytest.raises(InputError, match="Choose a strategy"):
        doings.answer_pair(image, audio, "toy", [])


def explained(doings: Callbacks, image: str, audio: str) -> str:
    with pytest.raises(zsavs.ZsavsError) as error:
        doings.answer_pair(image, audio, "toy", ["fused"])
    said = doings.explain(error.value, image, audio)
    assert str(doings.uploads.root) not in said
    assert "/" not in said.replace("zsavs segment IMAGE AUDIO", "").replace("and/or", "")
    return said


def test_bad_files_are_named_without_where_they_lie(doings: Callbacks, pair: tuple[str, str], root: Path) -> None:
    image, audio = pair
    broken, gone = root / "0123abcd" / "broken.png", str(root / "0123abcd" / "gone.png")
    broken.write_text("no image")
    assert "broken.png" in explained(doings, str(broken), audio)
    assert "broken.png" in explained(doings, image, str(broken))
    assert explained(doings, gone, audio) == "gone.png has been deleted here; add it again."


def test_what_is_too_large_or_too_long_is_refused_with_the_limit(
    doings: Callbacks, pair: tuple[str, str], root: Path
) -> None:
    image, audio = pair
    long, large = root / "long.wav", root / "large.png"
    soundfile.write(long, np.zeros(6 * 8000), 8000)
    assert "long.wav is longer than the 5 s" in explained(doings, image, str(long))
    with large.open("wb") as file:
        file.truncate(2_000_000)
    assert "large.png has 2 MB; this page takes 1 MB" in explained(doings, str(large), audio)


def test_a_strategy_that_fails_is_told_beside_the_others(doings: Callbacks, pair: tuple[str, str]) -> None:
    answer = doings.answer_pair(*pair, "toy", ["fused", "no_such_strategy"])
    assert list(answer.considered) == ["fused"]
    assert "there is no strategy named 'no_such_strategy'" in answer.failed["no_such_strategy"]
    with pytest.raises(InputError, match="no_such_strategy: there is no strategy"):
        doings.answer_pair(*pair, "toy", ["no_such_strategy"])


def test_what_nobody_expected_is_logged_and_told_by_its_kind_alone(
    doings: Callbacks, caplog: pytest.LogCaptureFixture
) -> None:
    said = doings.explain(RuntimeError("/root/secret is not there"))
    assert "RuntimeError" in said
    assert "secret" not in said
    assert "/root/secret" in caplog.text


def test_files_to_take_home_know_no_folder_of_this_machine(doings: Callbacks, answer: ImageAnswer, root: Path) -> None:
    files = {path.name: path for path in doings.write_files(answer, "somebody")}
    assert set(files) == {f"discs{end}" for end in ("_overlay.png", "_mask.png", "_score.png", "_card.png")} | {
        "discs.json", "discs_coco.json",
    }  # fmt: skip
    for path in files.values():
        assert root in path.parents
        assert str(root).encode() not in path.read_bytes()
    assert zsavs.AVSResult.load(files["discs.json"]).phrases == answer.result.phrases
    coco = json.loads(files["discs_coco.json"].read_text())
    assert len(coco["annotations"]) == 2
    assert np.asarray(Image.open(files["discs_mask.png"])).any()
    again = doings.write_files(answer.without(answer.regions()[0].key), "somebody")
    assert not files["discs.json"].exists(), "in place of those before"
    assert doings.forget("somebody") == len(again)
    with pytest.raises(InputError, match="no answer yet"):
        doings.write_files(None, "somebody")


# ---------------------------------------------------------------------------------- videos
@pytest.fixture(scope="module")
def clip(root: Path) -> str:
    pytest.importorskip("av")
    return str(toy_video.write(root / "two discs.mp4"))


def test_a_video_is_answered_by_the_same_rules(doings: Callbacks, clip: str) -> None:
    shares: list[float] = []
    answer = doings.answer_video(clip, "toy", "audio_to_text", lambda share, _: shares.append(share))
    assert {region.label for region in answer.regions()} == {"red", "blue"}
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert answer.with_thresholds(Thresholds(min_score=1.0)).regions() == []
    key = answer.regions()[0].key
    assert len(answer.without(key).regions()) == 1
    reason = doings.reason(answer, key)
    assert reason is not None
    assert "Followed through" in dict(reason.rows)["Seen"]
    files = {path.name: path for path in doings.write_files(answer, "somebody")}
    assert set(files) == {"two discs.mp4", "two discs.html", "two discs.json", "two discs_coco.json"}
    for name in ("two discs.html", "two discs.json", "two discs_coco.json"):
        assert str(Path(clip).parent) not in files[name].read_text()


def test_bad_videos_are_refused(doings: Callbacks, clip: str, root: Path, pair: tuple[str, str]) -> None:
    with pytest.raises(VideoError, match="Add a video first"):
        doings.answer_video(None, "toy", "fused")
    with pytest.raises(VideoError):
        doings.answer_video(pair[0], "toy", "fused")
    silent = root / "silent.mp4"
    with VideoWriter(silent, (64, 96), 4) as writer:
        writer.write(toy_video.frames()[0], 0.0)
    with pytest.raises(VideoError, match=r"silent\.mp4 has no sound"):
        doings.answer_video(str(silent), "toy", "fused")
    with pytest.raises(AudioError, match=r"two discs\.mp4 is a video; put it under “Video”"):
        doings.answer_pair(pair[0], clip, "toy", ["fused"])

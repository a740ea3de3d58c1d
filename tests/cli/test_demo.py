"""The demo: what its page shows and plays, on the toy world and on scenes as files."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from motion_clips import write_clips
from orchestra_scenes import GROUPS, write_scenes
from page_reader import PageReader
from PIL import Image

from zsavs import presets
from zsavs.cli import demo
from zsavs.cli.demo import scenes as scenes_module
from zsavs.cli.main import main
from zsavs.datasets.orchestra import Orchestra
from zsavs.datasets.orchestra_motion import MotionClip, OrchestraMotion
from zsavs.errors import InputError
from zsavs.media.video_file import probe_video
from zsavs.report.blocks import Audio, Page, Section
from zsavs.report.render import render
from zsavs.result import AVSResult


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("scenes")
    write_scenes(root)
    return root


@pytest.fixture(scope="module")
def toy_demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("demo")
    return folder, list(demo.run(folder, "toy"))


# ---------------------------------------------------------------------------------- the toy world
def test_the_page_shows_every_scene_and_strategy(toy_demo: tuple[Path, list[str]]) -> None:
    folder, said = toy_demo
    page = PageReader(folder / "index.html")
    scenes = demo.toy_scenes()
    assert len(page.links("img")) == len(scenes) * (2 + len(demo.STRATEGIES))
    assert len(page.links("audio")) == len(scenes)
    for link in (*page.links("img"), *page.links("audio")):
        assert (folder / link).is_file(), link
    for scene in scenes:
        assert scene.title in page.text
    assert "blue thing 1.00" in page.text  # heard, with its weight
    assert "0.86" in page.text  # found, with its score
    assert "nothing in view sounds" in page.text
    assert str(folder / "index.html") in said[-1]
    assert len(list(folder.glob("*.png"))) == len(scenes) * len(demo.STRATEGIES)


def test_the_page_may_play_sounds_and_run_nothing(toy_demo: tuple[Path, list[str]]) -> None:
    page = PageReader(toy_demo[0] / "index.html")
    policy = next(a["content"] for tag, a in page.tags if tag == "meta" and "http-equiv" in a)
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "media-src 'self' file:" in policy
    assert "script" not in policy
    assert all("controls" in attributes for tag, attributes in page.tags if tag == "audio")


def test_images_are_what_they_are_called(toy_demo: tuple[Path, list[str]]) -> None:
    for scene in demo.toy_scenes():
        image, truth, fused = (
            np.asarray(Image.open(toy_demo[0] / "page" / f"{scene.name}_{what}.png"))
            for what in ("picture", "truth", "fused")
        )
        assert np.array_equal(image, scene.sample.image)
        for drawn in (truth, fused):  # in the toy world the strategies are right
            changed = (drawn != image).any(axis=2)
            assert changed[scene.target].mean() > 0.95 if scene.sources else not changed.any()
            assert changed.mean() < 3 * scene.target.mean() + 0.01


def test_toy_scenes_are_heard_as_they_are(toy_demo: tuple[Path, list[str]]) -> None:
    for scene in demo.toy_scenes():
        wave, rate = soundfile.read(toy_demo[0] / "page" / f"{scene.name}.wav")
        assert rate == scene.sample.audio.sample_rate_hz
        assert np.abs(wave - scene.sample.audio.mono()).max() < 1e-4
    off_screen = demo.toy_scenes()[-1]
    assert (off_screen.heard, off_screen.sources, off_screen.target.any()) == (("purple",), (), False)


def test_the_same_demo_gives_the_same_page(tmp_path: Path) -> None:
    for run in ("1", "2"):
        list(demo.write_demo(demo.toy_scenes()[:1], "toy", tmp_path / run))
    written = sorted(files(tmp_path / "1"))
    assert len(written) == 3 + 6 + 1, "cards, the files beside the page, and the page"
    for path in written:
        assert (tmp_path / "2" / path.relative_to(tmp_path / "1")).read_bytes() == path.read_bytes()


# ------------------------------------------------------------------------------- scenes as files
def test_scenes_of_our_choice_are_shown_as_files(scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenes_module, "_SHIPPED", ("two_instances_001", "single_000"))
    shown = demo.shipped_scenes(Orchestra(scenes))
    assert [scene.name for scene in shown] == ["two_instances_001", "single_000"]
    twice = shown[0]
    assert (twice.sources, twice.masks.shape[0]) == (("yellow", "yellow"), 2)
    assert not (twice.masks[0] & twice.masks[1]).any()
    assert np.array_equal(twice.target, Orchestra(scenes).load("two_instances_001").target.mask)
    said = list(demo.write_demo(shown, "toy", tmp_path))
    assert [line.split()[-1] for line in said if line.startswith("two_instances")] == ["1.00"] * 3
    for scene in shown:
        copied = tmp_path / "page" / f"{scene.name}.ogg"
        assert copied.read_bytes() == (scenes / "audio" / f"{scene.name}.ogg").read_bytes()
        assert soundfile.info(io.BytesIO(copied.read_bytes())).duration == pytest.approx(2)
    page = PageReader(tmp_path / "index.html")
    assert "All about two_instances." in page.text
    assert "2 × yellow" in page.text


def test_without_them_the_first_of_each_group_is_shown(scenes: Path) -> None:
    assert [scene.name for scene in demo.shipped_scenes(Orchestra(scenes))] == [f"{group}_000" for group in GROUPS]


@pytest.fixture
def small_nano(scenes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Preset nano with the parts of the toy world, on two small scenes of it."""
    monkeypatch.setitem(presets.PRESETS, "nano", presets.PRESETS["toy"])
    monkeypatch.setattr(Orchestra, "shipped", scenes)
    monkeypatch.setattr(scenes_module, "_SHIPPED", ("single_000", "off_screen_000"))
    monkeypatch.setattr(demo, "shipped_clip", lambda: None)


@pytest.mark.usefixtures("small_nano")
def test_another_preset_runs_on_the_scenes_that_come_with_zsavs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "\n".join(demo.run(tmp_path, "nano"))
    assert "very small trained models" in said
    assert "hand-written" not in said
    assert "off_screen_000" in said
    monkeypatch.setattr(Orchestra, "shipped", tmp_path / "nowhere")
    with pytest.raises(InputError, match="no scenes of the orchestra"):
        list(demo.run(tmp_path, "nano"))


# ------------------------------------------------------------------------------- a clip in motion
@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> MotionClip:
    root = tmp_path_factory.mktemp("clips")
    write_clips(root, each=1)
    return OrchestraMotion(root).clip("moving_000")


def test_a_clip_is_played_and_has_a_page_of_its_own(clip: MotionClip, tmp_path: Path) -> None:
    pytest.importorskip("av")
    said = list(demo.write_demo([], "toy", tmp_path, clip=clip))
    page = PageReader(tmp_path / "index.html")
    assert page.links("video") == ["page/moving_000.mp4"]
    assert "page/moving_000.html" in page.links("a", "href")
    assert probe_video(tmp_path / "page" / "moving_000.mp4").has_audio
    lanes = PageReader(tmp_path / "page" / "moving_000.html")
    assert "red" in lanes.text
    assert "0.5-2.0 s" in page.text, "the truth"
    told = next(line for line in said if line.startswith("moving_000"))
    assert "red" in told
    assert float(told.split()[-1]) > 0.5


def test_where_no_video_can_be_written_the_demo_goes_on(
    clip: MotionClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    list(demo.write_demo([], "toy", tmp_path, clip=clip))
    assert 'pip install "zsavs[video]"' in capsys.readouterr().err
    assert PageReader(tmp_path / "index.html").links("video") == []


# ------------------------------------------------------------------------------------- what is odd
def test_names_and_labels_cannot_break_the_page(tmp_path: Path) -> None:
    hostile = "<script>alert('x')</script>\u202e\n\"&"
    scene = replace(
        demo.toy_scenes()[0], name="a \"b' <i>#%é&", title=hostile, story=hostile, heard=(hostile,), sources=(hostile,)
    )
    list(demo.write_demo([scene], "toy", tmp_path))
    page = PageReader(tmp_path / "index.html")
    assert {tag for tag, _ in page.tags} & {"script", "i"} == set()
    assert "<script>alert('x')</script> \"&" in page.text
    assert "\u202e" not in page.text
    for link in (*page.links("img"), *page.links("audio"), *page.links("a", "href")):
        assert link.startswith("#part-") or (tmp_path / link).is_file(), link


def test_a_sound_is_a_link_in_markdown() -> None:
    page = Page("t", "s", [Section("x", [Audio("page/a b.wav", "a [sound]")])])
    assert "- [a \\[sound\\]](<page/a%20b.wav>)" in render(page, "markdown")


@pytest.mark.usefixtures("small_nano")
def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["demo", "--out", str(tmp_path / "file" / "demo")]) == 1
    said = capsys.readouterr().err
    assert "cannot be written" in said
    assert said.count("\n") == 1


@pytest.mark.usefixtures("small_nano")
def test_an_interrupted_demo_leaves_whole_files_and_no_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cards = iter([1, 2, 3, 4])

    def card(self: AVSResult, *_: object) -> Image.Image:
        if next(cards) == 4:
            raise KeyboardInterrupt
        return Image.new("RGB", (8, 8))

    monkeypatch.setattr(AVSResult, "card", card)
    assert main(["demo", "--out", str(tmp_path)]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert not (tmp_path / "index.html").exists()
    assert len(list(tmp_path.glob("*.png"))) == 3
    for path in files(tmp_path):
        assert not path.name.startswith(".")


def files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())

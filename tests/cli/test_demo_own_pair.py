"""``zsavs demo IMAGE AUDIO``: the page of one's own pair."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from page_reader import PageReader
from PIL import Image

from zsavs.cli.main import main
from zsavs.result import AVSResult
from zsavs.testing import toy

RUN = ["--preset", "toy", "--strategy", "fused", "--strategy", "cross_modal"]


def test_the_page_shows_and_plays_ones_own_pair(
    pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a page & more"
    assert main(["demo", *pair, *RUN, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[-1] == f"a page to look at and to listen to: {out / 'scene.html'}"
    page = PageReader(out / "scene.html")
    assert "scene.png with scene.wav" in page.text
    assert "preset toy" in page.text
    (sound,) = page.links("audio")
    heard, rate = soundfile.read(out / sound)
    given, _ = soundfile.read(pair[1])
    assert rate == toy.scene(("red",), ("red",))[0].audio.sample_rate_hz
    assert np.allclose(heard, given, atol=1e-3)
    images = page.links("img")
    assert len(images) == 3, "the image, and what each strategy marks"
    shown = [np.asarray(Image.open(out / image).convert("RGB")) for image in images]
    assert np.array_equal(shown[0], np.asarray(Image.open(pair[0]).convert("RGB")))
    assert all((mask != shown[0]).any() for mask in shown[1:])
    assert page.text.count("blue") >= 4, "heard and found by both"
    assert AVSResult.load(out / "scene_fused.json").phrases == ("blue",)


def test_pages_of_other_pairs_stay(pair: tuple[str, str], tmp_path: Path) -> None:
    sample, _ = toy.scene(("red", "blue"), ("red",))
    soundfile.write(tmp_path / "other.flac", sample.audio.waveform.T, sample.audio.sample_rate_hz)
    for sound in (pair[1], str(tmp_path / "other.flac")):
        assert main(["demo", pair[0], sound, *RUN, "--out", str(tmp_path / "out")]) == 0
    assert "blue" in PageReader(tmp_path / "out" / "scene.html").text
    other = PageReader(tmp_path / "out" / "scene_other.html")
    assert "red" in other.text
    assert other.links("audio") == ["page/scene_other.flac"]
    assert (tmp_path / "out" / "page" / "scene_other.flac").read_bytes() == (tmp_path / "other.flac").read_bytes()


def test_a_strategy_that_fails_is_said_on_the_page(
    pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(toy.ToyCaptioner, "caption", broken)
    assert main(["demo", *pair, *RUN, "--out", str(tmp_path / "out")]) == 1
    assert "cross_modal: ZeroDivisionError: a defect" in capsys.readouterr().err
    page = PageReader(tmp_path / "out" / "scene.html")
    assert "cross_modal has no answer: ZeroDivisionError: a defect" in page.text
    assert len(page.links("img")) == 2


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["{image}"], 2, "zsavs demo IMAGE AUDIO"),
        (["--preset", "toy"], 2, "--preset: is for a pair of your own: zsavs demo IMAGE AUDIO"),
        (["{image}", "none.wav", "--preset", "toy"], 1, "none.wav: there is no such file"),
    ],
)
def test_what_is_lacking_is_said_in_a_line(
    words: list[str], code: int, said: str, pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["demo", *(word.format(image=pair[0]) for word in words), "--out", str(out)]) == code
    assert said in capsys.readouterr().err
    assert not out.exists()

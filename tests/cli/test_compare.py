"""``zsavs compare``: strategies side by side."""

from __future__ import annotations

import json
import weakref
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

import zsavs
from zsavs.build import shared_weights
from zsavs.cli.main import main
from zsavs.testing import toy


def test_compare_runs_every_strategy(pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *pair, "--preset", "toy", "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    for name in zsavs.list_components("strategy"):
        assert f"{name} (toy)" in said
        assert (tmp_path / "out" / f"scene_{name}_card.png").exists()
    assert Image.open(tmp_path / "out" / "scene_compare.png").width > 1900


def test_compare_puts_several_pairs_on_one_page_a_row_each(
    pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    sample, _ = toy.scene(("red", "blue"), ("red",))
    soundfile.write(other / "red.wav", sample.audio.waveform.T, sample.audio.sample_rate_hz)
    Image.fromarray(sample.image).save(other / "scene.png")
    pairs = [*pair, str(other / "scene.png"), str(other / "red.wav")]  # two images of one name
    run = ["compare", *pairs, "--preset", "toy", "--strategy", "fused", "--strategy", "cross_modal"]
    run += ["--out", str(tmp_path / "out")]
    assert main(run) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if " + " in line] == [f"{pair[0]} + {pair[1]}", " + ".join(pairs[2:])]
    found = [line.split()[1] for line in said if line.startswith("  found:")]
    assert found == ["blue", "blue", "red", "red"]
    sheet = np.asarray(Image.open(tmp_path / "out" / "compare.png"))
    assert said[-1] == f"side by side: {tmp_path / 'out' / 'compare.png'}"
    assert sheet.shape[1] == 16 + 2 * (640 + 16), "two strategies side by side"
    cards = [Image.open(tmp_path / "out" / f"{stem}_fused_card.png") for stem in ("scene", "scene_red")]
    heights = [round(card.height * 640 / card.width) for card in cards]
    assert sheet.shape[0] == sum(heights) + 3 * 16, "two pairs, one above the other"
    assert main([*run, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["audio"] for row in told] == pairs[1::2]
    assert [row["answers"]["fused"]["objects"][0]["phrase"].split()[0] for row in told] == ["blue", "red"]


@pytest.fixture
def three(pair: tuple[str, str], tmp_path: Path) -> list[str]:
    """Three pairs, of which the second has a broken image."""
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    other, sound = tmp_path / "other.png", tmp_path / "other.wav"
    sample, _ = toy.scene(("red", "blue"), ("red",), size_hw=(80, 90))
    Image.fromarray(sample.image).save(other)
    soundfile.write(sound, sample.audio.waveform.T, sample.audio.sample_rate_hz)
    return [*pair, str(broken), pair[1], str(other), str(sound)]


def test_a_broken_pair_costs_itself_and_the_exit_code_says_so(
    three: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["compare", *three, "--preset", "toy", "--strategy", "fused", "--strategy", "cross_modal"]
    run += ["--out", str(tmp_path / "out")]
    assert main(run) == 1
    said = capsys.readouterr()
    found = [line.split()[1] for line in said.out.splitlines() if line.startswith("  found:")]
    assert found == ["blue", "blue", "red", "red"]
    *_, named, last = said.err.splitlines()
    assert named.startswith(f"zsavs: failed: {three[2]} + {three[3]}: {three[2]}: ")
    assert last == f"zsavs: error: 1 failed; the 4 other answers are written to {tmp_path / 'out'}"
    assert len(list((tmp_path / "out").glob("*_card.png"))) == 4
    assert Image.open(tmp_path / "out" / "compare.png").width == 16 + 2 * 656
    assert main([*run, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [len(row["answers"]) for row in told] == [2, 0, 2]
    assert told[1]["error"].startswith(three[2])


def test_a_strategy_that_fails_costs_its_answers(
    three: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On one image, or on all of them because it cannot be built."""
    caption = toy.ToyCaptioner.caption

    def sometimes(self: toy.ToyCaptioner, items: list[np.ndarray]) -> list[str]:
        if any(image.shape[:2] == (80, 90) for image in items):
            raise ZeroDivisionError("a defect")
        return caption(self, items)

    monkeypatch.setattr(toy.ToyCaptioner, "caption", sometimes)
    run = ["compare", *three[:2], *three[4:], "--preset", "toy", "--out", str(tmp_path / "out")]
    run += ["--strategy", "fused", "--strategy", "cross_modal"]
    assert main([*run, "--json"]) == 1
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert [sorted(name for name in row["answers"] if "files" in row["answers"][name]) for row in told] == [
        ["cross_modal", "fused"],
        ["fused"],
    ]
    assert f"failed: {three[4]} + {three[5]}: cross_modal: ZeroDivisionError: a defect" in said.err

    def broken(cls: type) -> None:
        raise RuntimeError("cannot be made")

    monkeypatch.setattr(toy.ToyCaptioner, "load", classmethod(lambda cls, **_: broken(cls)))
    # Loaded anew, whatever else in this process still holds one.
    monkeypatch.setattr(shared_weights, "_alive", weakref.WeakValueDictionary())
    assert main([*run, "--json"]) == 1
    said = capsys.readouterr()
    assert [row["answers"]["cross_modal"] for row in json.loads(said.out)] == [
        {"error": "RuntimeError: cannot be made"}
    ] * 2
    assert "2 failed; the 2 other answers are written" in said.err


def test_a_broken_pair_alone_is_said_as_ever(
    three: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["--preset", "toy", "--strategy", "fused", "--out", str(tmp_path / "out")]
    for command in ("compare", "segment"):
        assert main([command, *three[2:4], *run]) == 1
        assert capsys.readouterr().err.startswith(f"zsavs: error: {three[2]}: ")
    assert not (tmp_path / "out").exists()

"""``zsavs compare``: strategies side by side."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

import zsavs
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
    cards = [Image.open(tmp_path / "out" / f"{stem}_fused_card.png") for stem in ("scene", "scene-2")]
    heights = [round(card.height * 640 / card.width) for card in cards]
    assert sheet.shape[0] == sum(heights) + 3 * 16, "two pairs, one above the other"
    assert main([*run, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["audio"] for row in told] == pairs[1::2]
    assert [row["answers"]["fused"]["objects"][0]["phrase"].split()[0] for row in told] == ["blue", "red"]

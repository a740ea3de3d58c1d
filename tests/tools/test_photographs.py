"""The photographs and audio files of the demo: small, each with a source and a licence; the meow, made again."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tools.photographs import meow
from tools.photographs.__main__ import main
from zsavs.datasets.photographs import FOLDER, Origin, shipped_photographs

ROOT = Path(__file__).parents[2]
LICENCES = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
ORIGINS = [origin for photograph in shipped_photographs() for origin in (photograph.image, photograph.audio)]


@pytest.mark.parametrize("origin", ORIGINS, ids=lambda origin: origin.path.name)
def test_a_file_is_small_and_free_by_what_its_source_says(origin: Origin) -> None:
    assert 1000 < origin.path.stat().st_size <= 60_000
    rows = re.findall(rf"^\| {re.escape(origin.path.name)} \| .* \| (.*) \|$", LICENCES, re.M)
    assert len(rows) == 1, "one row of docs/licences.md for each file"
    assert rows[0] in ("public domain", "CC0")
    assert origin.licence.lower().startswith(rows[0].lower())
    assert origin.source
    assert origin.about


def test_nothing_lies_beside_them() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {origin.path.name for origin in ORIGINS} | {"pairs.json"}


def test_photographs_are_of_the_size_that_models_like_and_their_audio_is_short() -> None:
    for photograph in shipped_photographs():
        assert 256 <= max(photograph.sample.size_hw) <= 512
        assert photograph.sample.image.std() > 20
        assert 2 <= photograph.sample.audio.duration_s <= 4
        assert np.abs(photograph.sample.audio.mono()).max() > 0.1
        assert photograph.sample.audio.waveform.shape[0] == 1


def test_what_is_synthesised_says_by_what() -> None:
    for origin in ORIGINS:
        if not origin.real:
            script = re.search(r"tools/\S+\.py", origin.about)
            assert script is not None
            assert (ROOT / script.group()).is_file()


def test_the_meow_is_what_the_script_synthesises(tmp_path: Path) -> None:
    """To the last bit but one: sines may differ in their last digits from one numpy to another."""
    shipped, rate_hz = soundfile.read(FOLDER / "cat.flac", dtype="int16")
    main(["--out", str(tmp_path)])
    made, made_hz = soundfile.read(tmp_path / "cat.flac", dtype="int16")
    assert rate_hz == made_hz == meow.RATE_HZ
    assert made.shape == shipped.shape
    assert np.abs(made.astype(np.int32) - shipped).max() <= 1
    assert [path.name for path in tmp_path.iterdir()] == ["cat.flac"]


def test_the_list_is_plain_json() -> None:
    rows = json.loads((FOLDER / "pairs.json").read_text(encoding="utf-8"))
    assert [row["label"] for row in rows] == ["person", "cat"]

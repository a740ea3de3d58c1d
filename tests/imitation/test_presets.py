"""Whole presets of imitated checkpoints, from folders laid out as the hub's, answer a pair."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from adapter_helpers import into_hub_cache
from imitation import SOURCES, checkpoint, lay_out_preset, shrink_architectures

import zsavs
from tools.imitation.inputs import audio, image
from zsavs import AudioClip, AVSample
from zsavs.build import build_parts
from zsavs.build.availability import missing_weights, preset_cards, strategies_of
from zsavs.errors import MissingWeights
from zsavs.segmentation.grounder_masks import FromGrounder
from zsavs.storage.weights import is_address

SAMPLE = AVSample(image(), AudioClip(audio(16_000, 2.0)[None], 16_000), "imitation")
PRESETS = ["base", "large", "imagebind", "pe", "sam3"]
#: The others go through the classes of these two, and of adapters that have tests of their own.
FULL = [name if name in ("base", "sam3") else pytest.param(name, marks=pytest.mark.full) for name in PRESETS]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache, and architectures as small as the imitated weights."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    shrink_architectures(monkeypatch)
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


def fetched(preset: str, tmp_path: Path, cache: Path) -> dict[str, Path]:
    """Lay out a preset and put all of it where a download would."""
    made = lay_out_preset(preset, tmp_path / "hub")
    for source, path in made.items():
        if is_address(source):
            for file in (path, path.with_name("config.json")):
                shutil.copy(file, cache)
        else:
            into_hub_cache(path, source, cache)
    return made


@pytest.mark.parametrize("preset", FULL)
def test_a_preset_answers(preset: str, tmp_path: Path, cache: Path) -> None:
    assert missing_weights(preset)
    made = fetched(preset, tmp_path, cache)
    assert set(made) == {card.source for card in preset_cards(preset).values()}
    assert not missing_weights(preset)
    for name in strategies_of(preset):
        result = zsavs.build_pipeline(name, preset, device="cpu")(SAMPLE)
        assert result.masks.shape[1:] == SAMPLE.size_hw
        assert np.isfinite(result.score_map).all()
        assert len(result.phrases) == len(result.masks)
        if name == "fused":
            detector = {"large": "GroundingDinoGrounder", "sam3": "Sam3Grounder"}.get(preset, "OmDetGrounder")
            assert result.meta["models"]["grounder"]["component"] == detector


def test_a_folder_of_the_layout_loads_as_it_is(tmp_path: Path, cache: Path) -> None:
    made = lay_out_preset("large", tmp_path / "hub")
    assert all(path == tmp_path / "hub" / source for source, path in made.items())
    for source in set(made) & set(SOURCES):
        assert {path.name for path in made[source].iterdir()} == {path.name for path in checkpoint(source).iterdir()}


def test_sam3_is_loaded_from_the_grounders_checkpoint_and_shares_its_encoder(tmp_path: Path, cache: Path) -> None:
    folder = shutil.copytree(checkpoint("facebook/sam3"), tmp_path / "mine")
    named = {"grounder": f"sam3:{folder}", "tracker": "sam3_video"}
    parts = build_parts(["grounder", "segmenter", "tracker"], "sam3", "cpu", parts=named)
    assert isinstance(parts["segmenter"], FromGrounder)
    models = [parts["grounder"], parts["segmenter"].segmenter, parts["tracker"]]
    assert [part.card.source for part in models] == [str(folder)] * 3
    assert len({id(part.model.vision_encoder.backbone) for part in models}) == 1
    refining = build_parts(["segmenter"], "sam3", "cpu", parts={**named, "segmenter": "sam3"})["segmenter"]
    assert refining is models[1], "another pipeline has the same one"
    with pytest.raises(MissingWeights, match="zsavs download facebook/sam3"):
        build_parts(["tracker"], "sam3", "cpu", parts={"tracker": "sam3_video"})

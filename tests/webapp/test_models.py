"""The presets of the page, and the pipelines that are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from zsavs.errors import UnknownName
from zsavs.presets import PRESETS
from zsavs.registry import list_components
from zsavs.webapp.examples import examples_for, put
from zsavs.webapp.models import Models, own_threshold
from zsavs.webapp.purposes import preset_purpose, strategy_purpose


def test_without_any_download_the_page_has_the_emoji_and_offers_pocket() -> None:
    models = Models("cpu")
    assert models.presets() == ["nano"]
    assert models.offer().startswith("zsavs download pocket (")
    assert {example.preset for example in examples_for(["nano"])} == {"nano"}


def test_what_is_here_comes_first_the_best_for_photographs_before_all(monkeypatch: pytest.MonkeyPatch) -> None:
    here = {"pocket", "nano"}
    monkeypatch.setattr("zsavs.webapp.models.missing_weights", lambda name, _: [] if name in here else [name])
    models = Models("cpu")
    assert models.presets() == ["pocket", "nano"]
    assert models.offer() == ""
    assert models.strategies("pocket")[0] == PRESETS["pocket"].strategy
    assert examples_for(models.presets())[0].preset == "pocket"


def test_a_preset_that_is_asked_for_is_the_first_and_an_unknown_one_is_refused() -> None:
    assert Models("cpu", "toy").presets() == ["toy", "nano"]
    with pytest.raises(UnknownName, match="did you mean 'nano'"):
        Models("cpu", "nanno")


def test_a_pipeline_is_built_once() -> None:
    models = Models("cpu", "toy")
    assert models.pipeline("toy", "fused") is models.pipeline("toy", "fused")
    assert models.pipeline("toy", "fused") is not models.pipeline("toy", "fused", fainter=True)


@pytest.mark.parametrize("strategy", ["audio_to_text", "classify", "fused"])
def test_fainter_sounds_have_a_threshold_that_hides_them(strategy: str) -> None:
    assert own_threshold(strategy, "toy", fainter=False) == 0.0
    assert 0 < own_threshold(strategy, "toy", fainter=True) < 1


def test_every_preset_and_strategy_says_what_it_is_for() -> None:
    purposes = [preset_purpose(name) for name in PRESETS]
    purposes += [strategy_purpose(name) for name in list_components("strategy")]
    assert all(0 < len(purpose) < 80 for purpose in purposes)
    assert len(set(purposes)) == len(purposes)
    elsewhere = strategy_purpose("zsavs.strategies.classify:Classify")
    assert elsewhere == "An audio tagger's labels as the query, each in the words that a detector is asked."


def test_the_examples_can_be_put_where_the_page_reads_them(tmp_path: Path) -> None:
    pytest.importorskip("av")
    for number, example in enumerate(examples_for(["pocket", "nano"])):
        folder = tmp_path / str(number)
        folder.mkdir()
        image, audio, video = put(example, folder)
        assert (image is None) == (audio is None) == (video is not None)
        assert all(path is None or (path.parent == folder and path.stat().st_size) for path in (image, audio, video))

"""The strategy that translates: agreement, times, notes."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest

import zsavs
from zsavs.errors import InputError
from zsavs.metrics.functional import jaccard
from zsavs.protocols import Scene, Sought, Translation
from zsavs.strategies.pivot import Pivot
from zsavs.strategies.translated import Translated
from zsavs.testing import toy
from zsavs.translation.rules import RuleTranslator
from zsavs.types import AudioClip, AVSample, Proposals, Query
from zsavs.verification.pivot_box import PivotBox

SAMPLE = AVSample(np.zeros((8, 8, 3), np.uint8), AudioClip(np.ones((1, 16_000), np.float32), 16_000))


class Tags:
    """A tagger that always gives the same labels."""

    def __init__(self, **tags: float) -> None:
        self.tags = sorted(tags.items(), key=lambda tag: -tag[1])

    def tag(self, clips: Sequence[AudioClip]) -> list[list[tuple[str, float]]]:
        return [list(self.tags) for _ in clips]


class Says:
    """A captioner with one caption."""

    def __init__(self, sentence: str = "an ambulance on a street") -> None:
        self.sentence = sentence

    def caption(self, items: Sequence[np.ndarray]) -> list[str]:
        return [self.sentence] * len(items)


class Votes:
    """A translator that names other things in other wordings."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers, self.wordings = answers, len(answers)
        self.scenes: list[Scene] = []

    def translate(self, scenes: Sequence[Scene], wording: int = 0) -> list[Translation]:
        self.scenes += scenes
        named = tuple(Sought(phrase, "siren", "why not") for phrase in self.answers[wording])
        return [Translation(named, {"wording": wording}) for _ in scenes]


def test_the_score_is_the_labels_times_the_share_of_wordings() -> None:
    votes = Votes(["ambulance", "street"], ["Ambulances"], ["ambulance", "lamp"], ["street"])
    (query,) = Translated(Tags(siren=0.8), Says(), votes).query([SAMPLE])
    assert query.phrases == ("ambulance", "street")
    np.testing.assert_allclose(query.weights, [0.8 * 0.75, 0.8 * 0.5])
    assert votes.scenes == [Scene((("siren", pytest.approx(0.8)),), "an ambulance on a street")] * 4
    told = query.notes["translation"]
    assert told["sources"][0] == {"phrase": "ambulance", "heard": "siren", "reason": "why not", "agreement": 0.75}
    assert told["asked"] == [{"wording": n} for n in range(4)]
    json.dumps(dict(query.notes))
    assert set(query.seconds) == {"translation"}


def test_with_the_rules_what_is_seen_says_what_to_look_for() -> None:
    (query,) = Translated(Tags(Siren=0.8, Echo=0.5), Says(), RuleTranslator()).query([SAMPLE])
    assert query.phrases == ("ambulance",)
    np.testing.assert_allclose(query.weights, [0.8])


def test_nothing_is_asked_where_nothing_is_heard() -> None:
    votes = Votes(["dog"])
    (query,) = Translated(Tags(siren=0.1), Says(), votes).query([SAMPLE])
    assert not len(query)
    assert not votes.scenes


def test_it_runs_in_a_preset() -> None:
    pipe = zsavs.build_pipeline("translated", "toy")
    sample, target = toy.scene(("red", "blue"), ("blue",))
    result = pipe(sample)
    assert result.phrases == ("blue thing",)
    assert result.meta["notes"]["translation"]["asked"] == [{"by": "rules"}]
    assert jaccard(result.mask, target) > 0.9


@pytest.mark.parametrize("settings", [{"top_k": -1}, {"min_agreement": 1.5}, {"min_probability": 2.0}])
def test_settings_out_of_range(settings: dict[str, float]) -> None:
    with pytest.raises(InputError):
        Translated(Tags(siren=0.5), Says(), RuleTranslator(), **settings)  # type: ignore[arg-type]


def test_pivot_maps_to_classes_and_keeps_one_region_for_each() -> None:
    strategy = Pivot(Tags(Bark=0.8, Echo=0.5), Says("two brown dogs on the grass"), RuleTranslator(), ("dog", "cat"))
    (query,) = strategy.query([SAMPLE])
    assert query.phrases == ("dog",)
    np.testing.assert_allclose(query.weights, [0.8])
    boxes = np.array([[0, 0, 4, 4], [4, 4, 8, 8], [0, 4, 4, 8]], np.float32)
    found = Proposals(boxes, np.array([0.5, 0.9, 0.9], np.float32), np.zeros(3, np.int64))
    (verified,) = PivotBox().verify([SAMPLE], [query], [found])
    assert verified.selected is not None
    assert verified.selected.tolist() == [False, True, False]
    assert not len(PivotBox().verify([SAMPLE], [Query.nothing()], [Proposals.nothing()])[0])


def test_pivot_asks_once_whatever_the_wordings() -> None:
    votes = Votes(["cat"], ["dog"])
    (query,) = Pivot(Tags(siren=0.8), Says(), votes, ("cat",)).query([SAMPLE])
    assert query.phrases == ("cat",)
    assert len(votes.scenes) == 1

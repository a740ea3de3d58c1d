"""Each way to lose a source is counted as itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from benchmark_scripts import load_benchmark

import zsavs
from zsavs.testing import toy
from zsavs.types import Proposals, Query

errors = load_benchmark("errors")


def parts(colours: tuple[str, ...], sounding: tuple[str, ...]) -> tuple[zsavs.AVSample, list[Any], zsavs.Pipeline]:
    """A toy scene, its sources, and a pipeline that finds them."""
    sample, _ = toy.scene(colours, sounding)
    masks = [toy.scene(colours, (colour,))[1] for colour in sounding]
    sources = [errors.Source(colour, mask) for colour, mask in zip(sounding, masks, strict=True)]
    return sample, sources, zsavs.build_pipeline("audio_to_text", "toy")


def queries(pipe: zsavs.Pipeline, *phrases: str) -> zsavs.Pipeline:
    """The same pipeline, whose strategy always hears these phrases."""

    class Fixed:
        def query(self, samples: Any) -> list[Query]:
            return [Query(phrases, np.ones(len(phrases), np.float32)) for _ in samples]

    return replace(pipe, strategy=Fixed())


def test_what_is_found_is_found() -> None:
    sample, sources, pipe = parts(("red", "blue", "green"), ("red", "blue"))
    stages, alarms, result = errors.stages_of(pipe, sample, sources)
    assert stages == ["found", "found"]
    assert alarms == 0
    assert len(result) == 2


def test_what_is_not_heard_and_what_has_a_wrong_name() -> None:
    sample, sources, pipe = parts(("red", "blue", "green"), ("red", "blue"))
    assert errors.stages_of(queries(pipe, "red"), sample, sources)[0] == ["found", "not heard"]
    stages, alarms, _ = errors.stages_of(queries(pipe, "red", "green"), sample, sources)
    assert stages == ["found", "wrong name"]
    assert alarms == 1


@pytest.mark.parametrize(
    ("change", "stage"),
    [
        (lambda found: Proposals.nothing(), "region not proposed"),
        (lambda found: replace(found, boxes_xyxy=found.boxes_xyxy * 0 + [[0, 0, 2, 2]]), "region not proposed"),
        (lambda found: replace(found, selected=np.zeros(len(found), bool)), "refused"),
        (lambda found: replace(found, selected=found.sources == 1), "given to another"),
    ],
)
def test_what_is_lost_after_hearing(change: Any, stage: str) -> None:
    source = parts(("red", "blue"), ("red", "blue"))[1][0]
    box = source.box_xyxy
    both = Proposals(np.concatenate([box, box]), np.ones(2, np.float32), np.arange(2))
    verified = change(replace(both, evidence=np.zeros(2, np.float32), selected=np.ones(2, bool)))
    assert errors._lost_after_hearing(source, 0, verified) == stage


def test_a_region_whose_mask_is_elsewhere_is_lost_by_the_mask() -> None:
    sample, (source,), pipe = parts(("red", "blue"), ("red",))

    class Elsewhere:
        def segment(self, samples: Any, proposals: Any) -> list[Any]:
            return [np.full((len(found), *sample.size_hw), -1.0, np.float32) for found in proposals]

    stages, _, result = errors.stages_of(replace(pipe, segmenter=Elsewhere()), sample, [source])
    assert stages == ["mask"]
    assert not result.mask.any()

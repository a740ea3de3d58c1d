"""The table of mechanisms: every row can be built, and a box is scored by the object that it fits."""

from __future__ import annotations

import numpy as np
import pytest
from benchmark_scripts import load_benchmark

import zsavs
from zsavs.build import settings_for

ablation = load_benchmark("ablation")


@pytest.mark.parametrize("variant", ablation.VARIANTS, ids=lambda variant: f"{variant.mechanism}: {variant.name}")
def test_every_row_names_settings_that_there_are(variant: ablation.Variant) -> None:
    given = {name: value for name, value in variant.settings.items() if name != "decomposition"}
    assert settings_for([variant.strategy], "nano", given)[variant.strategy] == given


def test_a_box_that_fits_an_object_is_that_object_and_another_one_is_its_pixels() -> None:
    index = np.zeros((40, 60), np.uint8)
    index[10:20, 10:20] = 1
    index[12, 12] = 0
    near, apart = [9, 9, 21, 21], [40, 30, 50, 34]
    assert np.array_equal(ablation.drawn(np.array([near], np.float32), index), index == 1)
    both = ablation.drawn(np.array([near, apart], np.float32), index)
    assert both.sum() == 99 + 40
    assert not ablation.drawn(np.zeros((0, 4), np.float32), index).any()


def test_points_go_around_the_verifier_that_there_is() -> None:
    box, *pointed = (ablation.build(one, {"preset": "nano"}) for one in ablation.PROMPTS)
    assert [pipe.verifier.points for pipe in pointed] == [1, 2, 3]
    assert all(type(pipe.verifier.verifier) is type(box.verifier) for pipe in pointed)


def test_it_prints_a_row_for_each_variant(capsys: pytest.CaptureFixture[str], tmp_path) -> None:  # type: ignore[no-untyped-def]
    """In a world without weights, with the scenes that ship."""
    scenes = zsavs.datasets.orchestra.Orchestra(groups=["single", "noise"])
    variants = [one for one in ablation.VARIANTS if one.mechanism in ("all", "assignment")]
    tallies = [ablation.Tally() for _ in variants]
    for tally in tallies:
        tally.scores["single"].append(0.5)
        tally.scores["noise"].append(0.0)
    table = ablation.table(scenes, variants, tallies)
    assert len(table.rows) == 3
    assert [cell.text for cell in table.rows[1].cells][-3:] == ["+0.0", "0.0", ""]


def test_another_image_size_is_the_segmenter_s_that_looks_at_crops() -> None:
    own, smaller, *_ = (ablation.build(one, {"preset": "nano"}).segmenter for one in ablation.SIZES)
    assert smaller.margins == own.margins
    assert smaller.segmenter.multimask == own.segmenter.multimask
    sides = [one.segmenter.image_processor.size["height"] for one in (own, smaller)]
    assert sides == [384, 320]

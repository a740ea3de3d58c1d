"""The rules of calibration in spaces whose cosines are low, middle and high: what is heard, and what must not be."""

from __future__ import annotations

from types import ModuleType

import pytest
from benchmark_scripts import load_benchmark

from zsavs.report.blocks import Table


@pytest.fixture(scope="module")
def calibration() -> ModuleType:
    return load_benchmark("calibration")


def shares(table: Table) -> dict[str, dict[str, float]]:
    """By rule and column, the shares in percent."""
    return {
        row.cells[0].text: {
            column: float(cell.text) for column, cell in zip(table.columns[1:], row.cells[1:], strict=True)
        }
        for row in table.rows
    }


@pytest.mark.parametrize("cosines", ["low", "middle", "high"])
def test_no_kind_of_label_is_inaudible_and_nothing_is_heard_in_nothing(calibration: ModuleType, cosines: str) -> None:
    (table,) = calibration.simulated(cosines, 3.0).blocks
    rules = shares(table)
    now, before = rules["all of it"], rules["mean and deviation of each label (before)"]
    assert max(before["Noise-like"], before["Tone-like"]) < 20, "what the rule before could not hear"
    assert min(now["Noise-like"], now["Tone-like"]) > (50 if cosines == "low" else 85)
    assert now["Others"] > 85
    assert now["Wrong"] < before["Wrong"]
    assert max(now["Noise"], now["Tones"], now["Silence"]) == 0
    assert now["Unknown"] < 20


def test_each_part_of_the_rule_is_needed(calibration: ModuleType) -> None:
    (table,) = calibration.simulated("middle", 3.0).blocks
    rules = shares(table)
    assert rules["offset and one deviation, no more"]["Noise"] > 90
    assert rules["without rivals"]["Unknown"] > 80
    assert rules["without texts for nothing"]["Noise"] > 50
    blank = next(name for name in rules if name.startswith("without blank items"))
    assert rules[blank]["Noise-like"] < rules["all of it"]["Noise-like"] - 5


def test_nano_hears_as_much_as_before(calibration: ModuleType) -> None:
    (table,) = calibration.nano(None, 1.3).blocks
    rules = shares(table)
    now, before = rules["all of it"], rules["mean and deviation of each label (before)"]
    assert now["Sources heard"] >= before["Sources heard"] - 1
    assert now["Heard in silence and noise"] == 0

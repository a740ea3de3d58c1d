"""YAMNet's logits as a space, on the clips of ESC-10: every class is audible, and nothing is heard in blanks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from benchmark_scripts import load_benchmark
from real_files import REAL, needs_real_files, with_real_weights

pytestmark = needs_real_files


@pytest.fixture(scope="module", autouse=True)
def real_weights() -> Iterator[None]:
    with with_real_weights():
        yield


def test_real_recordings_keep_their_order_and_every_class_is_audible() -> None:
    (table,) = load_benchmark("calibration").yamnet(REAL / "esc10", 3.0).blocks
    rules = {
        row.cells[0].text: dict(zip(table.columns[1:], (float(cell.text) for cell in row.cells[1:]), strict=True))
        for row in table.rows
    }
    now, before = rules["all of it"], rules["mean and deviation of each label (before)"]
    assert now["Top-1 of ten"] >= rules["raw logits"]["Top-1 of ten"] - 1 >= 96
    assert now["Rain"] >= 85 > before["Rain"]
    assert now["Among the best 5 of 521"] > before["Among the best 5 of 521"]
    assert now["Least heard class"] > 70
    assert now["Heard in blanks"] == 0

"""``zsavs verify pocket`` with its published weights: every check passes, and soon."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from real_files import needs_real_files, with_real_weights

from zsavs.build import strategies_of
from zsavs.cli.main import main

pytestmark = needs_real_files


@pytest.fixture(scope="module", autouse=True)
def real_weights() -> Iterator[None]:
    with with_real_weights():
        yield


def test_pocket_passes_in_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    start = time.process_time()
    assert main(["verify", "pocket"]) == 0
    spent = time.process_time() - start
    said = capsys.readouterr().out
    assert f"all {9 * len(strategies_of('pocket'))} checks pass" in said
    assert spent < 60, "6 s on a free core"

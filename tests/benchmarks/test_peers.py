"""The comparison with peers: zsavs' own script runs on weights that are made, and the table has the ratios."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from adapter_helpers import noise_images
from benchmark_scripts import load_benchmark
from PIL import Image

from zsavs.testing.tiny.detectors import tiny_grounding_dino
from zsavs.testing.tiny.segmenters import tiny_sam2


@pytest.mark.full
def test_a_script_measures_itself_in_a_process_of_its_own(tmp_path: Path) -> None:
    peers = load_benchmark("peers")
    images = [tmp_path / f"{number}.png" for number in range(3)]
    for path, pixels in zip(images, noise_images((48, 64), (48, 64), (48, 64)), strict=True):
        Image.fromarray(pixels).save(path)
    weights = importlib.import_module("peer_scripts.made_weights")
    weights.write_detector(tmp_path / "weights" / "grounding_dino", tiny_grounding_dino())
    weights.save(tmp_path / "weights" / "sam2", tiny_sam2(), "model", "image_processor")
    told = peers.run("with_zsavs", Path(sys.executable), tmp_path / "weights", images)
    assert told["masks"][0] <= 3
    assert told["masks"][1:] == [48, 64]
    assert told["first_s"] > told["each_s"][0] > 0
    assert told["together_s"][0] > 0
    assert told["peak_mb"] > 100
    assert told["lines"] == 4


def test_the_table_says_how_many_times_as_long_the_others_take() -> None:
    peers = load_benchmark("peers")
    own = {"first_s": 10.0, "each_s": [2.0, 3.9], "together_s": [1.0, 2.0], "peak_mb": 1000.0, "lines": 4}
    other = {"first_s": 15.0, "each_s": [1.0, 2.0], "together_s": [2.5, 5.0], "peak_mb": 2000.0, "lines": 20}
    first, second = peers.table({"zsavs": own, "other": other}).splitlines()[2:]
    assert first == "| zsavs | 10.0 | 2.00 (3.90 of the processor) | 1.00 (2.00 of the processor) | 1000 | 4 |"
    assert second == (
        "| other | 15.0 (1.50x) | 1.00 (2.00 of the processor, 0.50x) | 2.50 (5.00 of the processor, 2.50x) "
        "| 2000 (2.00x) | 20 |"
    )


def test_of_several_rounds_the_least_is_kept() -> None:
    peers = load_benchmark("peers")
    first = {
        "first_s": 10.0,
        "each_s": [2.0, 3.9],
        "together_s": [1.0, 2.0],
        "peak_mb": 900.0,
        "lines": 4,
        "masks": [3],
    }
    second = {**first, "first_s": 9.0, "each_s": [2.5, 3.0], "together_s": [0.9, 2.5], "peak_mb": 950.0}
    assert peers.least(first, second) == {**first, "first_s": 9.0, "together_s": [0.9, 2.5]}


def test_every_peer_has_a_script_an_environment_and_weights() -> None:
    peers = load_benchmark("peers")
    assert set(peers.FROM_SOUND) == set(peers.PEERS) - {"segmenters"}
    for beside in peers.PEERS.values():
        assert next(iter(beside.values()))[1] == ""  # zsavs is the first, to which the ratios are
        for script, environment in beside.values():
            assert (peers.HERE / "peer_scripts" / f"{script}.py").is_file()
            assert environment in {"", *peers.ENVIRONMENTS}


def test_too_few_images_are_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["peers.py", "a.png", "--environment", "nowhere"])
    with pytest.raises(SystemExit):
        load_benchmark("peers").main()
    assert "at least 3 images" in capsys.readouterr().err

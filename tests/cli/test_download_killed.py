"""Downloads of whole presets from a hub of this machine's own: killed and started again, stopped, and two at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants
from local_hub import LocalHub, in_place_of_the_network, wait_for
from published_checkpoints import fit_cards, publish

import zsavs
from zsavs.build import availability
from zsavs.cli.main import main

#: Presets to the file in which the download is killed.
PRESETS = {
    "base": "Salesforce/blip-image-captioning-base/resolve/COMMIT/pytorch_model.bin",
    "large": "laion/larger_clap_general/resolve/COMMIT/pytorch_model.bin",
    "imagebind": "/imagebind_huge.pth",
    "sam3": "facebook/sam3/resolve/COMMIT/pytorch_model.bin",
    "pe": "Salesforce/blip-image-captioning-base/resolve/COMMIT/pytorch_model.bin",
    "pocket": "/yolox_nano.onnx",
}


def test_every_preset_that_fetches_anything_is_killed_here() -> None:
    fetching = {
        name
        for name in zsavs.list_components("preset")
        if any(not card.source.startswith("zsavs:") for card in availability.preset_cards(name).values())
    }
    assert fetching == set(PRESETS)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    with in_place_of_the_network(tmp_path, monkeypatch) as hub:
        yield hub


def publish_preset(hub: LocalHub, preset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(hub.root, list(availability.preset_cards(preset).values()))
    fit_cards(monkeypatch, hub.root)


def start(hub: LocalHub, preset: str, variable: str = "ZSAVS_MIRROR") -> subprocess.Popen[str]:
    """``zsavs download PRESET`` in a process of its own, with the same cache; a variable tells it the hub's address."""
    command = [sys.executable, "-u", "-m", "published_checkpoints", str(hub.root), "download", preset]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_CACHE": constants.HF_HUB_CACHE,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "ZSAVS_MIRROR": "",
        variable: hub.address,
    }
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [*command, "--accept-license"], env=environment, text=True, stdout=pipe, stderr=pipe, preexec_fn=_heed_ctrl_c
    )


def _heed_ctrl_c() -> None:
    """Where the tests run in a shell's background, they ignore SIGINT, and so would every process that they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_that_was_killed_goes_on(
    preset: str, hub: LocalHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    publish_preset(hub, preset, monkeypatch)
    where = PRESETS[preset]
    repository, _, name = where.rpartition("/resolve/COMMIT/")
    where = f"{repository}/resolve/{hub.commit(repository)}/{name}" if repository else where
    held = hub.fail(where, methods=("GET",), hold_after=2_300_000 if not repository else 100_000, times=1)
    with start(hub, preset) as process:
        wait_for(held.held.is_set)
        if not repository:  # two whole blocks have been sent; now they are written
            part = Path(constants.HF_HUB_CACHE) / f"{name.lstrip('/')}.part"
            wait_for(lambda: part.stat().st_size >= 2 << 20)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    held.go_on.set()
    assert availability.missing_weights(preset)

    assert main(["download", preset, "--accept-license"]) == 0
    assert availability.missing_weights(preset) == []
    times = hub.times_whole()
    begun = f"{repository}/{name}".lstrip("/")
    assert {file: count for file, count in times.items() if file != begun and count != 1} == {}, "once, and whole"
    # A single file goes on, but for a block of a megabyte; a file of a repository comes whole or not at all.
    assert 1 <= times[begun] <= (1.3 if not repository else 2)
    said = capsys.readouterr().out
    assert ("going on after the 2.1 MB that are here" in said) == (not repository)
    assert main(["download", preset, "--accept-license"]) == 0
    assert hub.times_whole() == times


def test_ctrl_c_ends_at_once_and_says_that_it_goes_on(hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_preset(hub, "base", monkeypatch)
    held = hub.fail("pytorch_model.bin", methods=("GET",), hold_after=100_000, times=1)
    with start(hub, "base", "HF_ENDPOINT") as process:
        wait_for(held.held.is_set)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.splitlines() == ["zsavs: interrupted: what has come is kept; the same command fetches what is missing"]
    assert not list(Path(constants.HF_HUB_CACHE).rglob("*.incomplete"))


@pytest.mark.parametrize(("preset", "name"), [("pocket", "yolox_nano.onnx"), ("base", "pytorch_model.bin")])
def test_two_processes_fetch_nothing_twice(
    preset: str, name: str, hub: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_preset(hub, preset, monkeypatch)
    held = hub.fail(name, methods=("GET",), hold_after=50_000, times=1)
    with start(hub, preset) as first:
        wait_for(held.held.is_set)
        with start(hub, preset) as second:
            for line in second.stdout or []:
                if name in line:  # it waits, or is about to
                    break
            held.go_on.set()
            assert second.wait(30) == 0
        assert first.wait(30) == 0
    assert availability.missing_weights(preset) == []
    assert set(hub.times_whole().values()) == {1.0}

"""The generator of scenes: sources in turn with their times, groups drawn on their own, and the frozen scenes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tools.orchestra.__main__ import write_scenes
from tools.orchestra.audio import LONG_SECONDS, RATE_HZ, SOUND_FONT, in_turn, longest_rest, sounding
from tools.orchestra.images import FONT
from tools.orchestra.scenes import GROUPS
from zsavs.datasets.orchestra import Orchestra

drawing = pytest.mark.skipif(
    not (SOUND_FONT.is_file() and FONT.is_file()), reason="needs fluid-soundfont-gm and fonts-noto-color-emoji"
)


def tone(seconds: float, quiet_s: float = 0.0) -> np.ndarray:
    """A tone of 500 Hz after some silence."""
    wave = np.sin(2 * np.pi * 500 * np.arange(int(seconds * RATE_HZ)) / RATE_HZ).astype(np.float32)
    wave[: int(quiet_s * RATE_HZ)] = 0
    return wave


@pytest.mark.parametrize("seed", range(5))
def test_sources_in_turn_are_where_it_is_said(seed: int) -> None:
    wave, times = in_turn([tone(3), tone(6, quiet_s=1)], np.random.default_rng(seed))
    assert wave.shape == (LONG_SECONDS * RATE_HZ,)
    assert 0.1 <= np.abs(wave).max() <= 0.9
    (on, off), (again, end) = times
    assert off - on == pytest.approx(3)
    assert end - again == pytest.approx(5)
    assert on >= 0.5
    assert again >= off + 1.5
    assert end <= LONG_SECONDS - 0.5
    seconds = (np.arange(len(wave)) + 0.5) / RATE_HZ
    inside = np.logical_or.reduce([(on < seconds) & (seconds < off) for on, off in times])
    loud, quiet = (float((part**2).mean()) for part in (wave[inside], wave[~inside]))
    assert loud > 30 * quiet > 0


def test_a_rest_is_measured_between_begin_and_end() -> None:
    wave = np.concatenate([tone(1.0, quiet_s=0.3), np.zeros(RATE_HZ // 2, np.float32), tone(0.5)])
    assert sounding(wave) == (0.3, 2.0)
    assert longest_rest(wave) == pytest.approx(0.5)
    assert longest_rest(tone(1.0)) == 0


@drawing
def test_a_clip_does_not_depend_on_what_the_process_did_before(tmp_path: Path) -> None:
    """FluidSynth draws its dither from C's random numbers, once for a process; others draw some of them, too."""
    pytest.importorskip("fluidsynth")
    code = f"""
import ctypes, hashlib, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
for _ in range(int(sys.argv[1])):
    ctypes.CDLL(None).rand()
import numpy as np
from tools.orchestra.audio import Band
from tools.orchestra.catalogue import THINGS
with Band() as band:
    print(hashlib.sha256(band.play(THINGS["bell"], np.random.default_rng(0), 0.5).tobytes()).hexdigest())
"""
    told = [subprocess.run([sys.executable, "-c", code, n], capture_output=True, text=True, check=True) for n in "07"]
    assert told[0].stdout == told[1].stdout != ""


@drawing
def test_a_group_is_added_and_the_others_stay(tmp_path: Path) -> None:
    pytest.importorskip("fluidsynth")
    write_scenes(tmp_path, 3, 1, ["single"])
    before = {path: path.read_bytes() for path in tmp_path.rglob("single*")}
    assert list(Orchestra(tmp_path).groups) == ["single"]
    write_scenes(tmp_path, 3, 1, ["partly_off_screen"])
    assert {path: path.read_bytes() for path in tmp_path.rglob("single*")} == before
    dataset = Orchestra(tmp_path)
    assert list(dataset) == ["single_000", "partly_off_screen_000"]
    assert list(dataset.groups) == [name for name in GROUPS if name in ("single", "partly_off_screen")]
    with pytest.raises(ValueError, match="holds scenes of seed 3"):
        write_scenes(tmp_path, 4, 1)


@drawing
def test_the_frozen_scenes_are_those_of_their_seed(tmp_path: Path) -> None:
    """One scene of a group that was there first, and one of each that came later; JPEG and Vorbis may vary."""
    pytest.importorskip("fluidsynth")
    shipped = Orchestra()
    seed = json.loads((Orchestra.shipped / "scenes.json").read_text())["seed"]
    write_scenes(tmp_path, seed, 1, ["single", "partly_off_screen", "in_turn"])
    drawn = Orchestra(tmp_path)
    for name in drawn:
        assert drawn.scenes[name] == shipped.scenes[name]
        masks = [np.asarray(Image.open(root / "masks" / f"{name}.png")) for root in (tmp_path, Orchestra.shipped)]
        np.testing.assert_array_equal(*masks)
        waves = [data.load(name).sample.audio.mono() for data in (drawn, shipped)]
        assert np.abs(waves[0] - waves[1]).max() < 0.01

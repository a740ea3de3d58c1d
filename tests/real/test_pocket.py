"""Preset pocket on real photographs with real audio: as good as it was measured, quick, small, and without torch."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from benchmark_scripts import load_benchmark
from real_files import REAL, class_names, needs_real_files, pairs, with_real_weights

import zsavs
from zsavs.build import missing_weights, preset_cards
from zsavs.build.self_check import check_checkpoints
from zsavs.media.audio_file import load_audio
from zsavs.metrics.functional import jaccard
from zsavs.models.yamnet import YamnetTagger
from zsavs.presets import FOR_OWN_FILES
from zsavs.storage.download import download

pytestmark = needs_real_files

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", autouse=True)
def real_weights() -> Iterator[None]:
    with with_real_weights():
        yield


def test_the_four_models_are_sound() -> None:
    findings = list(check_checkpoints(["pocket"]))
    assert len(findings) == 4
    assert all(finding.sound for finding in findings), [*map(str, findings)]


@pytest.fixture(scope="module")
def pipe() -> zsavs.Pipeline:
    return zsavs.build_pipeline("classify", preset="pocket")


def scores(pipe: zsavs.Pipeline, step: int) -> tuple[list[float], list[float], list[bool], list[float]]:
    """J of the positives and of those without people, whether each sound was named, and the shares marked wrongly."""
    benchmark = load_benchmark("real_pairs")
    listed, data = benchmark.listed(REAL / "pairs")
    found = benchmark.score(pipe, listed[::step], data)
    people = {pair.item for pair in listed if pair.label == "person"}
    without_people = [j for item, j in found.j.items() if item not in people]
    return [*found.j.values()], without_people, [*found.named.values()], [*found.marked.values()]


# -------------------------------------------------------------------------------- as good
def test_it_is_as_good_as_it_was_on_every_second_pair(pipe: zsavs.Pipeline) -> None:
    """Three points below what was measured (docs/benchmarks/real_pairs.md)."""
    j, without_people, named, marked = scores(pipe, step=2)
    assert (len(j), len(marked)) == (42, 27)
    assert np.mean(j) >= 0.56 - 0.03
    assert np.mean(without_people) >= 0.50 - 0.03
    assert np.mean(named) >= 0.88 - 0.03
    assert np.count_nonzero(marked) <= 1
    assert np.mean(marked) <= 0.003


@pytest.mark.full
@pytest.mark.parametrize(
    ("strategy", "of_all", "without_people", "named"),
    [("classify", 0.60, 0.53, 0.90), ("fused", 0.60, 0.53, 0.90), ("audio_to_text", 0.57, 0.50, 0.87)],
)
def test_it_is_as_good_as_it_was_on_all_pairs(
    strategy: str, of_all: float, without_people: float, named: float
) -> None:
    j, others, heard, marked = scores(zsavs.build_pipeline(strategy, preset="pocket"), step=1)
    assert (len(j), len(marked)) == (94, 43)
    assert np.mean(j) >= of_all
    assert np.mean(others) >= without_people
    assert np.mean(heard) >= named
    assert np.count_nonzero(marked) <= 2
    assert np.mean(marked) <= 0.003


def test_foreign_audio_finds_little(pipe: zsavs.Pipeline) -> None:
    """Photographs with the audio of a pair of another class."""
    some = [pair for pair in pairs() if pair.kind == "positive"][::8]
    others = [next(p for p in some[i:] + some if p.label != pair.label) for i, pair in enumerate(some)]
    exchanged = [zsavs.AVSample(a.sample.image, b.sample.audio) for a, b in zip(some, others, strict=True)]
    own = np.mean([jaccard(pipe(pair.sample).mask, pair.mask) for pair in some])
    foreign = np.mean([jaccard(pipe(s).mask, pair.mask) for s, pair in zip(exchanged, some, strict=True)])
    assert foreign < 0.25 * own


# ---------------------------------------------------------------------------------- hears
@pytest.mark.parametrize(
    ("folder", "label", "least"),
    [("dog_bark", "Dog", 8), ("rooster", "Chicken, rooster", 7), ("person_sneeze", "Sneeze", 7), ("rain", "Rain", 6)],
)
def test_clips_of_esc10_have_their_label_among_the_first_five(folder: str, label: str, least: int) -> None:
    clips = [load_audio(path) for path in sorted((REAL / "esc10" / folder).glob("*.ogg"))[:8]]
    tagged = YamnetTagger.load().tag(clips)
    assert sum(label in [name for name, _ in tags[:5]] for tags in tagged) >= least


def test_its_labels_are_those_that_were_published() -> None:
    assert list(YamnetTagger.load().labels) == class_names()


# ---------------------------------------------------------------------- quick, small, alone
def test_download_copies_the_files_from_a_mirror_and_checks_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zsavs.storage.weights.cache_folder", lambda: tmp_path)
    monkeypatch.setenv("ZSAVS_MIRROR", str(REAL / "weights"))
    assert len(missing_weights("pocket")) > 0
    said: list[str] = []
    for card in preset_cards("pocket").values():
        assert card.sha256
        path = download(card, said.append)
        assert path.parent == tmp_path
    assert missing_weights("pocket") == []
    assert any("Apache-2.0" in line for line in said)


def segment(tmp_path: Path, *words: str) -> tuple[subprocess.CompletedProcess[str], float]:
    """``zsavs segment`` in a process of its own, and the seconds of processor time that it took."""
    folder = REAL / "pairs"
    name = next(pair.name for pair in pairs() if pair.label == "dog" and pair.kind == "positive")
    files = [str(next((folder / part).glob(f"{name}.*"))) for part in ("img", "wav")]
    before = os.times()
    done = subprocess.run(
        [sys.executable, "-m", "zsavs", "segment", *files, "--out", str(tmp_path), *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_CACHE": str(REAL / "weights")},
        capture_output=True,
        text=True,
        check=False,
    )
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return done, spent


def test_segment_takes_it_by_itself_and_is_quick_from_a_cold_start(tmp_path: Path) -> None:
    done, first = segment(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "using preset pocket" in done.stderr
    assert "dog" in done.stdout
    # The machine may be busy: the quicker of two runs.
    spent = first if first < 1.5 else min(first, segment(tmp_path)[1])
    assert spent < 4, "1.3 s on a free core; above 6 s with torch and transformers"


def test_no_torch_is_imported_for_it() -> None:
    code = (
        "import sys, zsavs; from zsavs.testing import toy; import numpy as np\n"
        "pipe = zsavs.build_pipeline('classify', preset='pocket')\n"
        "pipe(zsavs.AVSample(np.full((300, 400, 3), 90, np.uint8), toy.tone('red')))\n"
        "status = dict(line.split(':', 1) for line in open('/proc/self/status'))\n"
        "peak = int(status['VmHWM'].split()[0]) // 1024\n"
        "print(*[name for name in ('torch', 'torchvision', 'transformers') if name in sys.modules], peak)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_CACHE": str(REAL / "weights")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split()[:-1] == []
    assert int(done.stdout.split()[-1]) < 500, "MB"


def test_a_pair_takes_little_time_of_a_core(pipe: zsavs.Pipeline) -> None:
    """0.3 s on a free core, on average over pairs; a slow and busy machine may take four times as long."""
    some = list(pairs(step=12))
    start = time.process_time()
    for pair in some:
        pipe(pair.sample)
    assert (time.process_time() - start) / len(some) < 1.2


def test_zsavs_segment_takes_the_best_preset_here() -> None:
    assert FOR_OWN_FILES == ("large", "base", "pocket")
    pair = next(pair for pair in pairs() if pair.label == "dog" and pair.kind == "positive")
    result = zsavs.segment(pair.sample.image, pair.sample.audio)
    assert result.meta["preset"] == "pocket"
    assert result.meta["strategy"] == "classify"
    assert set(result.phrases) == {"dog"}
    assert result.queries.times is not None
    models = {role: card for role, card in result.meta["models"].items() if role not in ("verifier", "tracker")}
    assert {card["component"] for card in models.values()} == {
        "YamnetTagger",
        "YoloxGrounder",
        "DeepLabSegmenter",
        "U2NetSegmenter",
    }
    assert {card["licence"] for card in models.values()} == {"Apache-2.0"}
    assert all(card["sha256"] for card in models.values())

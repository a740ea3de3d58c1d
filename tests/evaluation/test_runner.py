"""Evaluation: the numbers, and that nothing which ends the process changes them."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from fixtures_datasets import make_avss, make_s4
from PIL import Image

from zsavs.datasets.avsbench import S4
from zsavs.datasets.avss import AVSS, AVSSOpenVocabulary
from zsavs.datasets.base import Target
from zsavs.datasets.folder import Folder
from zsavs.errors import InputError, OutputError, ResultFileError
from zsavs.evaluation import runner as evaluation
from zsavs.evaluation.runner import Plan, evaluate, merge
from zsavs.evaluation.scoring import source_count
from zsavs.evaluation.summary import table
from zsavs.language.label_maps import ClassNames, label_map
from zsavs.language.label_sets import avss_classes
from zsavs.metrics.label_suites import AVSBENCH_OV_BASE
from zsavs.result import AVSResult
from zsavs.testing import toy

ROOT = Path(__file__).parents[2]
SOUNDS = ("red", "blue", "green", "red", "purple", "blue", "red", "green", "blue", "red", "yellow", "blue")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve toy scenes with red and blue in view; in four the sound is off-screen."""
    root = tmp_path_factory.mktemp("set")
    for part in ("img", "wav", "gt_seg"):
        (root / part).mkdir()
    for number, sounding in enumerate(SOUNDS):
        sample, target = toy.scene(("red", "blue"), (sounding,), size_hw=(48, 64), seed=number)
        Image.fromarray(sample.image).save(root / "img" / f"{number:02d}.png")
        soundfile.write(root / "wav" / f"{number:02d}.wav", sample.audio.waveform.T, sample.audio.sample_rate_hz)
        Image.fromarray(target).save(root / "gt_seg" / f"{number:02d}.png")
    return root


def plan(**changes: Any) -> Plan:
    settings: dict[str, Any] = {
        "strategies": ("cross_modal", "fused"),
        "preset": "toy",
        "batch_size": 3,
        "suites": ("avsbench",),
    }
    return Plan(**{**settings, **changes})


def rows(report: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["strategy"], row["audio"]): row for row in report["rows"]}


# ------------------------------------------------------------------------------- the numbers
def test_scores_are_right_and_the_ablations_expose_the_sound(folder: Path) -> None:
    report = evaluate(Folder(folder), plan())
    scored = rows(report)
    for name in ("cross_modal", "fused"):
        recorded, silent, shuffled = (scored[name, audio]["fixed"] for audio in ("recorded", "silent", "shuffled"))
        assert recorded["J"] > 0.99
        assert recorded["empty"] == pytest.approx(4 / 12)  # green twice, purple, yellow
        assert silent["empty"] == 1.0
        assert shuffled["J"] < recorded["J"] - 0.1
        assert scored[name, "recorded"]["metrics"]["avsbench"]
        assert not scored[name, "silent"]["metrics"]
    assert report["per_source_count"]["fused"]["0"]["items"] == 4
    assert len(report["curves"]["fused"]["J"]) == len(report["curves"]["fused"]["thresholds"])
    assert "fused" in table(report)


def test_fixed_numbers_agree_with_the_pipeline_called_directly(folder: Path) -> None:
    import zsavs
    from zsavs.metrics.functional import jaccard

    data = Folder(folder)
    pipe = zsavs.build_pipeline("fused", preset="toy")
    js = []
    for name in data:
        sample, target = data.load(name)
        js.append(jaccard(pipe(sample).mask, target.mask))
    report = evaluate(data, plan(strategies=("fused",), audio=("recorded",)))
    assert rows(report)["fused", "recorded"]["fixed"]["J"] == pytest.approx(float(np.mean(js)), abs=1e-12)


def test_batch_size_does_not_change_the_numbers(folder: Path) -> None:
    one = evaluate(Folder(folder), plan(batch_size=1))
    many = evaluate(Folder(folder), plan(batch_size=5))
    for key, row in rows(one).items():
        assert row["fixed"] == rows(many)[key]["fixed"]
        assert row["metrics"] == rows(many)[key]["metrics"]


def test_items_are_read_in_a_thread_of_their_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: dict[str, threading.Thread] = {}
    load = Folder.load

    def noted(self: Folder, item: str) -> Any:
        threads[item] = threading.current_thread()
        return load(self, item)

    monkeypatch.setattr(Folder, "load", noted)
    evaluate(Folder(folder), plan())
    assert len(threads) == len(SOUNDS)
    assert threading.main_thread() not in threads.values()
    assert len(set(threads.values())) == 1, "one after the other"


def test_a_bad_item_is_recorded_and_skipped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = Folder(folder)
    load = Folder.load

    def sometimes(self: Folder, item: str) -> Any:
        if item == "04":
            raise InputError("04: broken")
        return load(self, item)

    monkeypatch.setattr(Folder, "load", sometimes)
    report = evaluate(data, plan())
    assert report["dataset"]["failed"] == [{"item": "04", "error": "04: broken"}]
    assert report["dataset"]["done"] == len(SOUNDS) - 1


def test_a_reader_that_breaks_on_one_item_does_not_end_the_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data set of somebody else's may raise anything."""
    load = Folder.load

    def sometimes(self: Folder, item: str) -> Any:
        return load(self, item) if item != "04" else {}[item]

    monkeypatch.setattr(Folder, "load", sometimes)
    report = evaluate(Folder(folder), plan())
    assert report["dataset"]["failed"] == [{"item": "04", "error": "KeyError: '04'"}]
    assert report["dataset"]["done"] == len(SOUNDS) - 1


def test_j_of_what_sounds_leaves_the_empty_targets_out(folder: Path) -> None:
    scored = rows(evaluate(Folder(folder), plan()))
    assert scored["fused", "recorded"]["J_sounding"] > 0.99
    assert scored["fused", "silent"]["fixed"]["J"] == pytest.approx(4 / 12)
    assert scored["fused", "silent"]["J_sounding"] == 0


def test_an_item_that_a_strategy_cannot_answer_does_not_take_its_batch_along(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground = toy.ToyGrounder.ground

    def sometimes(self: toy.ToyGrounder, samples: Any, queries: Any) -> Any:
        if any("green" in phrase for query in queries for phrase in query.phrases):
            raise ZeroDivisionError("a defect")
        return ground(self, samples, queries)

    monkeypatch.setattr(toy.ToyGrounder, "ground", sometimes)
    report = evaluate(Folder(folder), plan(strategies=("audio_to_text",), audio=("recorded",)))
    assert [row["item"] for row in report["dataset"]["failed"]] == ["02", "07"]
    assert "ZeroDivisionError" in report["dataset"]["failed"][0]["error"]


def test_a_source_out_of_view_is_not_counted() -> None:
    """Some data sets name what a video holds beside every frame, also where nothing of it is to be seen."""
    mask = np.ones((2, 2), np.bool_)
    assert [source_count(Target(m, sources=s)) for m in (mask, ~mask) for s in (("dog", "dog"), ())] == [2, 1, 0, 0]


def test_nothing_to_evaluate_is_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Folder, item: str) -> Any:
        raise InputError(f"{item}: broken")

    monkeypatch.setattr(Folder, "load", broken)
    with pytest.raises(InputError, match="00: broken"):
        evaluate(Folder(folder), plan())


# -------------------------------------------------------------------------- the run folder
def test_a_finished_run_is_not_repeated(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate(Folder(folder), plan(), tmp_path / "run")
    before = (tmp_path / "run" / "metrics.json").read_bytes()
    monkeypatch.setattr(toy.ToyAudioText, "encode_audio", lambda *_: pytest.fail("an item was answered again"))
    evaluate(Folder(folder), plan(), tmp_path / "run")
    assert (tmp_path / "run" / "metrics.json").read_bytes() == before
    for name in ("report.json", "report.md", "report.html"):
        assert (tmp_path / "run" / name).stat().st_size > 100


def test_another_setting_is_refused_with_the_difference(folder: Path, tmp_path: Path) -> None:
    evaluate(Folder(folder), plan(limit=3), tmp_path / "run")
    with pytest.raises(OutputError, match=r"batch_size: 3 then, 2 now"):
        evaluate(Folder(folder), plan(limit=3, batch_size=2), tmp_path / "run")


def test_another_option_of_the_data_set_is_refused_with_the_difference(folder: Path, tmp_path: Path) -> None:
    evaluate(Folder(folder), plan(limit=3), tmp_path / "run")
    with pytest.raises(OutputError, match=r"dataset_options: \{\} then, \{'target_size': 24\} now"):
        evaluate(Folder(folder, target_size=24), plan(limit=3), tmp_path / "run")


def test_another_list_of_as_many_items_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "set")
    evaluate(Folder(tmp_path / "set"), plan(limit=3), tmp_path / "run")
    for file in tmp_path.glob("set/*/01.*"):
        file.rename(file.with_stem("99"))
    assert len(Folder(tmp_path / "set")) == len(SOUNDS)
    with pytest.raises(OutputError, match=r"\(items_digest: '\w+' then, '\w+' now\)"):
        evaluate(Folder(tmp_path / "set"), plan(limit=3), tmp_path / "run")


def test_settings_say_which_device_auto_came_to(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run begun on one kind of device must not go on with another kind's numbers; cards of one kind may share it."""
    monkeypatch.setattr("zsavs.evaluation.runner.resolve_device", lambda name: torch.device("cuda:1"))
    evaluate(Folder(folder), plan(limit=3), tmp_path / "run")
    monkeypatch.setattr("zsavs.evaluation.runner.resolve_device", lambda name: torch.device("cuda:0"))
    evaluate(Folder(folder), plan(limit=3), tmp_path / "run")
    monkeypatch.undo()
    with pytest.raises(OutputError, match="device: 'cuda' then, 'cpu' now"):
        evaluate(Folder(folder), plan(limit=3, device="cpu"), tmp_path / "run")


def test_a_line_cut_short_is_done_again(folder: Path, tmp_path: Path) -> None:
    evaluate(Folder(folder), plan(), tmp_path / "run")
    good = (tmp_path / "run" / "metrics.json").read_bytes()
    path = tmp_path / "run" / "batches.jsonl"
    path.write_bytes(path.read_bytes()[:-40])
    evaluate(Folder(folder), plan(), tmp_path / "run")
    assert (tmp_path / "run" / "metrics.json").read_bytes() == good


def test_a_damaged_line_is_not_guessed_at(folder: Path, tmp_path: Path) -> None:
    evaluate(Folder(folder), plan(), tmp_path / "run")
    path = tmp_path / "run" / "batches.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"batch": 1', b'"batch" 1', 1))
    with pytest.raises(ResultFileError, match="damaged"):
        evaluate(Folder(folder), plan(), tmp_path / "run")


def test_only_batches_with_a_failed_item_are_tried_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the run ends as one that never failed, where no other item is heard with a failed one's sound."""
    small = plan(audio=("recorded",))
    evaluate(Folder(folder), small, tmp_path / "whole")
    load = Folder.load
    loaded: list[str] = []

    def sometimes(self: Folder, item: str) -> Any:
        if item == "04":
            raise InputError("04: broken")
        return load(self, item)

    def noted(self: Folder, item: str) -> Any:
        loaded.append(item)
        return load(self, item)

    monkeypatch.setattr(Folder, "load", sometimes)
    report = evaluate(Folder(folder), small, tmp_path / "run", retry_failed=True)
    assert len(report["dataset"]["failed"]) == 1
    report = evaluate(Folder(folder), small, tmp_path / "run", retry_failed=True)
    assert len(report["dataset"]["failed"]) == 1, "still broken, and once in the list"
    monkeypatch.setattr(Folder, "load", noted)
    report = evaluate(Folder(folder), small, tmp_path / "run", retry_failed=True)
    assert not report["dataset"]["failed"]
    assert loaded == ["03", "04", "05"], "the batch of three"
    assert (tmp_path / "run" / "metrics.json").read_bytes() == (tmp_path / "whole" / "metrics.json").read_bytes()


def test_two_processes_do_not_run_into_one_folder(folder: Path, tmp_path: Path) -> None:
    from zsavs.evaluation.run_folder import RunFolder

    with RunFolder(tmp_path / "run", {"a": 1}), pytest.raises(OutputError, match="another process"):
        RunFolder(tmp_path / "run", {"a": 1})
    RunFolder(tmp_path / "run", {"a": 1}).close()


def test_shards_merge_to_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    evaluate(Folder(folder), plan(), tmp_path / "whole")
    for part in range(3):
        evaluate(Folder(folder), plan(shard=(part, 3)), tmp_path / f"part{part}")
    merge([tmp_path / f"part{part}" for part in (2, 0, 1)], tmp_path / "merged")
    assert (tmp_path / "merged" / "metrics.json").read_bytes() == (tmp_path / "whole" / "metrics.json").read_bytes()
    with pytest.raises(InputError, match="missing"):
        merge([tmp_path / "part0", tmp_path / "part1"], tmp_path / "again")
    with pytest.raises(InputError, match="another shard too"):
        merge([tmp_path / "part0", tmp_path / "part0"], tmp_path / "again")


def test_a_run_goes_on_however_the_root_is_spelled(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate(Folder(folder), plan(limit=3), tmp_path / "run")
    monkeypatch.chdir(folder.parent)
    evaluate(Folder(folder.name), plan(limit=3), tmp_path / "run")
    assert json.loads((tmp_path / "run" / "settings.json").read_text())["root"] == str(folder.resolve())


def test_shards_of_copies_in_several_places_merge(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    evaluate(Folder(folder), plan(), tmp_path / "whole")
    for part, root in enumerate((folder, tmp_path / "copy")):
        evaluate(Folder(root), plan(shard=(part, 2)), tmp_path / f"part{part}")
    report = merge([tmp_path / "part0", tmp_path / "part1"], tmp_path / "merged")
    assert (tmp_path / "merged" / "metrics.json").read_bytes() == (tmp_path / "whole" / "metrics.json").read_bytes()
    roots = [str(folder.resolve()), str((tmp_path / "copy").resolve())]
    assert json.loads((tmp_path / "merged" / "settings.json").read_text())["root"] == roots
    assert report["dataset"]["root"] == roots
    assert ", ".join(roots) in (tmp_path / "merged" / "report.md").read_text().replace("\\", "")


def test_visuals_are_drawn(folder: Path, tmp_path: Path) -> None:
    report = evaluate(Folder(folder), plan(limit=4), tmp_path / "run", visuals=1)
    for cases in report["cases"].values():
        for kind in ("best", "worst"):
            assert Image.open(tmp_path / "run" / cases[kind][0]["picture"]).width > 500


def test_as_many_visuals_are_drawn_as_were_asked_for(folder: Path, tmp_path: Path) -> None:
    report = evaluate(Folder(folder), plan(strategies=("fused",), audio=("recorded",)), tmp_path / "run", visuals=5)
    for kind in ("best", "worst"):
        assert len(report["cases"]["fused"][kind]) == 5
        assert all((tmp_path / "run" / case["picture"]).exists() for case in report["cases"]["fused"][kind])
    with pytest.raises(InputError, match="kept in the run folder"):
        evaluate(Folder(folder), plan(), visuals=5)


def test_merging_keeps_the_images_of_the_best_and_worst_of_all(folder: Path, tmp_path: Path) -> None:
    small = {"strategies": ("fused",), "audio": ("recorded",)}
    whole = evaluate(Folder(folder), plan(**small), tmp_path / "whole", visuals=2)
    for part in range(2):
        evaluate(Folder(folder), plan(**small, shard=(part, 2)), tmp_path / f"part{part}", visuals=2)
    merged = merge([tmp_path / "part1", tmp_path / "part0"], tmp_path / "merged")
    assert merged["cases"] == whole["cases"]
    for kind in ("best", "worst"):
        assert len(merged["cases"]["fused"][kind]) == 2
        for case in merged["cases"]["fused"][kind]:
            drawn = [Image.open(tmp_path / run / case["picture"]).tobytes() for run in ("whole", "merged")]
            assert drawn[0] == drawn[1], "the image of this very item"
    assert json.loads((tmp_path / "merged" / "report.json").read_text())["cases"] == whole["cases"]


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_random_moments_it_ends_with_the_same_bytes(folder: Path, tmp_path: Path, seed: int) -> None:
    evaluate(Folder(folder), plan(batch_size=1), tmp_path / "whole")
    rng = random.Random(seed)
    # Each batch takes a while, so that a signal falls anywhere: between batches, in one, in the middle of a write.
    code = (
        "import sys, time; from zsavs.testing import toy; ground = toy.ToyGrounder.ground\n"
        "def slow(self, *a):\n    time.sleep(0.02); return ground(self, *a)\n"
        "toy.ToyGrounder.ground = slow\n"
        "from zsavs.datasets.folder import Folder; from zsavs.evaluation.runner import Plan, evaluate\n"
        f"plan = Plan(strategies=('cross_modal', 'fused'), preset='toy', batch_size=1, suites=('avsbench',))\n"
        f"print('go', flush=True); evaluate(Folder({str(folder)!r}), plan, {str(tmp_path / 'run')!r})"
    )
    killed = 0
    for _ in range(60):
        with subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(rng.uniform(0.3, 1.2))
            process.send_signal(signal.SIGKILL)
            killed += process.wait() == -signal.SIGKILL
        if (tmp_path / "run" / "metrics.json").exists():
            break
    assert killed >= 1
    evaluate(Folder(folder), plan(batch_size=1), tmp_path / "run")
    assert (tmp_path / "run" / "metrics.json").read_bytes() == (tmp_path / "whole" / "metrics.json").read_bytes()
    lines = (tmp_path / "run" / "batches.jsonl").read_text().splitlines()
    assert [json.loads(line)["batch"] for line in lines] == list(range(len(SOUNDS)))


def test_every_image_and_sound_is_encoded_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zsavs.testing.tiny.segmenters import tiny_sam2

    encoded: list[int] = []
    segmenter = tiny_sam2()
    encode = segmenter._encode
    monkeypatch.setattr(segmenter, "_encode", lambda images: encoded.append(len(images)) or encode(images))
    monkeypatch.setattr(toy.ToySegmenter, "load", classmethod(lambda cls, *_, **__: segmenter))
    evaluate(Folder(folder), plan(strategies=("audio_to_text", "cross_modal", "fused"), limit=3))
    assert sum(encoded) <= 3


# ------------------------------------------------------------------------------- label maps
def test_phrases_find_their_class() -> None:
    names = ClassNames(("background", "dog", "hair-dryer", "car", "race car"))
    assert [names(p) for p in ("dog", "brown dog", "Hair Dryer", "a race car on a track", "piano")] == [1, 1, 2, 4, 0]


def test_phrases_without_a_name_go_to_the_nearest_class() -> None:
    ears = toy.ToyAudioText()
    names = ClassNames(("background", "green", "red"), ears.encode_text)
    assert names("something red") == 2


def test_label_map_paints_the_surest_on_top() -> None:
    masks = np.zeros((2, 4, 4), np.bool_)
    masks[0, :2], masks[1, :3] = True, True
    result = AVSResult(
        masks,
        np.array([[0, 0, 4, 2], [0, 0, 4, 3]], np.float32),
        ("red", "green"),
        np.array([0.9, 0.5], np.float32),
        masks.any(0).astype(np.float32),
    )
    labels = label_map(result.phrases, result.masks, ClassNames(("background", "green", "red")), (4, 4))
    assert labels.tolist() == [[2] * 4, [2] * 4, [1] * 4, [0] * 4]


def test_the_compat_suite_is_told_of_whole_videos(tmp_path: Path) -> None:
    """Its numbers depend on the batch, and the published batch is a video, whatever is answered together here."""
    make_s4(tmp_path)
    dataset = S4(tmp_path)
    videos = {dataset.moment(item)[0] for item in dataset}
    assert len(dataset) == 5 * len(videos)
    reports = [
        evaluate(dataset, plan(batch_size=size, suites=("avsbench_compat",), audio=("recorded",))) for size in (5, 10)
    ]
    one, two = (rows(report)["fused", "recorded"]["metrics"]["avsbench_compat"] for report in reports)
    assert one == two
    assert one["n_batches"] == len(videos)
    with pytest.raises(InputError, match=r"batches of 3 would cut one; use --batch-size 5,"):
        evaluate(dataset, plan(batch_size=3, suites=("avsbench_compat",)))


def test_classes_of_label_maps_have_numbers_of_their_own(tmp_path: Path) -> None:
    """As the suite counts them, under the data set's names, and with the recorded sound only."""
    make_avss(tmp_path / "set")
    dataset = AVSS(tmp_path / "set", encoding="labels_semantic")
    small = plan(strategies=("fused",), suites=("avss", "cavp", "avsbench"), limit=6, batch_size=2)
    report = evaluate(dataset, small, tmp_path / "run")
    judged = report["class_metrics"]["fused"]
    assert set(judged) == {"avss", "cavp"}, "the suite of masks tells no classes apart"
    numbers = rows(report)["fused", "recorded"]["metrics"]
    for suite in ("avss", "cavp"):
        assert [row["class"] for row in judged[suite]] == list(dataset.classes)
        ious = [row["IoU"] for row in judged[suite]]
        assert numbers[suite]["mIoU"] == pytest.approx(sum(iou or 0 for iou in ious) / len(ious))
        assert {row["class"] for row in judged[suite] if row["F"] is not None} >= {"background", "helicopter"}
        assert None in ious, "most classes are in none of the six frames"
    assert judged["avss"][0]["frames"] == 6
    kept = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert kept["class_metrics"] == report["class_metrics"]
    text = (tmp_path / "run" / "report.md").read_text().partition("## Classes by the metric suites")[2]
    assert "| helicopter |" in text.partition("\n## ")[0]
    silent = evaluate(dataset, plan(strategies=("fused",), suites=("avss",), limit=2, audio=("silent",)))
    assert silent["class_metrics"] == {"fused": {}}


def test_open_vocabulary_goes_by_the_names_of_the_data_sets_own_list(tmp_path: Path) -> None:
    """Another order of label2idx.json is another order of ids, and the same base classes."""
    names = ["background", *reversed(avss_classes()[1:])]
    make_avss(tmp_path)
    listed = next(tmp_path.rglob("label2idx.json"))
    listed.write_text(json.dumps({name: k for k, name in enumerate(names)}))
    dataset = AVSSOpenVocabulary(tmp_path, encoding="labels_semantic")
    runner = evaluation._Runner(dataset, {}, plan(), ("open_vocabulary",))
    base = runner.suite("open_vocabulary").options["base"]
    assert {names[k] for k in base} == {avss_classes()[k] for k in AVSBENCH_OV_BASE}

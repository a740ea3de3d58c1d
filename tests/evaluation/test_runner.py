"""Evaluation: the numbers are right, and an item that fails costs that item."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluation_set import SOURCES, plan, rows
from fixtures_datasets import make_avss, make_s4

from zsavs.datasets.avsbench import S4
from zsavs.datasets.avss import AVSS, AVSSOpenVocabulary
from zsavs.datasets.base import Target
from zsavs.datasets.folder import Folder
from zsavs.errors import InputError
from zsavs.evaluation import evaluate
from zsavs.evaluation.batch_runner import BatchRunner
from zsavs.evaluation.scoring import source_count
from zsavs.evaluation.summary import table
from zsavs.language.label_sets import avss_classes
from zsavs.metrics.label_suites import AVSBENCH_OV_BASE
from zsavs.testing import toy


def test_scores_are_right_and_the_ablations_show_the_part_of_the_audio(folder: Path) -> None:
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
    assert len(threads) == len(SOURCES)
    assert threading.main_thread() not in threads.values()
    assert len(set(threads.values())) == 1, "one after the other"


def test_an_unreadable_item_is_listed_and_left_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = Folder(folder)
    load = Folder.load

    def sometimes(self: Folder, item: str) -> Any:
        if item == "04":
            raise InputError("04: broken")
        return load(self, item)

    monkeypatch.setattr(Folder, "load", sometimes)
    report = evaluate(data, plan())
    assert report["dataset"]["failed"] == [{"item": "04", "error": "04: broken"}]
    assert report["dataset"]["done"] == len(SOURCES) - 1


def test_any_error_on_one_item_does_not_end_the_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A third party's data set may raise anything."""
    load = Folder.load

    def sometimes(self: Folder, item: str) -> Any:
        return load(self, item) if item != "04" else {}[item]

    monkeypatch.setattr(Folder, "load", sometimes)
    report = evaluate(Folder(folder), plan())
    assert report["dataset"]["failed"] == [{"item": "04", "error": "KeyError: '04'"}]
    assert report["dataset"]["done"] == len(SOURCES) - 1


def test_j_sounding_leaves_the_empty_targets_out(folder: Path) -> None:
    scored = rows(evaluate(Folder(folder), plan()))
    assert scored["fused", "recorded"]["J_sounding"] > 0.99
    assert scored["fused", "silent"]["fixed"]["J"] == pytest.approx(4 / 12)
    assert scored["fused", "silent"]["J_sounding"] == 0


def test_an_item_that_a_strategy_cannot_answer_costs_that_item_and_not_its_batch(
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


def test_every_image_is_encoded_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zsavs.testing.tiny.segmenters import tiny_sam2

    encoded: list[int] = []
    segmenter = tiny_sam2()
    encode = type(segmenter)._encode

    def counted(self: Any, images: Any) -> Any:
        encoded.append(len(images))
        return encode(self, images)

    # Of the class: a method of its own would keep the object alive, and with it the toy's place in later tests.
    monkeypatch.setattr(type(segmenter), "_encode", counted)
    monkeypatch.setattr(toy.ToySegmenter, "load", classmethod(lambda cls, *_, **__: segmenter))
    evaluate(Folder(folder), plan(strategies=("audio_to_text", "cross_modal", "fused"), limit=3))
    assert sum(encoded) <= 3


def test_the_compat_suite_is_updated_with_whole_videos(tmp_path: Path) -> None:
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


def test_classes_of_label_maps_have_their_own_numbers(tmp_path: Path) -> None:
    """As the suite counts them, under the data set's names, and with the recorded audio only."""
    make_avss(tmp_path / "set")
    dataset = AVSS(tmp_path / "set", encoding="labels_semantic")
    small = plan(strategies=("fused",), suites=("avss", "cavp", "avsbench"), limit=6, batch_size=2)
    report = evaluate(dataset, small, tmp_path / "run")
    class_rows = report["class_metrics"]["fused"]
    assert set(class_rows) == {"avss", "cavp"}, "the suite of masks has no classes"
    numbers = rows(report)["fused", "recorded"]["metrics"]
    for suite in ("avss", "cavp"):
        assert [row["class"] for row in class_rows[suite]] == list(dataset.classes)
        ious = [row["IoU"] for row in class_rows[suite]]
        assert numbers[suite]["mIoU"] == pytest.approx(sum(iou or 0 for iou in ious) / len(ious))
        assert {row["class"] for row in class_rows[suite] if row["F"] is not None} >= {"background", "helicopter"}
        assert None in ious, "most classes are in none of the six frames"
    assert class_rows["avss"][0]["frames"] == 6
    kept = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert kept["class_metrics"] == report["class_metrics"]
    text = (tmp_path / "run" / "report.md").read_text().partition("## Classes by the metric suites")[2]
    assert "| helicopter |" in text.partition("\n## ")[0]
    silent = evaluate(dataset, plan(strategies=("fused",), suites=("avss",), limit=2, audio=("silent",)))
    assert silent["class_metrics"] == {"fused": {}}


def test_base_and_novel_classes_are_found_by_name_in_the_data_sets_own_list(tmp_path: Path) -> None:
    """Another order of label2idx.json is another order of ids, and the same base classes."""
    names = ["background", *reversed(avss_classes()[1:])]
    make_avss(tmp_path)
    listed = next(tmp_path.rglob("label2idx.json"))
    listed.write_text(json.dumps({name: k for k, name in enumerate(names)}))
    dataset = AVSSOpenVocabulary(tmp_path, encoding="labels_semantic")
    runner = BatchRunner(dataset, list(dataset), {}, plan(), ("open_vocabulary",))
    base = runner.suite("open_vocabulary").options["base"]
    assert {names[k] for k in base} == {avss_classes()[k] for k in AVSBENCH_OV_BASE}

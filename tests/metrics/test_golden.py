"""The suites give the numbers of the published evaluation code on the inputs of tests/golden/metric_recipe.py."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pytest
from golden import metric_recipe as recipe
from PIL import Image

from zsavs.metrics import functional, suites
from zsavs.metrics.base_suite import sigmoid
from zsavs.metrics.f_measure_curve import thresholds
from zsavs.metrics.label_suites import AVSBENCH_OV_BASE

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "metrics_public.json").read_text())


def close(got, want, tolerance):
    """Equal within an absolute tolerance; the golden files write NaN as a string."""
    want = float(want)
    return math.isnan(got) if math.isnan(want) else abs(got - want) <= tolerance


def cases(key):
    return [pytest.param(case, id=case["id"]) for case in GOLDEN[key]]


def label_frames(case):
    return [
        recipe.label_frame(
            f["seed"], case["h"], case["w"], case["nclass"], f["classes"], f["kind"], f.get("ignore_rows", 0)
        )
        for f in case["frames"]
    ]


# Golden parity


def test_the_recipe_rebuilds_the_golden_inputs():
    def sha1(array):
        return hashlib.sha1(np.ascontiguousarray(array).tobytes()).hexdigest()

    for check in GOLDEN["recipe_check"]:
        if "label_frame" in check:
            prediction, target = recipe.label_frame(*check["label_frame"])
            assert (sha1(prediction), sha1(target)) == (check["pred_sha1"], check["gt_sha1"])
        else:
            scores, target = recipe.frame(check["seed"], check["h"], check["w"], check["pred"], check["gt"])
            assert (sha1(scores), sha1(target)) == (check["score_sha1"], check["gt_sha1"])


def test_thresholds_are_the_published_ones_to_the_bit():
    assert thresholds().dtype == np.float32
    assert thresholds().tolist() == GOLDEN["thresholds_f32"]


@pytest.mark.parametrize("case", cases("frames"))
def test_avsbench_frames(case):
    scores, target = recipe.frame(case["seed"], case["h"], case["w"], case["pred"], case["gt"])
    target = target.astype(bool)
    logits, out = recipe.to_logits(scores), case["out"]

    def compat(maps, **options):
        suite = suites.get("avsbench_compat", **options)
        suite.update(maps[None], target[None])
        return suite.compute()

    assert close(functional.jaccard(scores > 0.5, target), out["iou_mask"], 2e-6)
    assert close(functional.jaccard(sigmoid(scores) > 0.5, target), out["iou_probability_fed_as_logit"], 2e-6)
    assert close(compat(logits, input="logits")["J"], out["iou_logits"], 2e-6)
    assert close(compat(logits, input="logits")["F"], out["F_logits"], 2e-6)
    assert close(compat(logits, input="raw_logits")["J"], out["iou_logits"], 2e-6)
    assert close(compat(logits, input="raw_logits")["F"], out["F_raw_logits"], 2e-6)
    assert close(compat(scores)["F"], out["F_scores"], 2e-6)
    assert close(compat((scores > 0.5).astype(np.float32))["F"], out["F_mask"], 2e-6)
    if target.any():
        assert close(functional.max_f_measure(scores, target), out["F_scores"], 2e-6)


@pytest.mark.parametrize("batch", list(GOLDEN["videos"]["batch_videos"]))
def test_avsbench_compat_batches(batch):
    case = GOLDEN["videos"]
    videos = [recipe.video(case["base"], v, case["h"], case["w"], kinds) for v, kinds in enumerate(case["kinds"])]
    size, out = len(videos) if batch == "all" else int(batch), case["batch_videos"][batch]

    def compat(transform, **options):
        suite = suites.get("avsbench_compat", **options)
        for start in range(0, len(videos), size):
            maps, targets = (np.concatenate(part) for part in zip(*videos[start : start + size], strict=True))
            suite.update(transform(maps), targets.astype(bool))
        return suite.compute()

    logits = compat(recipe.to_logits, input="logits")
    raw = compat(recipe.to_logits, input="raw_logits")
    soft = compat(lambda maps: maps)
    hard = compat(lambda maps: (maps > 0.5).astype(np.float32))
    for got, key in (
        (logits["J"], "J_logits"),
        (logits["F"], "F_logits"),
        (raw["F"], "F_raw_logits"),
        (hard["J"], "J_masks"),
        (soft["F"], "F_scores"),
        (hard["F"], "F_masks"),
    ):
        assert close(got, out[key], 2e-6), key
    assert soft["n_frames"] == sum(len(kinds) for kinds in case["kinds"])


def test_avsbench_is_the_one_batch_number():
    case = GOLDEN["videos"]
    suite = suites.get("avsbench")
    for v, kinds in enumerate(case["kinds"]):
        scores, targets = recipe.video(case["base"], v, case["h"], case["w"], kinds)
        for frame, target in zip(scores, targets.astype(bool), strict=True):
            suite.update(frame, target)
        assert close(functional.jaccard(scores > 0.5, targets.astype(bool)), case["J_per_video_masks"][v], 2e-6)
    numbers = suite.compute()
    assert close(numbers["F"], case["batch_videos"]["all"]["F_scores"], 2e-6)
    assert close(numbers["J"], case["batch_videos"]["all"]["J_masks"], 2e-6)


@pytest.mark.parametrize("case", cases("avss"))
def test_avss(case):
    plain, compat = suites.get("avss"), suites.get("avss_compat")
    frames, out = label_frames(case), case["out"]
    padding = np.zeros((case["h"], case["w"]), np.int64)
    for prediction, target in frames:
        plain.update(prediction, target)
        compat.update(prediction, target, padding=case["background_pad_frames"] if target is frames[-1][1] else 0)
    for _ in range(case["background_pad_frames"]):
        plain.update(padding, padding)  # for comparison only; the compat suite adds them itself

    numbers, published = plain.compute(), compat.compute()
    for got, key in (
        (numbers["mIoU_present"], "miou_present"),
        (numbers["F_present"], "f_present"),
        (numbers["mIoU_foreground"], "miou_without_background"),
        (numbers["F_foreground"], "f_without_background"),
        (numbers["J"], "binary_miou_cavp_bg0"),
        (published["mIoU"], "miou"),
        (published["F"], "f"),
        (published["mIoU_noBg"], "miou_official_noBg_drops_class70"),
        (published["F_noBg"], "f_official_noBg_drops_class70"),
        (published["binary_mIoU"], "binary_miou_avsbench_bg70"),
    ):
        assert close(got, out[key], 2e-6), key
    assert published["n_padding"] == case["background_pad_frames"]

    classes = compat.per_class()
    for name, key in (("IoU", "iou_sum"), ("F", "f_sum")):
        sums = np.nan_to_num(classes[name]) * classes["frames"]
        for c, want in enumerate(out[key].get(str(c), 0.0) for c in range(case["nclass"])):
            assert close(sums[c], want, 2e-5), (key, c)
    assert classes["frames"].tolist() == [out["count"].get(str(c), 0.0) for c in range(case["nclass"])]
    for (prediction, target), want in zip(frames, out["frame_miou"], strict=False):
        iou = functional.semantic_frame_scores(prediction, target).iou
        assert close(iou.sum() / np.count_nonzero(iou), want, 2e-6)


@pytest.mark.parametrize("case", cases("dataset_level"))
def test_cavp(case):
    suite = suites.get("cavp", num_classes=case["nclass"])
    for prediction, target in label_frames(case):
        suite.update(prediction, target)
    numbers, out = suite.compute(), case["out"]
    assert close(numbers["mIoU"], out["miou"], 1e-5)
    assert close(numbers["F"], out["f03_unrounded_own_arithmetic"], 1e-5)
    for name, key in (("mIoU", "miou"), ("accuracy", "acc"), ("FDR", "fdr"), ("F1", "f1"), ("F", "f03")):
        assert close(numbers[name], out[f"{key}_4dp"], 6e-5), name
    for c, iou in enumerate(suite.per_class()["IoU"]):
        assert close(np.nan_to_num(iou), out["iou"].get(str(c), 0.0), 1e-5)


def test_open_vocabulary():
    case = GOLDEN["open_vocabulary"]
    assert list(AVSBENCH_OV_BASE) == case["seen"]
    suite = suites.get("open_vocabulary")
    assert suite.options["novel"] == case["unseen"]
    for prediction, target in label_frames(case):
        suite.update(prediction, target)
    numbers = suite.compute()
    for name, published in (
        ("accuracy", "Overall Acc"),
        ("mean_accuracy", "Mean Acc"),
        ("freq_weighted_IoU", "FreqW Acc"),
        ("mIoU", "Mean IoU"),
    ):
        for suffix, tail in (("", ""), ("_base", " Seen"), ("_novel", " Unseen"), ("_harmonic", " Harmonic")):
            assert close(numbers[name + suffix], case["out"][published + tail], 1e-9), name + suffix
    for c, iou in enumerate(suite.per_class()["IoU"]):
        assert close(np.nan_to_num(iou), case["out"]["iou"].get(str(c), 0.0), 1e-9)


def test_the_forgiving_class_wise_numbers_of_ov_avss_can_be_rebuilt():
    case = GOLDEN["open_vocabulary"]
    iou, f, count = np.zeros(71), np.zeros(71), np.zeros(71)
    for prediction, target in label_frames(case):
        scores = functional.semantic_frame_scores(np.where(target > 0, prediction, 0), target)
        iou, f, count = iou + scores.iou, f + scores.f, count + scores.present
    for got, key in ((iou, "cls_iou_sum"), (f, "cls_f_sum"), (count, "cls_count")):
        for c in range(1, 71):  # their slot is the class minus one, and there is none for the background
            assert close(got[c], case["out"][key].get(str(c - 1), 0.0), 2e-6), (key, c)


def baav_target(item):
    image = recipe.gray_image(item["seed"], item["gt_h"], item["gt_w"], item["gt_image"], item["gt"])
    resized = np.asarray(Image.fromarray(image).resize((224, 224)))
    assert int(resized.sum()) == item["gt_resized_sum"], "Pillow resizes otherwise than the golden file expects"
    return resized >= 128


def test_baav():
    case = GOLDEN["baav"]
    together = suites.get("baav")
    for item in case["items"]:
        # The published run drew "perfect" and "blend" at the size of the prediction.
        scores, target = recipe.score_map(item["seed"], 224, 224, item["pred"], item["gt"]), baav_target(item)
        assert int(target.sum()) == item["gt_area"]
        alone = suites.get("baav")
        for suite in (alone, together):
            suite.update(scores, target)
        numbers = alone.compute()
        for name, key in (("J", "ciou"), ("F", "f"), ("mIoU", "ciou_adap"), ("Fscore", "f_adap")):
            assert close(numbers[name], item[key], 1e-9), (item, name)
    numbers = together.compute()
    for name, want in (*case["out"]["table"].items(), ("cIoU_fixed", case["out"]["cIoU_fixed"])):
        assert close(numbers[name], want, 1e-9), name
    assert close(numbers["AUC_fixed"], case["out"]["AUC_fixed"], 1e-9)
    assert close(numbers["cIoU_fixed"], case["out"]["AP50"], 1e-9)
    assert numbers["n_undefined"] == sum(item["ciou_adap"] == "nan" for item in case["items"])


def test_baav_without_empty_targets():
    case = GOLDEN["baav_clean"]
    suite = suites.get("baav")
    for item in case["items"]:
        scores, target = recipe.frame(item["seed"], case["h"], case["w"], item["pred"], item["gt"])
        suite.update(scores, target.astype(bool))
    numbers, out = suite.compute(), case["out"]
    for name, want in (*out["table"].items(), ("cIoU_fixed", out["cIoU_fixed"]), ("AUC_fixed", out["AUC_fixed"])):
        assert close(numbers[name], want, 1e-9), name


def test_ssl():
    case = GOLDEN["ssl"]
    suite = suites.get("ssl")
    for item in case["items"]:
        scores, target = recipe.frame(item["seed"], case["h"], case["w"], item["pred"], item["gt"])
        alone = suites.get("ssl")
        for one in (alone, suite):
            one.update(scores, target.astype(bool), names=item["name"])
        assert close(alone.compute()["mIoU_persample"], item["ciou"], 1e-9)
        assert close(functional.success_auc([item["ciou_adap"]]), alone.compute()["AUC_adap"], 1e-9)
    numbers = suite.compute()
    for name in ("cIoU", "AUC", "IIoU", "IAUC"):
        for suffix in ("", "_adap"):
            assert close(numbers[name + suffix], case["out"][name + suffix], 1e-9), name + suffix
    assert close(numbers["mIoU_persample"], case["out"]["mIoU_persample"], 1e-9)


def test_tavis_semantic():
    case = GOLDEN["tavis_semantic"]
    iou, f = (suites.get("tavis_semantic", num_classes=case["nclass"]) for _ in range(2))
    for prediction, target in label_frames(case):
        one_hot = recipe.one_hot_logits(prediction[None], case["nclass"])
        iou.update(one_hot - np.float32(5), target)
        f.update((one_hot / np.float32(10))[0], target)
    assert close(iou.compute()["mIoU"], case["out"]["iou"], 2e-6)
    assert close(f.compute()["F"], case["out"]["f"], 2e-6)
    np.testing.assert_allclose(iou.per_class()["IoU"], case["out"]["iou_per_class"], atol=2e-6)
    np.testing.assert_allclose(f.per_class()["F"], case["out"]["f_per_class"], atol=2e-6)

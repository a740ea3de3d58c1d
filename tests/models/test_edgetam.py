"""EdgeTAM against the documented calls, in batches, and from the files of the model for videos.

What all such segmenters do is tested with SAM 2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from adapter_checkpoints import save
from detections import sample
from prompted_masks import LOGITS, best, boxed, changed, documented
from timm_is_missing import without_timm

from zsavs.errors import BrokenInstallation, WeightsError
from zsavs.models.edgetam import CARDS, DEFAULT, EdgeTamSegmenter
from zsavs.models.edgetam_video import EdgeTamVideoSegmenter
from zsavs.models.sam2 import Sam2Segmenter
from zsavs.testing.tiny.segmenters import tiny_edgetam, tiny_sam2
from zsavs.testing.tiny.trackers import tiny_edgetam_video

TABLE = "prompt_encoder.shared_embedding.positional_embedding"


def segmenter(**settings: Any) -> EdgeTamSegmenter:
    """A fresh toy segmenter, which remembers nothing yet."""
    made = tiny_edgetam()
    return EdgeTamSegmenter(made.model, made.image_processor, card=made.card, **settings)


@pytest.mark.parametrize("size", [(96, 128), (300, 200), (33, 90)])
def test_masks_of_boxes_are_those_of_the_documented_calls(size: tuple[int, int]) -> None:
    made, scene, found = segmenter(), sample(*size), boxed(size, 3)
    masks, ratings = documented(made, scene, False, input_boxes=[found.boxes_xyxy.tolist()])
    logits, iou = made.predict([scene], [found])[0]
    assert logits.shape == (3, *size)
    assert logits.dtype == iou.dtype == np.float32
    np.testing.assert_allclose(logits, masks[:, 0], atol=LOGITS)
    np.testing.assert_allclose(iou, ratings[:, 0], atol=1e-5)
    assert np.abs(logits[0] - logits[1]).max() > 0.1, "masks that are all alike would prove nothing"
    other = made.segment([sample(*size, 1)], [found])[0]
    assert np.abs(logits - other).max() > 0.1, "nor would masks that are the same for every image"


def test_masks_of_points_are_those_of_the_documented_calls() -> None:
    made, scene = segmenter(), sample(96, 128)
    points = [[[10.0, 20.0]], [[3.0, 90.0]], [[59.0, 59.0]]]
    masks, ratings = best(*documented(made, scene, input_points=[points], input_labels=[[[1]] * 3]))
    logits, iou = made.segment_points([scene], [points])[0]
    np.testing.assert_allclose(logits, masks, atol=LOGITS)
    np.testing.assert_allclose(iou, ratings, atol=1e-5)


def test_a_batch_of_mixed_sizes_gives_what_its_images_give_one_by_one() -> None:
    sizes = [(96, 128), (40, 60), (96, 128), (60, 40), (7, 200)]
    samples = [sample(*size, seed) for seed, size in enumerate(sizes)]
    found = [boxed(size, count, count) for size, count in zip(sizes, (2, 5, 0, 1, 3), strict=True)]
    together = segmenter(batch_size=3, prompts_at_once=2).predict(samples, found)
    for (logits, iou), scene, boxes in zip(together, samples, found, strict=True):
        alone, rated = segmenter().predict([scene], [boxes])[0]
        np.testing.assert_allclose(logits, alone, atol=LOGITS)
        np.testing.assert_allclose(iou, rated, atol=1e-5)


# ------------------------------------------------------------------------------------ loading
def test_one_checkpoint_serves_images_and_videos(tmp_path: Path) -> None:
    """The published one is the video model's; its image part is the segmenter's whole model."""
    video = tiny_edgetam_video()
    folder = save("edgetam_video", video, tmp_path)
    loaded = EdgeTamSegmenter.load(folder, device="cpu")
    whole = video.model.state_dict()
    for name, weights in loaded.model.state_dict().items():
        assert torch.equal(weights, whole[name]), name
    scene, found = sample(96, 128), boxed((96, 128))
    again = EdgeTamSegmenter(loaded.model, loaded.image_processor, card=loaded.card)
    np.testing.assert_array_equal(loaded.segment([scene], [found])[0], again.segment([scene], [found])[0])
    assert EdgeTamVideoSegmenter.default == EdgeTamSegmenter.default == DEFAULT
    assert EdgeTamVideoSegmenter.cards is EdgeTamSegmenter.cards is CARDS
    assert "preprocessor_config.json" in CARDS[DEFAULT].files, "that of the video model holds nothing about images"


def test_the_table_of_prompts_that_a_file_lacks_is_filled_in(tmp_path: Path) -> None:
    folder = save("edgetam", tiny_edgetam(), tmp_path / "whole")
    loaded = EdgeTamSegmenter.load(changed(folder, tmp_path / "old", drop=(TABLE,)), device="cpu").model
    assert torch.equal(
        loaded.prompt_encoder.shared_embedding.positional_embedding, loaded.shared_image_embedding.positional_embedding
    )


def test_neither_family_is_taken_for_the_other(tmp_path: Path) -> None:
    """Its class of transformers takes SAM 2's image encoder, and SAM 2's takes RepViT."""
    with pytest.raises(WeightsError, match=r"type 'sam2', and no EdgeTAM .*segmenter='sam2:PATH'"):
        EdgeTamSegmenter.load(save("sam2", tiny_sam2(), tmp_path / "sam2"), device="cpu")
    with pytest.raises(WeightsError, match=r"type 'edgetam', and no SAM 2"):
        Sam2Segmenter.load(save("edgetam", tiny_edgetam(), tmp_path / "edgetam"), device="cpu")


def test_only_the_image_encoder_is_in_half_precision(tmp_path: Path) -> None:
    made = segmenter()
    half = EdgeTamSegmenter.load(save("edgetam", made, tmp_path), device="cpu", dtype="bfloat16")
    assert {weight.dtype for weight in half.model.vision_encoder.parameters()} == {torch.bfloat16}
    assert {weight.dtype for weight in half.model.prompt_encoder.parameters()} == {torch.float32}
    scene, found = sample(96, 128), boxed((96, 128))
    one, other = (part.segment([scene], [found])[0] for part in (half, made))
    assert one.dtype == np.float32
    assert np.abs(one - other).mean() / other.std() < 0.1


@pytest.mark.parametrize(
    ("cls", "make"), [(EdgeTamSegmenter, tiny_edgetam), (EdgeTamVideoSegmenter, tiny_edgetam_video)]
)
def test_without_timm_the_package_is_named(
    cls: Any, make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "edgetam" if cls is EdgeTamSegmenter else "edgetam_video"
    folder = save(name, make(), tmp_path)
    without_timm(monkeypatch)
    with pytest.raises(BrokenInstallation, match=r"timm's, which is not installed; run: pip install timm$"):
        cls.load(folder, device="cpu")

"""SAM 3 against the calls of transformers: instances with masks for phrases, masks for boxes and points, one encoder.

What all segmenters of boxes and points do is tested with SAM 2."""

from __future__ import annotations

import copy
import gc
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from adapter_checkpoints import save
from adapter_helpers import noise_images
from detections import query, sample
from PIL import Image
from prompted_masks import LOGITS, best, boxed

import zsavs
from zsavs.errors import InputError, WeightsError
from zsavs.models.detection import distinct_masks
from zsavs.models.sam3 import CARDS, DEFAULT, Sam3Grounder, Sam3Segmenter
from zsavs.models.sam3_video import Sam3VideoSegmenter
from zsavs.segmentation.grounder_masks import FromGrounder
from zsavs.testing.tiny.sam3 import tiny_sam3, tiny_sam3_segmenter, tiny_sam3_video
from zsavs.testing.tiny.segmenters import tiny_sam2
from zsavs.types import AVSample, Proposals, Query

PHRASES = ("a dog", "piano", "red car", "a dog that barks")


def grounder(**settings: Any) -> Sam3Grounder:
    """A fresh toy grounder, which remembers nothing yet."""
    made = tiny_sam3()
    parts = copy.deepcopy(made.model), made.image_processor, made.tokenizer
    return Sam3Grounder(*parts, card=made.card, **{"threshold": 0.0, "nms_iou": 1.0, **settings})


def segmenter(**settings: Any) -> Sam3Segmenter:
    made = tiny_sam3_segmenter()
    return Sam3Segmenter(copy.deepcopy(made.model), made.image_processor, card=made.card, **settings)


def documented(made: Sam3Grounder, scene: AVSample, phrase: str, threshold: float) -> dict[str, np.ndarray]:
    """The calls that transformers documents, for one image and one phrase."""
    from transformers import Sam3Processor

    processor = Sam3Processor(made.image_processor, made.tokenizer)
    inputs = processor(images=Image.fromarray(scene.image), text=phrase, return_tensors="pt")
    with torch.no_grad():
        outputs = made.model(**{name: value for name, value in inputs.items() if name != "original_sizes"})
    sizes = inputs["original_sizes"].tolist()
    (found,) = processor.post_process_instance_segmentation(outputs, threshold, 0.5, sizes)
    return {name: value.numpy() for name, value in found.items()}


def same(one: Proposals, other: Proposals, tolerance: float = 1e-4) -> None:
    assert len(one) == len(other)
    np.testing.assert_array_equal(one.sources, other.sources)
    np.testing.assert_allclose(one.boxes_xyxy, other.boxes_xyxy, atol=tolerance)
    np.testing.assert_allclose(one.scores, other.scores, atol=tolerance)
    assert one.masks is not None
    assert other.masks is not None
    assert (one.masks != other.masks).mean() < 1e-3


# ------------------------------------------------------------------------------------ phrases
@pytest.mark.parametrize("size", [(96, 128), (300, 200), (33, 90)])
def test_instances_are_those_of_the_documented_calls(size: tuple[int, int]) -> None:
    made, scene = grounder(threshold=0.2), sample(*size)
    (found,) = made.ground([scene], [query(*PHRASES)])
    assert found.masks is not None
    assert found.masks.shape[1:] == size
    best = [found.scores[found.sources == row].max() for row in range(len(PHRASES))]
    assert np.ptp(best) > 0.01, "phrases that are all alike would prove nothing"
    for row, phrase in enumerate(PHRASES):
        mine, old = found.rows(found.sources == row), documented(made, scene, phrase, 0.2)
        order = np.argsort(-old["scores"], kind="stable")
        height, width = size
        boxes = np.clip(old["boxes"][order], 0, [width, height] * 2)
        masks = old["masks"][order].astype(bool)
        there = masks.any(axis=(1, 2)) & (boxes[:, :2] < boxes[:, 2:]).all(axis=1)
        assert len(mine) == there.sum() > 0
        np.testing.assert_allclose(mine.scores, old["scores"][order][there], atol=1e-5)
        np.testing.assert_allclose(mine.boxes_xyxy, boxes[there], atol=1e-3)
        assert mine.masks is not None
        assert (mine.masks != masks[there]).mean() < 1e-3


def test_each_phrase_finds_what_it_finds_alone() -> None:
    scene = sample(96, 128)
    (together,) = grounder(phrases_at_once=3).ground([scene], [query(*PHRASES)])
    assert len(together) > len(PHRASES)
    for row, phrase in enumerate(PHRASES):
        (alone,) = grounder().ground([scene], [query(phrase)])
        mine = together.rows(together.sources == row)
        same(Proposals(mine.boxes_xyxy, mine.scores, mine.sources * 0, masks=mine.masks), alone)
    assert (np.diff(together.scores) <= 0).all(), "best first, whatever the phrase"


def test_a_batch_of_mixed_sizes_gives_what_its_images_give_one_by_one() -> None:
    sizes = [(96, 128), (40, 60), (96, 128), (60, 40), (7, 200)]
    samples = [sample(*size, seed) for seed, size in enumerate(sizes)]
    queries = [query(*PHRASES[: count % 4]) for count in range(5)]
    together = grounder(batch_size=3).ground(samples, queries)
    for found, scene, asked in zip(together, samples, queries, strict=True):
        same(found, grounder().ground([scene], [asked])[0]) if len(asked) else None
    assert [len(found) > 0 for found in together] == [False, True, True, True, False]


def test_the_image_is_encoded_once_for_all_phrases_strategies_and_stages() -> None:
    made, painter = tiny_sam3(3), tiny_sam3_segmenter(3)
    seen: list[int] = []
    texts: list[int] = []
    encoder = made.model.vision_encoder.backbone
    painter.model.vision_encoder.backbone = encoder  # as of one checkpoint
    encoder.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    made.model.text_encoder.register_forward_hook(lambda *_: texts.append(1))
    scene = sample(96, 128)
    (first,) = made.ground([scene], [query("dog", "piano")])
    (again,) = made.ground([AVSample(scene.image, sample(9, 9).audio)], [query("piano", "dog")])
    made.ground([scene], [query("dog", "red car")])
    painter.segment([scene], [first])
    painter.segment_points([scene], [[[[5.0, 6.0]]]])
    assert seen == [1]
    assert len(texts) == 2, "two phrases together, and the third"
    order = [1, 0]
    assert sorted(zip(first.scores.tolist(), first.sources.tolist(), strict=True)) == sorted(
        (score, order[source]) for score, source in zip(again.scores.tolist(), again.sources.tolist(), strict=True)
    )


def test_one_image_twice_in_a_batch_is_asked_each_phrase_once() -> None:
    made, scene = grounder(), sample(60, 80)
    rows: list[int] = []
    made.model.detr_decoder.register_forward_hook(lambda *_: rows.append(1))
    one, other, none = made.ground([scene, scene, scene], [query("dog"), query("dog", "cat"), Query.nothing()])
    assert len(rows) == 2
    assert len(none) == 0
    same(one, other.rows(other.sources == 0))


def test_what_is_not_in_the_image_at_all_is_not_found() -> None:
    """The presence score is of the phrase and the whole image, and counts for every candidate."""
    scene, probe = sample(96, 128), grounder()
    (before,) = probe.ground([scene], [query("dog")])
    made = grounder()
    last = [layer for layer in made.model.detr_decoder.presence_head.modules() if hasattr(layer, "bias")][-1]
    with torch.no_grad():
        last.bias.fill_(-20.0)
    (absent,) = made.ground([scene], [query("dog")])
    assert absent.scores.max() < 1e-3 < before.scores.min()
    made.threshold = 0.01
    (nothing,) = made.ground([AVSample(scene.image.copy(), scene.audio)], [query("dog")])
    assert len(nothing) == 0
    assert nothing.boxes_xyxy.shape == (0, 4)


def test_of_instances_with_the_same_mask_the_better_stays(caplog: pytest.LogCaptureFixture) -> None:
    scene = sample(96, 128)
    (every,) = grounder().ground([scene], [query("dog")])
    (few,) = grounder(nms_iou=0.5).ground([scene], [query("dog")])
    assert 0 < len(few) < len(every)
    assert few.scores[0] == pytest.approx(every.scores[0])
    assert few.masks is not None
    assert len(distinct_masks(few.masks, few.scores, 0.6)) == len(few), (
        "at the decoder's size they overlap a little less"
    )
    with caplog.at_level(logging.WARNING):
        (two,) = grounder(max_boxes=2).ground([scene], [query("dog")])
    assert len(two) == 2
    assert "SAM 3: max_boxes=2 left out" in caplog.text


def test_a_long_phrase_is_cut_off_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    made, scene = grounder(), sample(60, 80)
    with caplog.at_level(logging.WARNING):
        (found,) = made.ground([scene], [query("dog " * 60)])
    assert "SAM 3 reads 32 tokens of 'dog dog" in caplog.text
    assert np.isfinite(found.scores).all()


def test_memos_end_with_their_image() -> None:
    made = grounder()
    image = noise_images((40, 60))[0]
    made.ground([AVSample(image, sample(9, 9).audio)], [query("dog")])
    assert len(made._answers) == 1
    del image
    gc.collect()
    assert len(made._answers) == 0


@pytest.mark.parametrize(
    "setting", [{"threshold": 1.5}, {"nms_iou": -0.1}, {"max_boxes": 0}, {"batch_size": 0}, {"phrases_at_once": 0}]
)
def test_settings_out_of_range_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"Sam3Grounder: {next(iter(setting))}"):
        grounder(**setting)


def test_broken_weights_are_said() -> None:
    made = grounder()
    with torch.no_grad():
        made.model.text_projection.weight.fill_(float("nan"))
    with pytest.raises(WeightsError, match="SAM 3 returned NaN"):
        made.ground([sample(60, 80)], [query("dog")])


def test_a_pipeline_takes_its_masks_and_segments_nothing_again() -> None:
    made = tiny_sam3()
    refused = tiny_sam3_segmenter()
    refused.segment = lambda *_: pytest.fail("there are masks")  # type: ignore[method-assign]
    pipe = zsavs.build_pipeline(
        "audio_to_text",
        preset="toy",
        grounder=made,
        verifier="trust_grounder",
        segmenter=FromGrounder(refused),
    )
    scene = zsavs.testing.example_samples()[0]
    result = pipe(scene)
    assert len(result) > 0
    (found,) = made.ground([scene], [Query(result.queries.phrases, result.queries.weights)])
    assert found.masks is not None
    for mask in result.masks:
        assert any(np.array_equal(mask, own) for own in found.masks)
    assert result.meta["models"]["grounder"]["component"] == "Sam3Grounder"


# -------------------------------------------------------------------------------- boxes, points
def decoded(made: Sam3Segmenter, scene: AVSample, multimask: bool = True, **prompts: Any) -> Any:
    """The calls that transformers documents, with what stands for a memory added where SAM 2 adds it."""
    from transformers import Sam3TrackerProcessor

    processor = Sam3TrackerProcessor(made.image_processor)
    inputs = processor(images=Image.fromarray(scene.image), return_tensors="pt", **prompts)
    with torch.no_grad():
        scales = made.model.get_image_embeddings(inputs.pop("pixel_values"))
        scales[-1] = scales[-1] + made.model.no_memory_embedding.view(1, -1, 1, 1)
        sizes = inputs.pop("original_sizes")
        outputs = made.model(image_embeddings=scales, multimask_output=multimask, **inputs)
    masks = processor.post_process_masks(outputs.pred_masks, sizes, binarize=False)[0]
    return masks.numpy(), outputs.iou_scores[0].numpy()


@pytest.mark.parametrize("size", [(96, 128), (300, 200), (33, 90)])
def test_masks_of_boxes_are_those_of_the_documented_calls(size: tuple[int, int]) -> None:
    made, scene, found = segmenter(), sample(*size), boxed(size, 3)
    masks, ratings = decoded(made, scene, False, input_boxes=[found.boxes_xyxy.tolist()])
    logits, iou = made.predict([scene], [found])[0]
    assert logits.shape == (3, *size)
    np.testing.assert_allclose(logits, masks[:, 0], atol=LOGITS)
    np.testing.assert_allclose(iou, ratings[:, 0], atol=1e-5)
    assert np.abs(logits[0] - logits[1]).max() > 0.1, "masks that are all alike would prove nothing"


def test_its_square_is_as_it_was_trained() -> None:
    with pytest.raises(InputError, match=r"SAM 3 sees images at one size; leave image_size out\."):
        segmenter(image_size=512)


def test_masks_of_points_are_those_of_the_documented_calls() -> None:
    made, scene = segmenter(), sample(96, 128)
    points = [[[10.0, 20.0]], [[3.0, 90.0]], [[59.0, 59.0]]]
    masks, ratings = best(*decoded(made, scene, input_points=[points], input_labels=[[[1]] * 3]))
    logits, iou = made.segment_points([scene], [points])[0]
    np.testing.assert_allclose(logits, masks, atol=LOGITS)
    np.testing.assert_allclose(iou, ratings, atol=1e-5)


def test_what_stands_for_a_memory_reaches_the_decoder() -> None:
    """transformers 5.24 adds it to the fourth scale, which nothing reads; in its model for videos, as SAM 2 does."""
    scene, found = sample(96, 128), boxed((96, 128))
    made, video = segmenter(), tiny_sam3_video()
    before = made.segment([scene], [found])[0]
    with torch.no_grad():
        made.model.no_memory_embedding += 1.0
    after = Sam3Segmenter(made.model, made.image_processor, card=made.card).segment([scene], [found])[0]
    assert np.abs(after - before).max() > 0.1
    pixels = video.image_processor(images=[np.array(scene.image)], return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        video.model.no_memory_embedding.normal_()
        wanted = video.model.get_image_embeddings(pixels)
        # The same encoder, in the class for images.
        other = copy.deepcopy(made)
        other.model.vision_encoder = video.model.vision_encoder
        other.model.mask_decoder.conv_s0, other.model.mask_decoder.conv_s1 = (
            video.model.mask_decoder.conv_s0,
            video.model.mask_decoder.conv_s1,
        )
        other.model.no_memory_embedding = video.model.no_memory_embedding
        (got,) = other._encode([scene.image])
    assert len(got) == len(wanted) == 3
    for one, two in zip(got, wanted, strict=True):
        torch.testing.assert_close(one, two, atol=1e-4, rtol=0)


# ---------------------------------------------------------------------------------- one encoder
def test_models_with_the_same_encoder_share_it_and_what_it_saw() -> None:
    made, painter = tiny_sam3(5), tiny_sam3_segmenter(5)
    encoder = made.model.vision_encoder.backbone
    assert painter.model.vision_encoder.backbone is not encoder, "other weights"
    twin = copy.deepcopy(painter.model)
    twin.vision_encoder.backbone = copy.deepcopy(encoder)
    other = Sam3Segmenter(twin, painter.image_processor, card=painter.card)
    assert other.model.vision_encoder.backbone is encoder
    scene, found = sample(60, 80), boxed((60, 80))
    made.ground([scene], [query("dog")])
    encoder.forward = lambda *_, **__: pytest.fail("this image was seen")
    assert np.isfinite(other.segment([scene], [found])[0]).all()


def test_encoders_that_differ_in_one_number_stay_apart() -> None:
    made = tiny_sam3(6)
    model = copy.deepcopy(made.model)
    with torch.no_grad():
        model.vision_encoder.backbone.layers[1].mlp.fc1.bias[3] += 1e-3
    other = Sam3Grounder(model, made.image_processor, made.tokenizer, card=made.card)
    assert other.model.vision_encoder.backbone is not made.model.vision_encoder.backbone
    half = copy.deepcopy(made.model)
    half.vision_encoder.backbone.to(torch.bfloat16)
    third = Sam3Grounder(half, made.image_processor, made.tokenizer, card=made.card)
    assert third.model.vision_encoder.backbone is not made.model.vision_encoder.backbone
    assert next(made.model.vision_encoder.backbone.parameters()).dtype == torch.float32


def test_only_the_encoder_is_in_half_precision(tmp_path: Path) -> None:
    made = grounder()
    half = Sam3Grounder.load(save("sam3", made, tmp_path), device="cpu", dtype="bfloat16", threshold=0.0, nms_iou=1.0)
    assert {weight.dtype for weight in half.model.vision_encoder.backbone.parameters()} == {torch.bfloat16}
    assert {weight.dtype for weight in half.model.vision_encoder.neck.parameters()} == {torch.float32}
    assert {weight.dtype for weight in half.model.detr_decoder.parameters()} == {torch.float32}
    scene = sample(96, 128)
    one, other = (part.ground([scene], [query("dog")])[0] for part in (half, made))
    assert abs(one.scores.mean() - other.scores.mean()) < 0.02


# ------------------------------------------------------------------------------------ loading
@pytest.mark.parametrize("cls", [Sam3Grounder, Sam3Segmenter, Sam3VideoSegmenter])
def test_another_family_is_refused_by_name(cls: Any, tmp_path: Path) -> None:
    folder = save("sam2", tiny_sam2(), tmp_path)
    tiny_sam3().tokenizer.save_pretrained(folder)
    with pytest.raises((InputError, WeightsError), match=r"type 'sam2'.*'sam3_video'"):
        cls.load(folder, device="cpu")


def test_one_card_serves_all_three_and_says_what_its_gate_and_licence_ask() -> None:
    assert Sam3Grounder.cards is Sam3Segmenter.cards is Sam3VideoSegmenter.cards is CARDS
    assert Sam3Grounder.default == Sam3Segmenter.default == Sam3VideoSegmenter.default == DEFAULT == "facebook/sam3"
    card = CARDS[DEFAULT]
    assert (card.licence, card.is_restricted) == ("SAM License", False)
    assert "date of birth" in card.gate
    assert "military" in card.terms
    assert {"gate", "terms"} <= set(card.as_dict())
    for text in (card.gate, card.terms):
        assert "\n" not in text

"""OWLv2 against the documented calls; phrases that never touch each other; batches, broken files and odd images."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import Any

import detections
import numpy as np
import pytest
import torch
from adapter_checkpoints import save
from adapter_helpers import noise, noise_images, random_states
from detections import query, sample
from PIL import Image
from torchvision.ops import box_iou

from zsavs import AVSample, Proposals, Query
from zsavs.errors import InputError, WeightsError
from zsavs.models.owlv2 import Owlv2Grounder
from zsavs.protocols import Grounder
from zsavs.testing import check_grounder
from zsavs.testing.tiny.detectors import tiny_owlv2

#: Batch against single, and ours against the library: float32 rounding, on boxes in pixels and on scores.
PIXELS, SCORES = 1e-3, 1e-5

#: Every candidate box of every phrase.
ALL = {"nms_iou": 1.0, "max_boxes": 1000}


def grounder(**settings: Any) -> Owlv2Grounder:
    """A toy grounder with settings of its own."""
    made = tiny_owlv2()
    settings = {"threshold": 0.0, **settings}
    return Owlv2Grounder(made.model, made.image_processor, made.tokenizer, card=made.card, **settings)


def row(proposals: Proposals, source: int) -> Proposals:
    """What one row of the query found, as the only row of its own query."""
    found = proposals.rows(proposals.sources == source)
    return Proposals(found.boxes_xyxy, found.scores, np.zeros_like(found.sources))


assert_same = partial(detections.assert_same, pixels=PIXELS, scores=SCORES)


def documented(made: Owlv2Grounder, scene: AVSample, texts: list[str]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The calls that transformers documents, for one image: the result, and every score (candidates, texts)."""
    from transformers import Owlv2Processor

    processor = Owlv2Processor(image_processor=made.image_processor, tokenizer=made.tokenizer)
    inputs = processor(text=[texts], images=Image.fromarray(scene.image), return_tensors="pt")
    with torch.no_grad():
        outputs = made.model(**inputs)
    result = processor.post_process_grounded_object_detection(
        outputs, threshold=0.0, target_sizes=torch.tensor([scene.size_hw]), text_labels=[texts]
    )[0]
    arrays = {name: result[name].numpy() for name in ("boxes", "scores", "labels")}
    return arrays, outputs.logits[0].sigmoid().numpy()


def on_image(boxes: np.ndarray, scores: np.ndarray, size_hw: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Boxes cut at the image, those outside of it dropped, best first."""
    height, width = size_hw
    inside = np.clip(boxes, 0, [width, height, width, height])
    solid = (inside[:, 2] > inside[:, 0]) & (inside[:, 3] > inside[:, 1])
    order = np.argsort(-scores[solid], kind="stable")
    return inside[solid][order], scores[solid][order]


# ------------------------------------------------------------------------------------- parity
@pytest.mark.parametrize("size", [(96, 128), (190, 120), (33, 90), (64, 64)])
def test_boxes_and_scores_are_those_of_the_documented_calls(size: tuple[int, int]) -> None:
    made = grounder(**ALL)
    scene, phrases = sample(*size), ["dog", "guitar", "red car"]
    result, scores = documented(made, scene, [f"a photo of a {phrase}" for phrase in phrases])
    found = made.ground([scene], [query(*phrases)])[0]
    for source in range(3):
        boxes, expected = on_image(result["boxes"], scores[:, source], size)
        assert len(boxes) >= 4
        np.testing.assert_allclose(row(found, source).scores, expected, atol=SCORES)
        np.testing.assert_allclose(row(found, source).boxes_xyxy, boxes, atol=PIXELS)


@pytest.mark.parametrize("size", [(96, 128), (128, 96)])
def test_one_phrase_gives_the_documented_result(size: tuple[int, int]) -> None:
    made, scene = grounder(**ALL, template="{}"), sample(*size)
    result, _ = documented(made, scene, ["dog"])
    boxes, scores = on_image(result["boxes"], result["scores"], size)
    assert_same(made.ground([scene], [query("dog")])[0], Proposals(boxes, scores, np.zeros(len(boxes), np.int64)))


def test_the_template_matters_and_holds_the_phrase() -> None:
    scene = sample(96, 128)
    bare = grounder(template="{}").ground([scene], [query("the sound of a dog")])[0]
    wrapped = grounder(template="the sound of a {}").ground([scene], [query("dog")])[0]
    assert_same(bare, wrapped, pixels=0, scores=0)
    assert np.abs(bare.scores[:3] - grounder().ground([scene], [query("dog")])[0].scores[:3]).max() > 1e-3
    braces = grounder(template="{}").ground([scene], [query("{} {0} {x}")])[0]
    assert len(braces) > 0


def test_a_box_is_kept_above_the_threshold_only() -> None:
    scene, asked = sample(96, 128), query("dog", "guitar")
    every = grounder(**ALL).ground([scene], [asked])[0]
    threshold = float(np.median(every.scores))
    kept = grounder(**ALL, threshold=threshold).ground([scene], [asked])[0]
    assert_same(kept, every.rows(every.scores > threshold), pixels=0, scores=0)
    assert 0 < len(kept) < len(every)


def test_neighbouring_candidates_have_a_say_in_where_a_box_lies() -> None:
    scene, asked = sample(96, 128), query("dog", "guitar")
    every = grounder(**ALL, threshold=0.0).ground([scene], [asked])[0]
    settings = {"nms_iou": 0.02, "max_boxes": 1000, "threshold": 0.0}
    surest = grounder(**settings).ground([scene], [asked])[0]
    voted = grounder(**settings, vote_iou=0.02).ground([scene], [asked])[0]
    np.testing.assert_array_equal(voted.scores, surest.scores)
    for place, box in enumerate(surest.boxes_xyxy):
        candidates = row(every, int(surest.sources[place]))
        near = box_iou(torch.tensor(box[None]), torch.tensor(candidates.boxes_xyxy))[0].numpy() >= 0.02
        mean = np.average(candidates.boxes_xyxy[near], axis=0, weights=candidates.scores[near])
        np.testing.assert_allclose(voted.boxes_xyxy[place], mean, atol=1e-3)
    assert not np.allclose(voted.boxes_xyxy, surest.boxes_xyxy), "no box has a neighbour"


def test_boxes_are_suppressed_within_a_phrase_and_limited() -> None:
    scene, asked = sample(96, 128), query("dog", "guitar", "rain")
    every = grounder(**ALL).ground([scene], [asked])[0]
    fewer = grounder(nms_iou=0.05, max_boxes=1000).ground([scene], [asked])[0]
    two = grounder(nms_iou=0.05, max_boxes=2).ground([scene], [asked])[0]
    assert len(every) > len(fewer) > len(two) == 6
    for source in range(3):
        assert_same(row(two, source), row(fewer, source).rows([0, 1]), pixels=0, scores=0)


# ------------------------------------------------------------------------------------ phrases
def test_a_phrase_never_changes_what_another_one_finds() -> None:
    made = grounder()
    scene = sample(96, 128)
    phrases = ["car taxi", "taxi", "car", "吉他", "a", "dog " * 30, "..."]
    together = made.ground([scene], [query(*phrases)])[0]
    for source, phrase in enumerate(phrases):
        alone = grounder().ground([scene], [query(phrase)])[0]
        assert len(alone) > 0
        assert_same(row(together, source), alone, pixels=1e-5, scores=1e-5)
    backwards = grounder().ground([scene], [query(*phrases[::-1])])[0]
    for source in range(len(phrases)):
        assert_same(row(together, source), row(backwards, len(phrases) - 1 - source), pixels=1e-5, scores=1e-5)


def test_no_blank_text_is_asked_beside_a_shorter_list() -> None:
    """The library fills shorter lists with " ", which is then a phrase like any other and can win."""
    made = grounder()
    samples, queries = [sample(96, 128)] * 2, [query("dog", "guitar", "rain"), query("dog")]
    long, short = made.ground(samples, queries)
    assert set(short.sources) == {0}
    assert_same(row(long, 0), short)


def test_every_one_of_300_phrases_is_scored_and_the_image_encoded_once() -> None:
    made = grounder(max_boxes=1)
    encoded: list[int] = []
    made.model.owlv2.vision_model.register_forward_hook(lambda *_: encoded.append(1))
    found = made.ground([sample(40, 60)], [query(*(f"thing {number}" for number in range(300)))])[0]
    np.testing.assert_array_equal(np.sort(found.sources), np.arange(300))
    assert len(encoded) == 1


def test_a_phrase_is_embedded_once() -> None:
    made = grounder()
    texts: list[int] = []
    made.model.owlv2.text_model.register_forward_pre_hook(
        lambda _, args, kwargs: texts.append(len(kwargs["input_ids"])), with_kwargs=True
    )
    made.ground([sample(40, 60)] * 2, [query("dog", "cat", "dog"), query("cat")])
    made.ground([sample(40, 60)], [query("cat", "rain")])
    assert sum(texts) == 3


def test_a_text_too_long_for_the_model_is_cut_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    made, scene = grounder(), sample(40, 60)
    with caplog.at_level(logging.WARNING, logger="zsavs"):
        fitting = made.ground([scene], [query("dog " * 9 + "cat")])[0]
    assert caplog.text == ""
    with caplog.at_level(logging.WARNING, logger="zsavs"):
        longer = made.ground([scene], [query("dog " * 9 + "cat" + " guitar" * 500)])[0]
    assert "16 tokens" in caplog.text
    assert_same(fitting, longer, pixels=1e-4, scores=1e-6)
    result, _ = documented(made, scene, ["a photo of a " + "dog " * 9 + "cat"])
    assert np.isclose(longer.scores[0], on_image(result["boxes"], result["scores"], (40, 60))[1][0], atol=SCORES)


# ------------------------------------------------------------------------------------ batches
def test_it_keeps_the_contract_of_a_grounder() -> None:
    made = grounder(batch_size=3)
    assert isinstance(made, Grounder)
    check_grounder(made, tolerance=PIXELS)


def test_a_batch_of_mixed_sizes_gives_what_its_images_give_one_by_one_in_any_order() -> None:
    made = grounder(batch_size=4)
    sizes = [(96, 128), (40, 60), (96, 128), (60, 40), (7, 200), (300, 250)]
    samples = [sample(*size, seed) for seed, size in enumerate(sizes)]
    queries = [query("dog", "rain"), query("guitar"), Query.nothing(), query("a", "b"), query("car"), query("a dog")]
    together = made.ground(samples, queries)
    for found, scene, asked in zip(together, samples, queries, strict=True):
        assert_same(found, made.ground([scene], [asked])[0])
    assert [len(one) > 0 for one in together] == [True, True, False, True, True, True]
    for found, back in zip(together, made.ground(samples[::-1], queries[::-1])[::-1], strict=True):
        assert_same(found, back)
    for found, again in zip(together, made.ground(samples, queries), strict=True):
        assert_same(found, again, pixels=0, scores=0)


def test_batches_are_bounded_and_an_empty_query_does_not_run_the_model() -> None:
    made = grounder(batch_size=2)
    sizes: list[int] = []
    made.model.owlv2.vision_model.register_forward_pre_hook(
        lambda _, args, kwargs: sizes.append(len(kwargs["pixel_values"])), with_kwargs=True
    )
    asked = [query("dog"), Query.nothing(), query("dog"), query("dog"), Query.nothing()]
    found = made.ground([sample(40, 60, seed) for seed in range(5)], asked)
    assert sizes == [2, 1]
    assert [len(one) > 0 for one in found] == [True, False, True, True, False]
    assert made.ground([], []) == []


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3, 50), (2, 2), (3, 3), (400, 1)])
def test_images_of_any_shape_are_looked_at(size: tuple[int, int]) -> None:
    found = grounder().ground([sample(*size)], [query("dog", "cat")])[0]
    assert (found.boxes_xyxy <= [size[1], size[0], size[1], size[0]]).all()


def test_a_box_around_the_whole_square_is_the_whole_image() -> None:
    """The square is the image padded below and to the right; in an image made smaller first, too."""
    made = grounder(**ALL)
    with torch.no_grad():
        made.model.box_head.dense2.weight.zero_()
        made.model.box_head.dense2.bias.copy_(torch.tensor([0.0, 0.0, 30.0, 30.0]))
    made.model.box_bias.zero_()
    for height, width in [(30, 40), (40, 30), (500, 1000), (3, 200)]:
        found = made.ground([sample(height, width)], [query("dog")])[0]
        np.testing.assert_allclose(found.boxes_xyxy, np.tile([0, 0, width, height], (16, 1)), rtol=1e-6)


def test_a_huge_image_is_made_smaller_before_it_is_padded_to_a_square() -> None:
    from zsavs.models.owlv2 import _limited

    thin = np.repeat(np.arange(0, 250, dtype=np.uint8), 40)[None, :, None].repeat(3, axis=2)
    small = _limited(thin, 1000)
    assert small.shape == (1, 1000, 3)
    np.testing.assert_allclose(small[0, ::4, 0], np.arange(250), atol=1.5)
    assert _limited(thin, 10_000).shape == thin.shape
    # torch wants arrays that may be written to.
    assert all(_limited(image, 60).flags.writeable for image in noise_images((40, 60), (40, 61)))


def test_a_flat_image_is_not_taken_for_one_with_its_colours_first() -> None:
    made = grounder()
    shown: list[torch.Tensor] = []
    made.model.owlv2.vision_model.register_forward_pre_hook(
        lambda _, args, kwargs: shown.append(kwargs["pixel_values"].clone()), with_kwargs=True
    )
    red = np.zeros((3, 20, 3), np.uint8)
    red[..., 0] = 255
    made.ground([AVSample(red, noise(0.01))], [query("dog")])
    assert (shown[0][0, 0, 2] > 1).all()
    assert (shown[0][0, 1:, 2] < 0).all()


def test_nothing_handed_over_is_changed() -> None:
    image = noise_images((40, 60))[0].copy()
    before = image.copy()
    states = random_states()
    grounder().ground([AVSample(image, noise(0.01))], [query("dog")])
    np.testing.assert_array_equal(image, before)
    assert random_states() == states


# ------------------------------------------------------------------------------------ loading
@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save("owlv2", tiny_owlv2(), tmp_path_factory.mktemp("owl"))


def test_half_precision_is_for_the_towers_and_boxes_stay_exact(folder: Path, tmp_path: Path) -> None:
    half = Owlv2Grounder.load(folder, device="cpu", dtype="bfloat16", **ALL, threshold=0.0)
    assert {weight.dtype for weight in half.model.owlv2.parameters()} == {torch.bfloat16}
    assert {weight.dtype for weight in half.model.box_head.parameters()} == {torch.float32}
    boxes = half.ground([sample(960, 960)], [query("dog")])[0].boxes_xyxy
    # In bfloat16 every coordinate would be one of a few hundred.
    shares = torch.from_numpy(boxes / 960)
    assert not torch.equal(shares, shares.bfloat16().float())
    full = grounder(**ALL).ground([sample(960, 960)], [query("dog")])[0]
    assert np.abs(np.sort(boxes, axis=0) - np.sort(full.boxes_xyxy, axis=0)).max() < 20
    half.model.to(torch.bfloat16)
    save("owlv2", half, tmp_path)
    rebuilt = Owlv2Grounder(half.model, half.image_processor, half.tokenizer, card=half.card)
    torch.testing.assert_close(rebuilt.model.box_bias, rebuilt.model.compute_box_bias(4, 4))
    assert Owlv2Grounder.load(tmp_path, device="cpu").model.dtype == torch.float32


@pytest.mark.parametrize("part", ["box_head.dense2.bias", "class_head.logit_shift.bias", "layer_norm.bias"])
def test_numbers_that_are_none_are_an_error_not_an_empty_answer(part: str) -> None:
    made = grounder()
    with torch.no_grad():
        made.model.get_parameter(part).fill_(float("nan"))
    with pytest.raises(WeightsError, match="NaN"):
        made.ground([sample(40, 60)], [query("dog")])


@pytest.mark.parametrize(
    "settings",
    [
        {"threshold": -0.1},
        {"threshold": float("nan")},
        {"nms_iou": 2.0},
        {"vote_iou": 0.0},
        {"vote_iou": float("nan")},
        {"max_boxes": 0},
        {"batch_size": 0},
        {"template": "a photo"},
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(settings))):
        grounder(**settings)


def test_strategies_that_ask_one_after_the_other_share_the_look_at_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    made, scene = grounder(threshold=0.0), sample(40, 60)
    looks = []
    look = made.model.image_embedder
    monkeypatch.setattr(made.model, "image_embedder", lambda pixels: looks.append(len(pixels)) or look(pixels))
    first = made.ground([scene], [query("dog")])[0]
    both = made.ground([scene, sample(40, 60, seed=1)], [query("dog", "cat"), query("dog")])[0]
    assert looks == [1, 1]
    assert_same(row(both, 0), first)

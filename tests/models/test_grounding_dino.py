"""Grounding DINO against the documented calls; phrases kept apart; batches, broken files and odd images."""

from __future__ import annotations

import json
import logging
from functools import partial
from pathlib import Path
from typing import Any

import detections
import numpy as np
import pytest
import torch
from adapter_checkpoints import save
from adapter_helpers import copy_with, noise, noise_images, random_states
from detections import query, sample
from PIL import Image

from zsavs import AVSample, Proposals, Query
from zsavs.errors import BrokenInstallation, InputError, MissingWeights, WeightsError
from zsavs.models.grounding_dino import GroundingDinoGrounder
from zsavs.protocols import Grounder
from zsavs.testing import check_grounder
from zsavs.testing.tiny.detectors import tiny_grounding_dino

#: Batch against single, and ours against the library: float32 rounding, on boxes in pixels and on scores.
PIXELS, SCORES = 2e-3, 1e-5

ALL = {"nms_iou": 1.0, "max_boxes": 1000}


def grounder(mm: bool = False, **settings: Any) -> GroundingDinoGrounder:
    """A toy grounder with settings of its own."""
    made = tiny_grounding_dino(mm=mm)
    settings = {"box_threshold": 0.0, **settings}
    return GroundingDinoGrounder(made.model, made.image_processor, made.tokenizer, card=made.card, **settings)


def row(proposals: Proposals, source: int) -> Proposals:
    """What one row of the query found."""
    return proposals.rows(proposals.sources == source)


assert_same = partial(detections.assert_same, pixels=PIXELS, scores=SCORES)


def documented(made: GroundingDinoGrounder, scene: AVSample, phrases: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The calls that transformers documents, for one image: raw boxes in pixels (Q, 4), token scores (Q, 256)."""
    from transformers import GroundingDinoProcessor

    processor = GroundingDinoProcessor(made.image_processor, made.tokenizer)
    inputs = processor(images=Image.fromarray(scene.image), text=[phrases], padding=True, return_tensors="pt")
    with torch.no_grad():
        outputs = made.model(**inputs)
    result = processor.post_process_grounded_object_detection(
        outputs, inputs["input_ids"], threshold=-1.0, text_threshold=0.0, target_sizes=[scene.size_hw]
    )[0]
    return result["boxes"].numpy(), outputs.logits[0].sigmoid().numpy()


# ------------------------------------------------------------------------------------- parity
@pytest.mark.parametrize("mm", [False, True])
@pytest.mark.parametrize("size", [(96, 128), (300, 200), (33, 90)])
def test_boxes_and_scores_are_those_of_the_documented_calls(mm: bool, size: tuple[int, int]) -> None:
    made = grounder(mm, **ALL)
    scene = sample(*size)
    # Tokens by hand: [CLS] a dog . guitar . [SEP]
    spans = {0: [1, 2], 1: [4]}
    boxes, tokens = documented(made, scene, ["a dog", "guitar"])
    found = made.ground([scene], [query("a dog", "guitar")])[0]
    inside = np.clip(boxes, 0, [size[1], size[0], size[1], size[0]])
    solid = (inside[:, 2] > inside[:, 0]) & (inside[:, 3] > inside[:, 1])
    assert solid.sum() > 10
    for source, places in spans.items():
        scores = tokens[:, places].mean(axis=1)
        order = np.argsort(-scores[solid], kind="stable")
        ours = row(found, source)
        np.testing.assert_allclose(ours.scores, scores[solid][order], atol=SCORES)
        np.testing.assert_allclose(ours.boxes_xyxy, inside[solid][order], atol=PIXELS)


def test_a_box_is_kept_above_the_threshold_only() -> None:
    scene, asked = sample(96, 128), query("a dog", "guitar")
    every = grounder(**ALL).ground([scene], [asked])[0]
    threshold = float(np.median(every.scores))
    kept = grounder(**ALL, box_threshold=threshold).ground([scene], [asked])[0]
    assert_same(kept, every.rows(every.scores > threshold), pixels=0, scores=0)
    assert 0 < len(kept) < len(every)


def test_boxes_are_suppressed_within_a_phrase_and_limited() -> None:
    scene, asked = sample(96, 128), query("a dog", "guitar", "cat")
    every = grounder(**ALL).ground([scene], [asked])[0]
    fewer = grounder(nms_iou=0.3, max_boxes=1000).ground([scene], [asked])[0]
    two = grounder(nms_iou=0.3, max_boxes=2).ground([scene], [asked])[0]
    assert len(every) > len(fewer) > len(two) == 6
    for source in range(3):
        assert_same(row(two, source), row(fewer, source).rows([0, 1]), pixels=0, scores=0)


def test_proposals_come_best_first_within_the_image() -> None:
    scene = sample(50, 120)
    found = grounder().ground([scene], [query("a dog", "guitar")])[0]
    assert (np.diff(found.scores) <= 0).all()
    assert (found.boxes_xyxy >= 0).all()
    assert (found.boxes_xyxy <= [120, 50, 120, 50]).all()


# ------------------------------------------------------------------------------------ phrases
def test_phrases_that_share_words_keep_scores_of_their_own() -> None:
    """Decoding the text would call the boxes "car taxi", "taxi car" or "car"."""
    made = grounder(**ALL)
    scene = sample(96, 128)
    phrases = ["car taxi", "taxi", "car", "taxi car"]
    found = made.ground([scene], [query(*phrases)])[0]
    _, tokens = documented(made, scene, phrases)
    ids = made.prompts.encode("car taxi. taxi. car. taxi car.")[0]
    dots = [i for i, number in enumerate(ids) if number == 1012]
    for source, (start, end) in enumerate(zip([0, *dots], dots, strict=False)):
        expected = np.sort(tokens[:, start + 1 : end].mean(axis=1))[::-1]
        np.testing.assert_allclose(row(found, source).scores[:3], expected[:3], atol=SCORES)
    tops = [row(found, source).scores[:3].tolist() for source in range(4)]
    assert len({json.dumps(top) for top in tops}) == 4


def test_every_one_of_300_phrases_is_scored() -> None:
    made = grounder(max_boxes=1)
    phrases = [f"thing number {number} of the long list" for number in range(300)]
    found = made.ground([sample(40, 60)], [query(*phrases)])[0]
    np.testing.assert_array_equal(np.sort(found.sources), np.arange(300))


def test_prompts_are_even_complete_and_never_too_long() -> None:
    made = grounder(phrases_per_prompt=8)
    phrases = [f"a thing {number}" for number in range(9)]
    prompts = made.prompts.of(phrases)
    assert [len(prompt.phrases) for prompt in prompts] == [5, 4]
    assert [phrase for prompt in prompts for phrase in prompt.phrases] == phrases
    long = [f"{letter} " * 100 + "dog" for letter in "abcdefg"]
    prompts = made.prompts.of([made.prompts.clean(phrase) for phrase in long])
    assert [phrase for prompt in prompts for phrase in prompt.phrases] == long
    assert [len(prompt.phrases) for prompt in prompts] == [2, 2, 2, 1]
    assert all(len(made.prompts.encode(prompt.text)[0]) <= 256 for prompt in prompts)
    assert all(len(tokens) == 101 for prompt in prompts for tokens in prompt.tokens)


@pytest.mark.parametrize(
    "phrase", ["a dog " * 400, "吉他" * 300, "x" * 5000, "🎸" * 400, "a" + "\u0301" * 700, "dog." * 500]
)
def test_a_phrase_too_long_for_the_model_is_cut_with_a_warning(phrase: str, caplog: pytest.LogCaptureFixture) -> None:
    made = grounder(max_boxes=1)
    with caplog.at_level(logging.WARNING, logger="zsavs"):
        found = made.ground([sample(40, 60)], [query("dog", phrase)])[0]
    assert np.sort(found.sources).tolist() == [0, 1]
    assert "too long" in caplog.text
    short = made.prompts.clean(phrase)
    assert 200 < len(made.prompts.encode(f"{short}.")[0]) <= 256
    assert " ".join(phrase.replace(".", " ").lower().split()).startswith(short)


@pytest.mark.parametrize("same", ["A Dog", "a dog.", " a  dog ", "a\ndog", ".a.dog..", "a dog?", "a\t dog . "])
def test_delimiters_case_and_line_breaks_do_not_matter(same: str) -> None:
    made = grounder()
    plain, odd = made.ground([sample(40, 60)] * 2, [query("a dog", "cat"), query(same, "cat")])
    assert_same(plain, odd, pixels=1e-4, scores=1e-6)


def test_a_phrase_asked_twice_is_asked_once_and_answered_for_each_row(monkeypatch: pytest.MonkeyPatch) -> None:
    made = grounder()
    texts: list[str] = []
    detect = made._detect
    monkeypatch.setattr(
        made, "_detect", lambda images, prompts: texts.extend(p.text for p in prompts) or detect(images, prompts)
    )
    found = made.ground([sample(40, 60)], [query("a dog", "cat", "A dog.")])[0]
    assert texts == ["a dog. cat."]
    first, third = row(found, 0), row(found, 2)
    assert len(first) > 0
    np.testing.assert_array_equal(first.boxes_xyxy, third.boxes_xyxy)
    np.testing.assert_array_equal(first.scores, third.scores)


@pytest.mark.parametrize("empty", ["...", " . ? ", "?"])
def test_a_phrase_of_which_nothing_is_left_finds_nothing(empty: str) -> None:
    found = grounder().ground([sample(40, 60)] * 2, [query(empty, "dog"), query(empty)])
    assert set(found[0].sources) == {1}
    assert len(found[1]) == 0


def test_phrases_in_other_scripts_have_tokens_of_their_own() -> None:
    made = grounder()
    phrases = ["吉他", "гитара", "🎸", "Kız çocuğu", "İstanbul", "ギター"]
    (prompt,) = made.prompts.of([made.prompts.clean(phrase) for phrase in phrases])
    used = [place for tokens in prompt.tokens for place in tokens]
    assert all(prompt.tokens)
    assert len(used) == len(set(used))
    # All of the prompt but start, end and the full stops.
    ids = made.prompts.encode(prompt.text)[0]
    assert sorted(used) == [i for i, number in enumerate(ids) if number not in (101, 102, 1012)]
    assert set(made.ground([sample(40, 60)], [query(*phrases)])[0].sources) == set(range(6))


@pytest.mark.filterwarnings("error")
def test_unknown_words_have_a_token_of_their_own(tmp_path: Path) -> None:
    """BERT's own tokenizer, which knows no emoji and gives nothing at all for an invisible character."""
    from transformers import BertTokenizer

    specials = {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]", 1012: ".", 1029: "?"}
    words = ["a", "dog", "cat", "gui", "##tar"]
    table = {i: specials.get(i, f"[unused{i}]") for i in range(1030)} | {1030 + i: w for i, w in enumerate(words)}
    made = tiny_grounding_dino()
    table |= {i: f"[unused{i}]" for i in range(len(table), made.model.config.text_config.vocab_size)}
    vocabulary = {token: i for i, token in table.items()}
    bert = BertTokenizer(vocab=vocabulary)
    found = GroundingDinoGrounder(made.model, made.image_processor, bert, card=made.card, box_threshold=0.0)
    (prompt,) = found.prompts.of(["🎸", "dog", "guitar", "\u200d", "吉他 x"])
    assert prompt.phrases == ("dog", "guitar", "\u200d", "吉他 x", "🎸")  # alphabetical
    assert found.prompts.encode(prompt.text)[0] == [
        *(101, 1031, 1012),
        *(1033, 1034, 1012),
        *(1012,),
        *(100, 100, 100, 1012),
        *(100, 1012, 102),
    ]
    assert prompt.tokens == ([1], [3, 4], [], [7, 8, 9], [11])
    answers = found.ground([sample(40, 60)], [query("🎸", "dog", "guitar", "\u200d", "吉他 x")])[0]
    assert set(answers.sources) == {0, 1, 2, 4}


def test_one_phrase_a_prompt_keeps_phrases_from_moving_each_other() -> None:
    scene = sample(96, 128)
    alone = grounder(phrases_per_prompt=1)
    single = alone.ground([scene], [query("guitar")])[0]
    among = row(alone.ground([scene], [query("a dog", "guitar", "a very long phrase about a cat")])[0], 1)
    assert_same(Proposals(among.boxes_xyxy, among.scores, np.zeros_like(among.sources)), single)
    # In a shared prompt they do move each other, or this would prove nothing.
    shared = row(grounder().ground([scene], [query("a dog", "guitar", "a very long phrase about a cat")])[0], 1)
    assert np.abs(shared.scores[:9] - single.scores[:9]).max() > 0.01


# ------------------------------------------------------------------------------------ batches
def test_it_keeps_the_contract_of_a_grounder() -> None:
    made = grounder(batch_size=3)
    assert isinstance(made, Grounder)
    check_grounder(made, tolerance=PIXELS)


def test_a_batch_of_mixed_sizes_gives_what_its_images_give_one_by_one_in_any_order() -> None:
    made = grounder(batch_size=4, phrases_per_prompt=2)
    samples = [sample(96, 128), sample(40, 60, 1), sample(96, 128, 2), sample(40, 60, 3), sample(60, 40, 4)]
    queries = [
        query("a dog", "the sound of a very long phrase", "cat"),
        query("guitar"),
        query("rain"),
        query("a", "b", "c d e f g"),
        query("dog"),
    ]
    together = made.ground(samples, queries)
    for found, scene, asked in zip(together, samples, queries, strict=True):
        assert len(found) > 0
        assert_same(found, made.ground([scene], [asked])[0])
    for found, back in zip(together, made.ground(samples[::-1], queries[::-1])[::-1], strict=True):
        assert_same(found, back)
    for found, again in zip(together, made.ground(samples, queries), strict=True):
        assert_same(found, again, pixels=0, scores=0)


def test_images_of_different_sizes_never_share_a_batch_and_batches_are_bounded() -> None:
    made = grounder(batch_size=2)
    shapes: list[tuple[int, ...]] = []
    made.model.register_forward_pre_hook(
        lambda _, args, kwargs: shapes.append(tuple(kwargs["pixel_values"].shape)), with_kwargs=True
    )
    samples = [sample(96, 128), sample(128, 96), sample(96, 128), sample(96, 128)]
    made.ground(samples, [query("dog")] * 4)
    assert sorted(shape[0] for shape in shapes) == [1, 1, 2]
    assert {shape[2:] for shape in shapes} == {(96, 128), (128, 96)}


def test_an_empty_query_does_not_run_the_model() -> None:
    made = grounder()
    made.model.register_forward_pre_hook(lambda *_: pytest.fail("the model ran"))
    found = made.ground([sample(40, 60)] * 2, [Query.nothing(), Query.nothing()])
    assert [len(one) for one in found] == [0, 0]
    assert made.ground([], []) == []


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3, 50), (2, 2), (1, 9), (3, 3)])
def test_images_of_any_shape_are_looked_at(size: tuple[int, int]) -> None:
    found = grounder().ground([sample(*size)], [query("dog", "cat")])[0]
    assert set(found.sources) == {0, 1}
    assert (found.boxes_xyxy <= [size[1], size[0], size[1], size[0]]).all()


def test_a_flat_image_is_not_taken_for_one_with_its_colours_first() -> None:
    """(3, W, 3) arrays: which axis holds the colours can only be known, not guessed."""
    made = grounder()
    shown: list[torch.Tensor] = []
    made.model.register_forward_pre_hook(
        lambda _, args, kwargs: shown.append(kwargs["pixel_values"].clone()), with_kwargs=True
    )
    red = np.zeros((3, 20, 3), np.uint8)
    red[..., 0] = 255
    made.ground([AVSample(red, noise(0.01))], [query("dog")])
    assert shown[0].shape[2] < shown[0].shape[3]
    assert (shown[0][0, 0] > 1).all()
    assert (shown[0][0, 1:] < 0).all()


def test_a_very_long_image_keeps_its_places() -> None:
    """Stretching moves no box: a square in a long image is seen where it is."""
    from zsavs.models.grounding_dino import _stretched

    long = np.zeros((10, 400, 3), np.uint8)
    long[:, 100:200] = 255
    seen = _stretched(long)
    assert seen.shape == (50, 400, 3)
    np.testing.assert_array_equal(np.flatnonzero(seen[25, :, 0] > 127), np.arange(100, 200))
    assert _stretched(np.zeros((1, 100_000, 3), np.uint8)).shape == (256, 2048, 3)
    assert _stretched(np.zeros((10, 80, 3), np.uint8)).shape == (10, 80, 3)
    # torch wants arrays that may be written to.
    assert all(_stretched(image).flags.writeable for image in noise_images((10, 80), (10, 81)))


@pytest.mark.parametrize(
    ("image_size", "size", "seen"),
    [
        (64, (96, 128), (64, 85)),
        (64, (128, 96), (85, 64)),
        (64, (40, 200), (21, 107)),  # the long side is the limit: 64 * 1333 / 800
        (160, (48, 64), (160, 213)),
        (None, (48, 64), (96, 128)),  # as the toy's processor says
    ],
)
def test_image_size_is_that_of_the_short_side(
    image_size: int | None, size: tuple[int, int], seen: tuple[int, int]
) -> None:
    made = grounder(image_size=image_size)
    shapes: list[tuple[int, ...]] = []
    made.model.register_forward_pre_hook(
        lambda _, args, kwargs: shapes.append(tuple(kwargs["pixel_values"].shape[2:])), with_kwargs=True
    )
    scene = sample(*size)
    found = made.ground([scene], [query("dog")])[0]
    assert shapes == [seen]
    assert (found.boxes_xyxy <= [size[1], size[0], size[1], size[0]]).all()
    assert found.boxes_xyxy.max() > max(size) / 2, "boxes are the image's, whatever was seen of it"


def test_a_published_long_side_is_kept_to_the_published_ratio() -> None:
    """800 by name is what the published processor does by itself."""
    from transformers import GroundingDinoImageProcessor

    named = grounder(image_size=800)
    by_itself = GroundingDinoImageProcessor()
    for size in ((480, 640), (300, 900), (900, 300)):
        image = sample(*size).image.copy()
        theirs = by_itself(images=[image], return_tensors="pt", input_data_format="channels_last")["pixel_values"]
        ours: list[tuple[int, ...]] = []
        handle = named.model.register_forward_pre_hook(
            lambda _, args, kwargs, ours=ours: ours.append(tuple(kwargs["pixel_values"].shape)), with_kwargs=True
        )
        named.ground([AVSample(image, noise(0.01))], [query("dog")])
        handle.remove()
        assert ours == [tuple(theirs.shape)]


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
    return save("grounding_dino", tiny_grounding_dino(), tmp_path_factory.mktemp("dino"))


def test_dtype_is_float32_unless_asked_for_whatever_the_file_holds(folder: Path, tmp_path: Path) -> None:
    half = GroundingDinoGrounder.load(folder, device="cpu", dtype="bfloat16", box_threshold=0.0)
    assert half.model.dtype == torch.bfloat16
    found = half.ground([sample(96, 128)], [query("a dog", "guitar")])[0]
    assert set(found.sources) == {0, 1}
    save("grounding_dino", half, tmp_path)
    assert GroundingDinoGrounder.load(tmp_path, device="cpu").model.dtype == torch.float32


@pytest.mark.parametrize("say_so", [True, False])
def test_the_separate_heads_of_mm_grounding_dino_survive(say_so: bool, tmp_path: Path) -> None:
    """Configurations of older versions do not say that the heads are separate; read as shared, boxes are elsewhere."""
    save("grounding_dino", tiny_grounding_dino(mm=True), tmp_path)
    if not say_so:
        config = json.loads((tmp_path / "config.json").read_text())
        del config["decoder_bbox_embed_share"], config["decoder_cls_embed_share"]
        (tmp_path / "config.json").write_text(json.dumps(config))
    loaded = GroundingDinoGrounder.load(tmp_path, device="cpu", box_threshold=0.0)
    assert type(loaded.model).__name__ == "MMGroundingDinoForObjectDetection"
    scene, asked = sample(96, 128), query("a dog", "guitar")
    assert_same(loaded.ground([scene], [asked])[0], grounder(mm=True).ground([scene], [asked])[0], pixels=0, scores=0)
    heads = [head.layers[-1].weight for head in loaded.model.bbox_embed]
    assert not torch.equal(heads[0], heads[1])


def test_a_transformers_that_would_tie_the_heads_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import transformers

    save("grounding_dino", tiny_grounding_dino(mm=True), tmp_path)
    monkeypatch.delattr(transformers.MMGroundingDinoConfig, "decoder_cls_embed_share")
    with pytest.raises(BrokenInstallation, match="reads MM Grounding DINO wrongly"):
        GroundingDinoGrounder.load(tmp_path, device="cpu")


def test_a_configuration_that_contradicts_its_weights_is_refused(tmp_path: Path) -> None:
    save("grounding_dino", tiny_grounding_dino(mm=True), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"decoder_bbox_embed_share": True}))
    with pytest.raises(WeightsError, match="set decoder_bbox_embed_share and decoder_cls_embed_share to false"):
        GroundingDinoGrounder.load(tmp_path, device="cpu")


def test_a_broken_configuration_is_one_clear_error(folder: Path, tmp_path: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (tmp_path / "void").mkdir()
    with pytest.raises(MissingWeights, match=r"config\.json"):
        GroundingDinoGrounder.load(tmp_path / "void")
    for number, (text, reason) in enumerate(
        [("{", "JSON"), ("[]", "configuration"), ('{"model_type": "owlv2"}', "owlv2")]
    ):
        bad = copy_with(folder, tmp_path / f"bad{number}", whole)
        (bad / "config.json").write_text(text)
        with pytest.raises(WeightsError, match=reason):
            GroundingDinoGrounder.load(bad)


def test_numbers_that_are_none_are_an_error_not_an_empty_answer() -> None:
    made = grounder()
    with torch.no_grad():
        made.model.model.level_embed.fill_(float("nan"))
    with pytest.raises(WeightsError, match="NaN"):
        made.ground([sample(40, 60)], [query("dog")])


@pytest.mark.parametrize(
    "settings",
    [
        {"box_threshold": -0.1},
        {"box_threshold": 1.1},
        {"nms_iou": 2.0},
        {"nms_iou": float("nan")},
        {"max_boxes": 0},
        {"phrases_per_prompt": 0},
        {"image_size": 31},
        {"batch_size": 0},
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(settings))):
        grounder(**settings)


def test_what_a_prompt_found_is_remembered_with_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    found, scene = grounder(), sample(64, 96)
    first = found.ground([scene], [query("dog", "guitar")])[0]
    monkeypatch.setattr(found, "_detect", lambda *_: pytest.fail("the same prompt was asked twice"))
    again = found.ground([scene], [query("guitar", "dog")])[0]  # in another order
    swapped = Proposals(again.boxes_xyxy, again.scores, 1 - again.sources)
    assert_same(swapped, first)

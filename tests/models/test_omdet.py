"""OmDet-Turbo against the documented calls; class names kept apart; batches, odd images and old configurations."""

from __future__ import annotations

import copy
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
from adapter_helpers import noise, watch_the_network
from detections import query, sample
from PIL import Image
from timm_is_missing import without_timm

from zsavs import AVSample, Proposals, Query
from zsavs.errors import BrokenInstallation, InputError, MissingWeights, WeightsError
from zsavs.models.omdet import OmDetGrounder
from zsavs.protocols import Grounder
from zsavs.testing import check_grounder
from zsavs.testing.tiny.detectors import tiny_grounding_dino, tiny_omdet

#: Batch against single, and ours against the library: float32 rounding, on boxes in pixels and on scores.
PIXELS, SCORES = 2e-3, 1e-5

ALL = {"nms_iou": 1.0, "max_boxes": 1000}


def grounder(**settings: Any) -> OmDetGrounder:
    """A toy grounder with settings of its own."""
    made = tiny_omdet()
    settings = {"threshold": 0.0, **settings}
    return OmDetGrounder(made.model, made.image_processor, made.tokenizer, card=made.card, **settings)


def row(proposals: Proposals, source: int) -> Proposals:
    """What one row of the query found, as if it had been the only one."""
    own = proposals.rows(proposals.sources == source)
    return Proposals(own.boxes_xyxy, own.scores, np.zeros_like(own.sources))


assert_same = partial(detections.assert_same, pixels=PIXELS, scores=SCORES)


def as_released(model: Any) -> Any:
    """The model with every line of it the library's, the attention too."""
    model = copy.deepcopy(model)
    for module in model.modules():
        module.__dict__.pop("forward", None)
    return model


def documented(made: OmDetGrounder, scene: AVSample, names: list[str], nms_iou: float = 1.0) -> dict[str, np.ndarray]:
    """The calls that transformers documents, for one image: boxes in pixels, scores, and the number of the name."""
    from transformers import OmDetTurboProcessor

    processor = OmDetTurboProcessor(made.image_processor, made.tokenizer)
    inputs = processor(images=Image.fromarray(scene.image), text=[names], return_tensors="pt")
    with torch.no_grad():
        outputs = as_released(made.model)(**inputs)
    (found,) = processor.post_process_grounded_object_detection(
        outputs,
        threshold=-1.0,
        nms_threshold=nms_iou,
        target_sizes=[scene.size_hw],
        max_num_det=len(names) * made.model.num_queries,
    )
    return {name: found[name].numpy() for name in ("boxes", "scores", "labels")}


def solid(boxes: np.ndarray) -> np.ndarray:
    """Which boxes have an area."""
    return (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])


# ------------------------------------------------------------------------------------- parity
@pytest.mark.parametrize("size", [(96, 128), (300, 200), (33, 90)])
@pytest.mark.parametrize(
    "names", [["a dog"], ["a dog", "guitar"], ["a dog", "a very long phrase about a cat", "guitar"]]
)
def test_boxes_and_scores_are_those_of_the_documented_calls(names: list[str], size: tuple[int, int]) -> None:
    made, scene = grounder(**ALL, phrases_per_prompt=len(names)), sample(*size)
    theirs = documented(made, scene, names)
    found = made.ground([scene], [query(*names)])[0]
    for source in range(len(names)):
        own = (theirs["labels"] == source) & solid(theirs["boxes"])
        order = np.argsort(-theirs["scores"][own], kind="stable")
        assert own.sum() > 10
        ours = row(found, source)
        np.testing.assert_allclose(ours.scores, theirs["scores"][own][order], atol=SCORES)
        np.testing.assert_allclose(ours.boxes_xyxy, theirs["boxes"][own][order], atol=PIXELS)
    assert np.ptp(found.scores) > 0.3, "scores that are all alike would prove nothing"


def test_boxes_are_suppressed_as_the_library_does_it_and_limited() -> None:
    made, scene = grounder(nms_iou=0.3, max_boxes=1000), sample(96, 128)
    ours, theirs = made.ground([scene], [query("a dog")])[0], documented(made, scene, ["a dog"], 0.3)
    kept = solid(theirs["boxes"])
    np.testing.assert_allclose(ours.scores, np.sort(theirs["scores"][kept])[::-1], atol=SCORES)
    every = grounder(**ALL).ground([scene], [query("a dog")])[0]
    two = grounder(nms_iou=0.3, max_boxes=2).ground([scene], [query("a dog")])[0]
    assert len(every) > len(ours) > len(two) == 2
    assert_same(two, ours.rows([0, 1]), pixels=0, scores=0)


def test_a_box_is_kept_above_the_threshold_only() -> None:
    scene, asked = sample(96, 128), query("a dog", "guitar")
    every = grounder(**ALL).ground([scene], [asked])[0]
    threshold = float(np.median(every.scores))
    kept = grounder(**ALL, threshold=threshold).ground([scene], [asked])[0]
    assert_same(kept, every.rows(every.scores > threshold), pixels=0, scores=0)
    assert 0 < len(kept) < len(every)


def test_proposals_come_best_first_within_the_image() -> None:
    found = grounder().ground([sample(50, 120)], [query("a dog", "guitar")])[0]
    assert (np.diff(found.scores) <= 0).all()
    assert (found.boxes_xyxy >= 0).all()
    assert (found.boxes_xyxy <= [120, 50, 120, 50]).all()


def test_the_attention_is_the_librarys_to_rounding() -> None:
    made = grounder()
    fused = [module for module in made.model.modules() if "forward" in module.__dict__]
    assert {type(module).__name__ for module in fused} == {"OmDetTurboMultiheadAttention"}
    assert len(fused) == 3, "one layer of the encoder and two of the decoder"
    rows, others = torch.randn(2, 5, 16), torch.randn(2, 7, 16)
    mask = torch.zeros(2, 1, 5, 7)
    mask[1, ..., 4:] = torch.finfo(torch.float32).min
    for module in fused:
        for given in (None, mask):
            ours, theirs = (
                attend(rows, others, others, given) for attend in (module, type(module).forward.__get__(module))
            )
            assert len(ours) == len(theirs) == 1
            torch.testing.assert_close(ours[0], theirs[0], rtol=0, atol=1e-5)
        assert module(rows, others, others, mask, True)[1].shape == (2, 2, 5, 7), "the weights, if they are asked for"


# ------------------------------------------------------------------------------------ phrases
def test_names_that_are_asked_together_would_move_each_other() -> None:
    """Or asking for each by itself would be for nothing."""
    made, scene = grounder(), sample(96, 128)
    alone = documented(made, scene, ["guitar"])
    among = documented(made, scene, ["a dog", "guitar", "a very long phrase about a cat"])
    own = among["scores"][among["labels"] == 1]
    assert np.abs(np.sort(own) - np.sort(alone["scores"])).max() > 0.01


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_a_vocabulary_of_any_length_changes_nothing_of_what_a_phrase_finds(batch_size: int) -> None:
    made, scene = grounder(batch_size=batch_size), sample(96, 128)
    names = ["guitar", "a dog", *(f"thing number {number} of the long list" for number in range(120))]
    together = made.ground([scene], [query(*names)])[0]
    np.testing.assert_array_equal(np.unique(together.sources), np.arange(len(names)))
    fresh = grounder()
    for source in (0, 1, 7, 121):
        assert_same(row(together, source), fresh.ground([sample(96, 128)], [query(names[source])])[0])
    some = grounder().ground([sample(96, 128)], [query(*names[5:1:-1])])[0]
    assert_same(row(some, 1), row(together, 4))


def test_a_prompt_for_several_has_them_all_in_its_task() -> None:
    made = grounder(phrases_per_prompt=3)
    prompts = made.prompts.of(["c", "a", "b", "d", "a"])
    assert [(prompt.text, prompt.phrases) for prompt in prompts] == [
        ("Detect a, b.", ("a", "b")),
        ("Detect c, d.", ("c", "d")),
    ]
    long = [f"{letter} " * 20 + "dog" for letter in "abcdefg"]
    prompts = made.prompts.of([made.prompts.clean(phrase) for phrase in long])
    assert [phrase for prompt in prompts for phrase in prompt.phrases] == long
    assert all(len(made.prompts.encode(prompt.text)[0]) <= 77 for prompt in prompts)


@pytest.mark.parametrize("phrase", ["a dog " * 400, "吉他" * 300, "x" * 5000, "🎸" * 400])
def test_a_phrase_too_long_for_the_model_is_cut_with_a_warning(phrase: str, caplog: pytest.LogCaptureFixture) -> None:
    made = grounder(max_boxes=1)
    with caplog.at_level(logging.WARNING, logger="zsavs"):
        found = made.ground([sample(40, 60)], [query("dog", phrase)])[0]
    assert np.sort(found.sources).tolist() == [0, 1]
    assert "too long for OmDet-Turbo" in caplog.text
    assert 60 < len(made.prompts.encode(made.prompts.join([made.prompts.clean(phrase)]))[0]) <= 77


@pytest.mark.parametrize("same", ["A Dog", " a  dog ", "a\ndog", "a\t dog"])
def test_case_and_white_space_do_not_matter(same: str) -> None:
    plain, odd = grounder().ground([sample(40, 60)] * 2, [query("a dog", "cat"), query(same, "cat")])
    assert_same(plain, odd, pixels=0, scores=0)


def test_a_phrase_asked_twice_is_asked_once_and_answered_for_each_row() -> None:
    made = grounder()
    asked: list[int] = []
    made.model.decoder.register_forward_pre_hook(lambda _, args: asked.append(args[1].shape[1]))
    found = made.ground([sample(40, 60)], [query("a dog", "cat", "A dog")])[0]
    assert sum(asked) == 2
    assert len(row(found, 0)) > 0
    assert_same(row(found, 0), row(found, 2), pixels=0, scores=0)


# ------------------------------------------------------------------------------------ batches
def test_it_keeps_the_contract_of_a_grounder() -> None:
    made = grounder(batch_size=3)
    assert isinstance(made, Grounder)
    check_grounder(made, tolerance=PIXELS)


@pytest.mark.parametrize("phrases_per_prompt", [1, 2, 8])
def test_a_batch_gives_what_its_images_give_one_by_one_in_any_order(phrases_per_prompt: int) -> None:
    """Also where prompts have fewer names than others: the model would take the padding for names."""
    made = grounder(batch_size=4, phrases_per_prompt=phrases_per_prompt)
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
        alone = AVSample(scene.image.copy(), scene.audio)
        fresh = grounder(phrases_per_prompt=phrases_per_prompt)
        assert_same(found, fresh.ground([alone], [asked])[0])
    for found, back in zip(together, made.ground(samples[::-1], queries[::-1])[::-1], strict=True):
        assert_same(found, back)


def test_the_image_is_encoded_once_however_many_ask() -> None:
    made, scene = grounder(batch_size=2), sample(96, 128)
    seen: list[int] = []
    made.model.vision_backbone.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    made.ground([scene, scene], [query("a", "b", "c", "d", "e"), query("f")])
    made.ground([scene], [query("g", "a")])
    assert seen == [1]
    made.ground([sample(96, 128, 1)], [query("a")])
    assert seen == [1, 1]


def test_an_empty_query_does_not_run_the_model() -> None:
    made = grounder()
    made.model.vision_backbone.register_forward_pre_hook(lambda *_: pytest.fail("the model ran"))
    assert [len(one) for one in made.ground([sample(40, 60)] * 2, [Query.nothing(), Query.nothing()])] == [0, 0]
    assert made.ground([], []) == []


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3, 50), (2, 2), (1, 9), (3, 3)])
def test_images_of_any_shape_are_looked_at(size: tuple[int, int]) -> None:
    found = grounder().ground([sample(*size)], [query("dog", "cat")])[0]
    assert set(found.sources) == {0, 1}
    assert (found.boxes_xyxy <= [size[1], size[0], size[1], size[0]]).all()


def test_a_flat_image_is_not_taken_for_one_with_its_colours_first() -> None:
    made = grounder()
    shown: list[torch.Tensor] = []
    made.model.vision_backbone.register_forward_pre_hook(lambda _, args: shown.append(args[0].clone()))
    red = np.zeros((3, 20, 3), np.uint8)
    red[..., 0] = 255
    made.ground([AVSample(red, noise(0.01))], [query("dog")])
    assert (shown[0][0, 0] > 1).all()
    assert (shown[0][0, 1:] < 0).all()


def test_nan_is_refused_by_name() -> None:
    made = grounder()
    with torch.no_grad():
        made.model.decoder.decoder_bbox_head[-1].layers[-1].bias.fill_(float("nan"))
    with pytest.raises(WeightsError, match="OmDet-Turbo returned NaN"):
        made.ground([sample(40, 60)], [query("dog")])


@pytest.mark.parametrize(
    "wrong",
    [{"threshold": 1.5}, {"nms_iou": -0.1}, {"max_boxes": 0}, {"phrases_per_prompt": 0}, {"batch_size": 0}],
)
def test_settings_out_of_range_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"OmDetGrounder: {next(iter(wrong))}"):
        grounder(**wrong)


# ------------------------------------------------------------------------------------ loading
def as_before_transformers_5(folder: Path) -> Path:
    """Let a configuration name its image encoder as the published one does."""
    config = json.loads((folder / "config.json").read_text())
    inner = config.pop("backbone_config")
    config |= {"backbone": inner["backbone"], "backbone_config": None, "use_timm_backbone": True}
    config |= {"backbone_kwargs": {"out_indices": inner["out_indices"]}, "use_pretrained_backbone": True}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_the_hub_is_not_asked_what_the_image_encoder_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = grounder()
    folder = as_before_transformers_5(save("omdet", made, tmp_path))
    attempts = watch_the_network(monkeypatch)
    loaded = OmDetGrounder.load(folder, device="cpu", threshold=0.0)
    assert attempts == []
    scene, asked = sample(96, 128), query("a dog", "guitar")
    assert_same(loaded.ground([scene], [asked])[0], made.ground([scene], [asked])[0], pixels=0, scores=0)


def test_another_models_configuration_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="'grounding-dino', not omdet-turbo"):
        OmDetGrounder.load(save("grounding_dino", tiny_grounding_dino(), tmp_path / "dino"), device="cpu")
    folder = save("omdet", grounder(), tmp_path / "odd")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_queries": "many"}))
    with pytest.raises(WeightsError, match=r"odd/config\.json: is no configuration of an OmDet-Turbo"):
        OmDetGrounder.load(folder, device="cpu")
    (folder / "config.json").unlink()
    with pytest.raises(MissingWeights, match=r"config\.json"):
        OmDetGrounder.load(folder, device="cpu")


def test_without_timm_the_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = save("omdet", grounder(), tmp_path)
    without_timm(monkeypatch)
    with pytest.raises(BrokenInstallation, match=r"timm's, which is not installed; run: pip install timm$"):
        OmDetGrounder.load(folder, device="cpu")

"""Every imitated checkpoint loads through its adapter without a gap, and answers as the release that wrote it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from imagebind_golden import GOLDEN as IMAGEBIND_GOLDEN
from imagebind_golden import SALT, unit
from imagebind_golden import TEXTS as IMAGEBIND_TEXTS
from imitation import (
    IMAGEBIND_SIZES,
    SOURCES,
    answers_to,
    checkpoint,
    other_modalities,
    shrink_architectures,
    write_imagebind,
)
from numpy.typing import NDArray

from tools.imitation.catalogue import SOURCES as WRITTEN
from tools.imitation.inputs import BOXES, POINTS, PROMPT, TEXTS, audio, image
from zsavs import AudioClip, AVSample
from zsavs.models import checkpoints, runtime
from zsavs.models.ast import AstTagger
from zsavs.models.blip import BlipCaptioner
from zsavs.models.clap import ClapEncoder
from zsavs.models.edgetam import EdgeTamSegmenter
from zsavs.models.grounding_dino import GroundingDinoGrounder
from zsavs.models.imagebind import ImageBindEncoder
from zsavs.models.omdet import OmDetGrounder
from zsavs.models.owlv2 import Owlv2Grounder
from zsavs.models.pe_audio import PeAudioFrameEncoder
from zsavs.models.pe_av import PeAvEncoder
from zsavs.models.sam2 import Sam2Segmenter
from zsavs.models.sam3 import Sam3Grounder, Sam3Segmenter
from zsavs.models.sam3_video import Sam3VideoSegmenter
from zsavs.models.whisper_captioner import PREFIXES, WhisperCaptioner
from zsavs.types import Proposals, Query

ADAPTERS: dict[str, Any] = {"clap": ClapEncoder, "blip": BlipCaptioner, "ast": AstTagger, "sam2": Sam2Segmenter}
ADAPTERS |= {"edgetam": EdgeTamSegmenter, "omdet": OmDetGrounder, "sam3": Sam3Grounder}
ADAPTERS |= {"grounding_dino": GroundingDinoGrounder, "owlv2": Owlv2Grounder, "whisper": WhisperCaptioner}
PE = {"facebook/pe-a-frame-base": PeAudioFrameEncoder, "facebook/pe-av-base": PeAvEncoder}

#: How far numbers of size 1 may be off: sums in another order.
CLOSE = 2e-5

#: Two of 255 steps, normalised: the new processors scale images by torchvision, the old ones by Pillow.
PIXELS = 0.031

SAMPLE = AVSample(image(), AudioClip(audio(16_000, 1.0)[None], 16_000), "imitation")


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    shrink_architectures(monkeypatch)


def named(part: str) -> Any:
    """A test for each of the repositories with ``part`` in their names."""
    return pytest.mark.parametrize("source", [source for source in SOURCES if part in source])


def clip(rate: int, answers: dict[str, NDArray[Any]]) -> AudioClip:
    return AudioClip(audio(rate, float(answers["seconds"]))[None], rate)


@named("clap")
def test_clap(source: str) -> None:
    encoder, old = ClapEncoder.load(checkpoint(source)), answers_to(source)
    np.testing.assert_allclose(encoder.encode_audio([clip(48_000, old)]), unit(old["audio"]), atol=CLOSE)
    np.testing.assert_allclose(encoder.encode_text(TEXTS), unit(old["text"]), atol=CLOSE)
    assert np.abs(old["text"][0] - old["text"][1]).max() > 0.05, "texts that are all alike would prove nothing"


@named("blip")
def test_blip(source: str) -> None:
    captioner, old = BlipCaptioner.load(checkpoint(source)), answers_to(source)
    pixels = captioner.processor.image_processor(image(), return_tensors="pt")["pixel_values"].numpy()
    np.testing.assert_allclose(pixels, old["pixels"], atol=PIXELS)
    given, sentence = torch.from_numpy(old["pixels"]), torch.from_numpy(old["sentence"])
    assert captioner.processor.tokenizer("a photo of a dog")["input_ids"] == sentence[0].tolist()
    with torch.no_grad():
        logits = captioner.model(pixel_values=given, input_ids=sentence).logits
    np.testing.assert_allclose(logits.numpy(), old["logits"], atol=1e-4)
    text = captioner.processor.tokenizer.decode(old["tokens"][0], skip_special_tokens=True)
    # Of the old pixels: a difference of a step decides between words of equal chances.
    captioner.processor.image_processor = lambda *_, **__: {"pixel_values": given}
    assert captioner.caption([image()]) == [text.strip()]
    assert len(text.split()) > 3


@named("ast")
def test_ast(source: str) -> None:
    tagger, old = AstTagger.load(checkpoint(source)), answers_to(source)
    found = dict(tagger.tag([clip(16_000, old)])[0])
    np.testing.assert_allclose([found[label] for label in tagger.labels], old["probabilities"], atol=1e-4)
    assert np.ptp(old["probabilities"]) > 0.1


@named("grounding")
def test_grounding_dino(source: str) -> None:
    grounder, old = GroundingDinoGrounder.load(checkpoint(source)), answers_to(source)
    ids = torch.from_numpy(old["ids"])
    assert grounder.tokenizer(PROMPT)["input_ids"] == ids[0].tolist()
    given = grounder.image_processor(images=image(), return_tensors="pt", input_data_format="channels_last")
    np.testing.assert_allclose(given["pixel_values"].numpy(), old["pixels"], atol=PIXELS)
    mask = torch.ones_like(ids)
    with torch.no_grad():
        found = grounder.model(
            pixel_values=torch.from_numpy(old["pixels"]),
            pixel_mask=torch.ones(1, *old["pixels"].shape[2:], dtype=torch.long),
            input_ids=ids,
            attention_mask=mask,
            token_type_ids=torch.zeros_like(ids),
        )
    scores = found.logits.sigmoid().numpy()[:, :, : ids.shape[1]]
    new = np.concatenate([scores, found.pred_boxes.numpy()], axis=2)[0]
    was = np.concatenate([old["scores"], old["boxes"]], axis=2)[0]
    # Candidates are the best proposals, in an order that near ties decide.
    far = np.abs(new[:, None] - was).max(axis=2)
    np.testing.assert_allclose(far.min(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(far.min(axis=1), 0, atol=1e-3)
    assert np.ptp(was[:, -4:]) > 0.1


@pytest.mark.parametrize("source", [source for source in SOURCES if "sam2" in source or "EdgeTAM" in source])
def test_sam2_and_edgetam(source: str) -> None:
    old, cls = answers_to(source), ADAPTERS[WRITTEN[source][0]]
    found = Proposals(np.array(BOXES, np.float32), np.ones(2, np.float32), np.arange(2))
    points = [[point] for point in POINTS]
    for several, kind in ((False, "box"), (True, "box of three")):
        segmenter = cls.load(checkpoint(source), multimask=several)
        _compare_masks(segmenter.predict([SAMPLE], [found])[0], old, kind)
    segmenter = cls.load(checkpoint(source))
    _compare_masks(segmenter.segment_points([SAMPLE], [points], full_size=False)[0], old, "point")


def _compare_masks(got: tuple[NDArray[Any], NDArray[Any]], old: dict[str, NDArray[Any]], kind: str) -> None:
    """The best of each prompt's masks, the old ones stretched to the size of the new.

    Logits of ten and more differ by their float32 sums, in another order on another processor.
    """
    masks, ratings = torch.from_numpy(old[f"{kind} masks"]), old[f"{kind} ratings"]
    each, best = np.arange(len(ratings)), ratings.argmax(axis=1)
    wanted = torch.nn.functional.interpolate(masks[each, best][None], got[0].shape[1:], mode="bilinear")[0]
    np.testing.assert_allclose(got[1], ratings.max(axis=1), atol=1e-4)
    np.testing.assert_allclose(got[0], wanted.numpy(), rtol=3e-4, atol=1e-3)


@named("omdet")
def test_omdet(source: str) -> None:
    grounder, old = OmDetGrounder.load(checkpoint(source), threshold=0.0), answers_to(source)
    given = grounder.image_processor(images=image(), return_tensors="pt", input_data_format="channels_last")
    # Its pixels are normalised before they are small: one step of 255 is a fiftieth.
    np.testing.assert_allclose(given["pixel_values"].numpy(), old["pixels"], atol=PIXELS)
    padded = {"padding": "max_length", "max_length": 77, "return_tensors": "pt"}
    names, task = (grounder.tokenizer(texts, **padded) for texts in (list(TEXTS), f"Detect {', '.join(TEXTS)}."))
    assert names["input_ids"].tolist() == old["names"].tolist()
    assert task["input_ids"].tolist() == old["task"].tolist()
    with torch.no_grad():
        found = grounder.model(
            pixel_values=torch.from_numpy(old["pixels"]),
            **{f"classes_{name}": names[name] for name in ("input_ids", "attention_mask")},
            **{f"tasks_{name}": task[name] for name in ("input_ids", "attention_mask")},
            classes_structure=torch.tensor([len(TEXTS)]),
        )
    np.testing.assert_allclose(found.decoder_class_logits[0].numpy(), old["logits"], atol=1e-3)
    np.testing.assert_allclose(found.decoder_coord_logits[0].numpy(), old["boxes"], atol=1e-4)
    assert np.ptp(old["logits"]) > 1
    assert np.ptp(old["boxes"]) > 0.1


@named("owlv2")
def test_owlv2(source: str) -> None:
    grounder, old = Owlv2Grounder.load(checkpoint(source)), answers_to(source)
    pixels = grounder.image_processor(images=image(64, 64), return_tensors="pt")["pixel_values"].numpy()
    np.testing.assert_allclose(pixels, old["pixels"], atol=1e-5)
    ids = grounder.tokenizer(list(TEXTS), padding="max_length", max_length=16, return_tensors="pt")["input_ids"]
    assert ids.tolist() == old["ids"].tolist()
    with torch.no_grad():
        found = grounder.model(pixel_values=torch.from_numpy(old["pixels"]), input_ids=torch.from_numpy(old["ids"]))
    np.testing.assert_allclose(found.logits[0].numpy(), old["logits"], atol=1e-4)
    np.testing.assert_allclose(found.pred_boxes[0].numpy(), old["boxes"], atol=CLOSE)


@named("pe-a-frame")
def test_pe_a_frame(source: str) -> None:
    """Texts above all: the release that came out with the files left the text tower's last norm out."""
    encoder, old = PeAudioFrameEncoder.load(checkpoint(source)), answers_to(source)
    assert encoder._tokenize(list(TEXTS))["input_ids"].tolist() == old["ids"].tolist()
    np.testing.assert_allclose(encoder.encode_text(TEXTS), unit(old["text"]), atol=CLOSE)
    (frames,) = encoder.encode_audio_frames([clip(48_000, old)])
    np.testing.assert_allclose(frames, unit(old["audio"][0]), atol=CLOSE)
    assert np.abs(np.diff(frames, axis=0)).max(axis=1).min() > 0.01, "frames that are all alike would prove nothing"
    with torch.no_grad():
        tokens = encoder.feature_extractor(audio(48_000, 1.3), sampling_rate=48_000, return_tensors="pt")
        logits = encoder.model(**tokens, **encoder._tokenize(list(TEXTS))).logits_audio_text
    np.testing.assert_allclose(logits.numpy(), old["logits"], atol=1e-4)


@named("pe-av")
def test_pe_av(source: str) -> None:
    old = answers_to(source)
    for kind, row in (("sound", "text"), ("picture", "text of images")):
        encoder = PeAvEncoder.load(checkpoint(source), text=kind)
        np.testing.assert_allclose(encoder.encode_text(TEXTS), unit(old[row]), atol=CLOSE)
    np.testing.assert_allclose(encoder.encode_audio([clip(48_000, old)]), unit(old["audio"][:1]), atol=CLOSE)
    np.testing.assert_allclose(encoder.encode_image([image()]), unit(old["image"][:1]), atol=1e-3)
    assert np.abs(old["text"][0] - old["text"][1]).max() > 0.05


@named("facebook/sam3")
def test_sam3(source: str) -> None:
    grounder, old = Sam3Grounder.load(checkpoint(source), threshold=0.0, nms_iou=1.0), answers_to(source)
    pixels = grounder.image_processor(images=image(), return_tensors="pt", input_data_format="channels_last")
    np.testing.assert_allclose(pixels["pixel_values"].numpy(), old["pixels"], atol=1e-5)
    assert grounder._tokens(TEXTS)["input_ids"].tolist() == old["ids"].tolist()
    (found,) = grounder.ground([SAMPLE], [Query(TEXTS, np.ones(len(TEXTS), np.float32))])
    assert np.ptp(old["scores"]) > 0.01, "scores that are all alike would prove nothing"
    assert found.masks is not None
    height, width = SAMPLE.size_hw
    for row in range(len(TEXTS)):
        order = np.argsort(-old["scores"][row], kind="stable")
        shares = torch.from_numpy(old["masks"][row][order]).sigmoid()
        masks = (torch.nn.functional.interpolate(shares[None], SAMPLE.size_hw, mode="bilinear")[0] > 0.5).numpy()
        boxes = np.clip(old["boxes"][row][order] * ([width, height] * 2), 0, [width, height] * 2)
        there = masks.any(axis=(1, 2)) & (boxes[:, :2] < boxes[:, 2:]).all(axis=1)
        mine = found.sources == row
        assert mine.sum() == there.sum() > 0
        np.testing.assert_allclose(found.scores[mine], old["scores"][row][order][there], atol=1e-4)
        np.testing.assert_allclose(found.boxes_xyxy[mine], boxes[there], atol=1e-2)
        assert (found.masks[mine] != masks[there]).mean() < 1e-3
    boxed = Proposals(np.array(BOXES, np.float32), np.ones(2, np.float32), np.arange(2))
    segmenter = Sam3Segmenter.load(checkpoint(source), multimask=False)
    _compare_masks(segmenter.predict([SAMPLE], [boxed])[0], old, "box")
    assert segmenter.model.vision_encoder.backbone is grounder.model.vision_encoder.backbone, "loaded once"


@named("whisper")
def test_whisper(source: str) -> None:
    """And the code that lies in the repository is not run: it would end the process."""
    captioner = WhisperCaptioner.load(checkpoint(source), prefix=PREFIXES[source], max_new_tokens=20)
    old = answers_to(source)
    assert captioner._opening() == old["opening"].tolist()
    assert captioner.caption([clip(16_000, old)]) == [str(old["caption"])]
    features = torch.cat(list(captioner._features(clip(16_000, old))))
    with torch.no_grad():
        found = captioner.model(input_features=features, decoder_input_ids=torch.from_numpy(old["opening"])[None])
    np.testing.assert_allclose(found.logits[0].numpy(), old["logits"], atol=1e-3)


@pytest.mark.parametrize(
    ("source", "adapter"),
    [
        *((source, PE.get(source) or ADAPTERS[WRITTEN[source][0]]) for source in SOURCES),
        *(("facebook/sam3", adapter) for adapter in (Sam3Segmenter, Sam3VideoSegmenter)),
    ],
)
def test_nothing_is_filled_with_random_numbers(source: str, adapter: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the library reports as missing is a table of positions, or the copy that the adapter makes itself."""
    reports: list[Any] = []

    def spied(*arguments: Any, **settings: Any) -> Any:
        loaded = runtime.load_part(*arguments, **settings)
        reports.append(loaded[1])
        return loaded

    monkeypatch.setattr(checkpoints, "load_part", spied)
    part = adapter.load(checkpoint(source))
    assert len(reports) == 1
    copies = {"prompt_encoder.shared_embedding.positional_embedding"} if "sam2" in source else set()
    state = part.model.state_dict()
    assert {name for name in reports[0]["missing_keys"] if state[name].is_floating_point()} == copies
    assert not reports[0]["mismatched_keys"]


def test_imagebind_with_all_six_modalities(tmp_path: Path) -> None:
    """The official code's answers to these weights are golden; the file has three modalities more, as published."""
    from golden import fill

    from zsavs.models.imagebind import ImageBind

    config = IMAGEBIND_GOLDEN["config"]
    own = {name: tuple(value.shape) for name, value in ImageBind(config).state_dict().items()}
    weights = {name: torch.from_numpy(value) for name, value in fill.fill(own, SALT).items()}
    others = {name: torch.zeros(shape) for name, shape in other_modalities().items()}
    assert len(weights | others) == IMAGEBIND_GOLDEN["fill_check"]["keys_in_all"]
    torch.save(weights | others, tmp_path / "imagebind_huge.pth")
    sizes = {name: size for name, size in config.items() if not name.startswith(("depth", "thermal", "imu"))}
    (tmp_path / "config.json").write_text(json.dumps(sizes))
    encoder = ImageBindEncoder.load(tmp_path)
    wanted = IMAGEBIND_TEXTS[:3]
    got = encoder.encode_text([item["string"] for item in wanted])
    np.testing.assert_allclose(got, unit([item["embedding"] for item in wanted]), atol=CLOSE)


def test_the_imitated_imagebind_answers_in_all_its_towers(tmp_path: Path) -> None:
    encoder = ImageBindEncoder.load(write_imagebind(tmp_path / "imagebind_huge.pth"))
    rows = [encoder.encode_text(TEXTS), encoder.encode_image([image()]), encoder.encode_audio([SAMPLE.audio])]
    assert [row.shape[1] for row in rows] == [IMAGEBIND_SIZES["out_embed_dim"]] * 3

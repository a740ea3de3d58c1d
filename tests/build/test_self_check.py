"""Checkpoints are asked different things and have to answer differently: sound ones pass, broken ones are named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from adapter_checkpoints import save
from adapter_helpers import into_hub_cache
from adapter_uses import USES
from huggingface_hub import constants

from zsavs.build.self_check import check_checkpoints, check_component
from zsavs.errors import UnknownName, WeightsError, ZsavsError
from zsavs.models.clap import DEFAULT
from zsavs.testing.tiny import files
from zsavs.testing.tiny.audio import tiny_ast, tiny_whisper
from zsavs.testing.tiny.detectors import tiny_grounding_dino, tiny_owlv2
from zsavs.testing.tiny.encoders import tiny_blip, tiny_clap, tiny_open_clip
from zsavs.testing.tiny.joint import tiny_imagebind
from zsavs.testing.tiny.segmenters import tiny_sam2
from zsavs.testing.tiny.trackers import tiny_sam2_video
from zsavs.translation.omni import AskedOmni

TEXTS = ("dog", "cat", "piano", "rain", "siren", "train")
ROLE_OF = {
    "clap": "audio_text",
    "clap_fusion": "audio_text",
    "open_clip": "image_text",
    "imagebind": "joint",
    "pe_audio": "audio_text",
    "pe_av": "joint",
    "blip": "captioner",
    "whisper": "audio_captioner",
    "qwen_audio": "audio_captioner",
    "qwen2_5_omni": "omni",
    "qwen3_omni": "omni",
    "ast": "audio_tagger",
    "grounding_dino": "grounder",
    "mm_grounding_dino": "grounder",
    "omdet": "grounder",
    "owlv2": "grounder",
    "sam3": "grounder",
    "sam2": "segmenter",
    "edgetam": "segmenter",
    "sam3_segmenter": "segmenter",
    "sam2_video": "tracker",
    "edgetam_video": "tracker",
    "sam3_video": "tracker",
}
OF_FILES: dict[str, tuple[str, Callable[[], Any]]] = {
    "yamnet": ("audio_tagger", files.tiny_yamnet),
    "yamnet encoder": ("audio_text", files.tiny_yamnet_encoder),
    "yolox": ("grounder", files.tiny_yolox),
    "yolox encoder": ("image_text", files.tiny_yolox_encoder),
    "u2net": ("segmenter", files.tiny_u2net),
}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub cache of this test's own."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


# ---------------------------------------------------------------------------------- sound
@pytest.mark.parametrize("name", [*USES, *OF_FILES])
def test_toys_of_every_adapter_are_sound(name: str) -> None:
    role, make = OF_FILES[name] if name in OF_FILES else (ROLE_OF[name], USES[name][0])
    part = AskedOmni(make()) if role == "omni" else make()
    said = check_component(role, part, TEXTS)
    assert "\n" not in said
    if role in ("audio_text", "image_text", "joint"):
        assert f"{4 if name == 'yolox encoder' else 6} of 6 texts differ" in said  # COCO has no piano, rain or siren
        assert "cosines of texts and" in said
        assert ", median " in said


def test_the_checkpoints_of_nano_are_sound_each_once() -> None:
    findings = list(check_checkpoints(["nano", "toy"]))
    assert all(finding.sound for finding in findings), [*map(str, findings)]
    names = ("clap", "clip", "joint", "blip", "tagger", "audio_captioner", "owlv2", "sam2")
    assert [finding.source for finding in findings] == [f"zsavs:nano/{name}" for name in names]
    heard = next(finding for finding in findings if finding.source == "zsavs:nano/clap")
    assert "16 of 16 texts differ, a tone and a noise differ, cosines of texts and audio -0." in str(heard)
    assert str(heard).endswith(" s)")
    (mask,) = [finding.said for finding in findings if finding.source == "zsavs:nano/sam2"]
    assert float(mask.rpartition(" ")[2]) > 0.9, "it paints the disc"


# --------------------------------------------------------------------------------- broken
def filled(part: Any, value: float) -> Any:
    """The same adapter with every weight at a value."""
    with torch.no_grad():
        for weights in part.model.parameters():
            weights.fill_(value)
    return part


def made_up_words(part: Any) -> Any:
    """The same adapter with the five words that transformers makes up where it finds none."""
    part.tokenizer = transformers.RobertaTokenizer()
    return part


class Answers:
    """A component that answers the same, whatever it is asked."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        if verb not in self.answers:
            raise AttributeError(verb)
        return lambda items, *_: [self.answers[verb]] * len(items)


class Segments:
    """A segmenter whose masks are all of one kind."""

    def __init__(self, logit: float, size: int = 240) -> None:
        self.logits = np.full((1, size, size), logit, np.float32)

    def segment(self, *_: Any) -> list[Any]:
        return [self.logits]


def one_colour(part: Any) -> Any:
    """An encoder to which all images are alike."""
    real = part.encode_image
    part.encode_image = lambda images: real([images[0]] * len(images))
    return part


def one_sound(part: Any) -> Any:
    """An encoder to which all clips are alike."""
    real = part.encode_audio
    part.encode_audio = lambda clips: real([clips[0]] * len(clips))
    return part


BROKEN: dict[str, tuple[str, Callable[[], Any], str]] = {
    "words made up": ("audio_text", lambda: made_up_words(tiny_clap()), "of 6 different texts it tells 1 apart"),
    "zeros": ("audio_text", lambda: filled(tiny_clap(), 0.0), "of texts are no rows of unit length"),
    "NaN": ("audio_text", lambda: filled(tiny_clap(), float("nan")), "ClapModel returned NaN"),
    "ones": ("image_text", lambda: filled(tiny_open_clip(), 1.0), "apart; its tokenizer or its weights"),
    "deaf": ("audio_text", lambda: one_sound(tiny_clap()), "a tone and a noise have the same embedding"),
    "blind": ("joint", lambda: one_colour(tiny_imagebind()), "a disc and a photograph have the same embedding"),
    "a tagger of zeros": ("audio_tagger", lambda: filled(tiny_ast(), 0.0), "a tone and a noise have the same labels"),
    "a tagger of NaN": ("audio_tagger", lambda: Answers(tag=[("dog", float("nan"))]), "are no numbers"),
    "no words": ("captioner", lambda: Answers(caption=" ."), "no words for any of 5 images"),
    "no words for audio": ("audio_captioner", lambda: Answers(caption=""), "no words for any of 2 clips"),
    "a detector of zeros": ("grounder", lambda: filled(tiny_owlv2(), 0.0), "it finds the same for 'dog' and for 'cat'"),
    "an empty mask": ("segmenter", lambda: Segments(-1), "the mask of a disc is empty"),
    "a full mask": ("segmenter", lambda: Segments(1), "the mask of a disc is the whole image"),
    "a mask of another size": ("segmenter", lambda: Segments(1, 30), r"\(1, 30, 30\), not of the image's size"),
    "a mask of NaN": ("segmenter", lambda: filled(tiny_sam2(), float("nan")), "NaN"),
    "a tracker of zeros": ("tracker", lambda: filled(tiny_sam2_video(), 0.0), "a disc that moves on is lost"),
    "a tracker of NaN": ("tracker", lambda: filled(tiny_sam2_video(), float("nan")), "SAM 2 returned NaN"),
}


@pytest.mark.parametrize(("role", "make", "wrong"), BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_a_sane_model_is_named(role: str, make: Callable[[], Any], wrong: str) -> None:
    with pytest.raises(ZsavsError, match=wrong):
        check_component(role, make(), TEXTS)


def test_a_detector_that_does_not_look_is_noticed() -> None:
    part = tiny_grounding_dino()
    real = part.ground
    part.ground = lambda samples, queries: real([samples[0]] * len(samples), queries)  # type: ignore[method-assign]
    with pytest.raises(WeightsError, match="the same in a disc and in a photograph"):
        check_component("grounder", part, TEXTS)


# ------------------------------------------------------------------------- from the hub cache
def test_what_is_here_is_loaded_and_what_is_not_is_left_out(hub: Path, tmp_path: Path) -> None:
    assert list(check_checkpoints(["base"])) == []
    into_hub_cache(save("clap", tiny_clap(), tmp_path / "clap"), DEFAULT, hub)
    (finding,) = check_checkpoints(["base", "imagebind"])
    assert finding.sound
    assert finding.source == DEFAULT
    assert "24 of 24 texts differ" in finding.said


@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_broken_weights_are_named_with_what_to_do(value: float, hub: Path, tmp_path: Path) -> None:
    into_hub_cache(save("clap", filled(tiny_clap(), value), tmp_path / "clap"), DEFAULT, hub)
    (finding,) = check_checkpoints(["base"])
    assert not finding.sound
    assert f"zsavs download {DEFAULT}  (it compares checksums" in finding.said
    assert "\n" not in str(finding)


def test_what_cannot_be_loaded_is_named(hub: Path, tmp_path: Path) -> None:
    folder = save("clap", tiny_clap(), tmp_path / "clap")
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:1000])
    into_hub_cache(folder, DEFAULT, hub)
    (finding,) = check_checkpoints(["base"])
    assert not finding.sound
    assert finding.said.count("zsavs download") == 1
    assert "cannot be loaded as ClapModel" in finding.said


def test_a_tokenizer_of_another_model_is_named(hub: Path, tmp_path: Path) -> None:
    folder = save("clap", tiny_clap(), tmp_path / "clap")
    transformers.RobertaTokenizer().save_pretrained(folder)
    into_hub_cache(folder, DEFAULT, hub)
    (finding,) = check_checkpoints(["base"])
    assert not finding.sound
    assert "the tokenizer is not the model's: it knows 5 words" in finding.said


def test_no_such_preset() -> None:
    with pytest.raises(UnknownName):
        list(check_checkpoints(["bas"]))


def test_captioners_say_what_they_said() -> None:
    assert "5 of 5 images described, such as '" in check_component("captioner", tiny_blip(), TEXTS)
    assert "2 of 2 clips described" in check_component("audio_captioner", tiny_whisper(), TEXTS)

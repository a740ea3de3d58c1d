"""The imitated files are as the published ones: names, keys and forms that loading has to cope with."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from imitation import GOLDEN, SOURCES, checkpoint, other_modalities, write_imagebind
from safetensors import safe_open

from tools.imitation.catalogue import SOURCES as WRITTEN
from zsavs.registry import find_component, list_components

CLAP = ["laion/clap-htsat-unfused", "laion/clap-htsat-fused", "laion/larger_clap_general"]
BLIP_BASE, BLIP_LARGE = "Salesforce/blip-image-captioning-base", "Salesforce/blip-image-captioning-large"
GROUNDING_DINO = ["IDEA-Research/grounding-dino-tiny", "IDEA-Research/grounding-dino-base"]
MM_GROUNDING_DINO = "openmmlab-community/mm_grounding_dino_tiny_o365v1_goldg_v3det"
SAM2 = ["facebook/sam2.1-hiera-tiny", "facebook/sam2.1-hiera-large"]
OWLV2, WHISPER = "google/owlv2-base-patch16-ensemble", "MU-NLPC/whisper-tiny-audio-captioning"
PE = ["facebook/pe-a-frame-base", "facebook/pe-av-base"]
EDGETAM = "yonigozlan/EdgeTAM-hf"
SAM3 = "facebook/sam3"
OMDET = "omlab/omdet-turbo-swin-tiny-hf"
AST = "MIT/ast-finetuned-audioset-10-10-0.4593"


def files(source: str) -> set[str]:
    return {path.name for path in checkpoint(source).iterdir()}


def read(source: str, name: str = "config.json") -> dict[str, Any]:
    content: dict[str, Any] = json.loads((checkpoint(source) / name).read_text(encoding="utf-8"))
    return content


def weights(source: str) -> set[str]:
    folder = checkpoint(source)
    if (folder / "model.safetensors").exists():
        with safe_open(folder / "model.safetensors", "pt") as file:
            return set(file.keys())
    return set(torch.load(folder / "pytorch_model.bin", weights_only=True))


def test_all_are_here_and_small() -> None:
    assert set(WRITTEN) == set(SOURCES)
    assert sum(path.stat().st_size for path in GOLDEN.rglob("*") if path.is_file()) < 4_500_000
    assert {f"{source.rpartition('/')[2]}.npz" for source in SOURCES} == {
        path.name for path in (GOLDEN / "answers").iterdir()
    }


@pytest.mark.parametrize("source", [*CLAP, BLIP_BASE, WHISPER])
def test_some_have_pickled_weights_alone(source: str) -> None:
    assert "pytorch_model.bin" in files(source)
    assert not any(name.endswith(".safetensors") for name in files(source))


def test_clap_has_tables_of_positions_up_to_a_release() -> None:
    table = "text_model.embeddings.position_ids"
    assert [table in weights(source) for source in CLAP] == [True, True, False]
    assert [len(read(source)["text_config"]) > 20 for source in CLAP] == [True, True, False]
    assert [read(source)["audio_config"].get("enable_fusion", False) for source in CLAP] == [False, True, False]
    kinds = [read(source, "preprocessor_config.json")["truncation"] for source in CLAP]
    assert kinds == ["rand_trunc", "fusion", "rand_trunc"]


def test_blip_base_has_positions_and_a_bias_twice_and_a_size_that_is_a_number() -> None:
    assert {"text_decoder.bert.embeddings.position_ids", "text_decoder.cls.predictions.decoder.bias"} <= weights(
        BLIP_BASE
    )
    preprocessing = read(BLIP_BASE, "preprocessor_config.json")
    assert isinstance(preprocessing["size"], int)
    assert not {"do_rescale", "resample", "do_convert_rgb"} & set(preprocessing)


def test_blip_large_lacks_a_bias_and_has_settings_of_another_time() -> None:
    assert "text_decoder.cls.predictions.decoder.bias" not in weights(BLIP_LARGE)
    assert "text_decoder.cls.predictions.bias" in weights(BLIP_LARGE)
    preprocessing = read(BLIP_LARGE, "preprocessor_config.json")
    assert (preprocessing["do_pad"], preprocessing["size_divisor"]) == (True, 32)


@pytest.mark.parametrize("source", GROUNDING_DINO)
def test_grounding_dino_keeps_one_of_its_shared_heads(source: str) -> None:
    heads = {name.split(".")[1] for name in weights(source) if name.startswith("bbox_embed.")}
    assert heads == {"0"}
    assert not any(name.startswith("model.decoder.bbox_embed") for name in weights(source))
    assert read(source)["backbone_config"]["model_type"] == "swin"
    assert "_name_or_path" not in read(source)["backbone_config"], "the short form"


def test_mm_grounding_dino_does_not_say_that_its_heads_are_apart() -> None:
    heads = {name.partition(".layers")[0] for name in weights(MM_GROUNDING_DINO) if "bbox_embed" in name}
    assert heads == {"bbox_embed.0", "model.decoder.bbox_embed.1", "model.encoder_output_bbox_embed"}
    assert not {"decoder_bbox_embed_share", "decoder_cls_embed_share"} & set(read(MM_GROUNDING_DINO))


@pytest.mark.parametrize("source", SAM2)
def test_sam2_is_the_model_of_videos_with_one_table_of_frequencies(source: str) -> None:
    assert read(source)["model_type"] == "sam2_video"
    assert {name for name in weights(source) if name.endswith("positional_embedding")} == {
        "shared_image_embedding.positional_embedding"
    }
    assert any(name.startswith("memory_attention.") for name in weights(source))
    assert {"processor_config.json", "preprocessor_config.json", "video_preprocessor_config.json"} <= files(source)
    assert read(source)["multimask_max_pt_num"] == 1, "a box counts as two points"


def test_edgetam_is_the_model_of_videos_with_its_table_twice_and_what_timm_says_of_repvit() -> None:
    assert (read(EDGETAM)["model_type"], read(EDGETAM)["architectures"]) == ("edgetam_video", ["EdgeTamVideoModel"])
    tables = {
        f"{owner}.positional_embedding" for owner in ("shared_image_embedding", "prompt_encoder.shared_embedding")
    }
    assert {name for name in weights(EDGETAM) if name.endswith("positional_embedding")} == tables
    assert any(name.startswith("spatial_perceiver.") for name in weights(EDGETAM))
    assert {"processor_config.json", "preprocessor_config.json", "video_preprocessor_config.json"} <= files(EDGETAM)
    assert "size" not in read(EDGETAM, "processor_config.json"), "it says nothing about images"
    repvit = read(EDGETAM)["vision_config"]["backbone_config"]
    assert (repvit["model_type"], repvit["architecture"], len(repvit["label_names"])) == (
        "timm_wrapper",
        "repvit_m1",
        1000,
    )


def test_omdet_names_its_image_encoder_by_its_name_in_timm() -> None:
    said = read(OMDET)
    assert (said["backbone"], said["backbone_config"]) == ("swin_tiny_patch4_window7_224", None)
    assert said["backbone_kwargs"] == {
        "always_partition": True,
        "img_size": said["image_size"],
        "out_indices": [1, 2, 3],
    }
    names = weights(OMDET)
    assert any(name.startswith("vision_backbone.vision_backbone._backbone.layers_0.") for name in names)
    assert any(name.startswith("language_backbone.model.text_model.encoder.") for name in names)
    preprocessing = read(OMDET, "preprocessor_config.json")
    assert (preprocessing["image_processor_type"], preprocessing["do_rescale"]) == ("DetrImageProcessor", False)
    assert files(OMDET) == {
        *("config.json", "model.safetensors", "preprocessor_config.json"),
        *("merges.txt", "vocab.json", "special_tokens_map.json", "tokenizer_config.json"),
    }


@pytest.mark.parametrize("source", PE)
def test_pe_has_all_that_prepares_inputs_in_one_file(source: str) -> None:
    assert files(source) == {
        "config.json",
        "model.safetensors",
        "processor_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    prepares = read(source, "processor_config.json")
    assert prepares["feature_extractor"]["hop_length"] == 1920
    assert ("video_processor" in prepares) == ("pe-av" in source)
    assert read(source, "tokenizer_config.json")["tokenizer_class"] == "TokenizersBackend"
    assert "text_model.final_norm.weight" in weights(source), "the norm that no head reads"


def test_pe_av_has_what_its_towers_share_once() -> None:
    assert not any(name.startswith(("audio_model.text_model", "video_model.text_model")) for name in weights(PE[1]))
    assert not any(name.startswith("audio_video_encoder.embedder.audio_encoder") for name in weights(PE[1]))


def test_sam3_is_detector_and_tracker_in_one_with_two_pyramids_behind_one_image_encoder() -> None:
    assert (read(SAM3)["model_type"], read(SAM3)["architectures"]) == ("sam3_video", ["Sam3VideoModel"])
    parts = {name.partition(".")[0] for name in weights(SAM3)}
    assert parts == {"detector_model", "tracker_model", "tracker_neck"}
    encoders = {name.partition("backbone")[0] for name in weights(SAM3) if ".backbone." in name}
    assert encoders == {"detector_model.vision_encoder."}
    for part in ("detector_config", "tracker_config"):
        assert read(SAM3)[part]["vision_config"]["scale_factors"] == [4.0, 2.0, 1.0, 0.5], "the last is read by nothing"
    assert {"vocab.json", "merges.txt", "tokenizer.json", "processor_config.json"} <= files(SAM3)
    assert "preprocessor_config.json" not in files(SAM3)
    assert read(SAM3, "processor_config.json")["image_processor"]["image_processor_type"] == "Sam3ImageProcessorFast"


@pytest.mark.parametrize("source", [OWLV2, WHISPER])
def test_two_have_a_vocabulary_in_the_old_form_alone(source: str) -> None:
    assert {"vocab.json", "merges.txt", "added_tokens.json"} <= files(source)
    assert "tokenizer.json" not in files(source)


def test_whisper_comes_with_code_and_a_normaliser() -> None:
    assert {"model_class.py", "normalizer.json"} <= files(WHISPER)
    assert read(WHISPER)["architectures"] == ["WhisperForAudioCaptioning"]


def test_ast_has_its_weights_twice_and_names_with_commas() -> None:
    assert {"model.safetensors", "pytorch_model.bin"} <= files(AST)
    names = read(AST)["id2label"]
    assert next(iter(names)) == "0"
    assert "Baby cry, infant cry" in names.values()
    assert read(AST)["label2id"] == {name: int(place) for place, name in names.items()}


@pytest.mark.parametrize("source", sorted({*SOURCES} - {*SAM2, AST, EDGETAM}))
def test_the_tokenizer_is_as_large_as_the_model_expects(source: str) -> None:
    """BLIP's start mark, and a second one, lie behind the tokenizer's entries; so they do in the published files."""
    from transformers import AutoTokenizer

    config = read(source)
    config = config.get("detector_config", config)
    size = config.get("vocab_size") or config.get("text_config", {}).get("vocab_size")
    behind = 2 if source in (BLIP_BASE, BLIP_LARGE) else 0
    assert len(AutoTokenizer.from_pretrained(checkpoint(source))) == size - behind


def test_imagebind_has_six_modalities(tmp_path: Path) -> None:
    names = torch.load(write_imagebind(tmp_path / "imagebind_huge.pth"), weights_only=True)
    kinds = {name.split(".")[1] for name in names}
    assert kinds == {"vision", "text", "audio", "depth", "thermal", "imu"}
    assert len(other_modalities()) == 69, "as many as the official model's, with a block each"


def test_every_card_but_for_larger_relatives_is_imitated() -> None:
    roles = ("audio_text", "joint", "captioner", "audio_tagger", "audio_captioner", "grounder", "segmenter")
    cards: set[str] = set()
    for role in roles:
        for name in list_components(role):
            module = sys.modules[find_component(role, name).__module__]
            cards |= {card.source for card in getattr(module, "CARDS", {}).values()}
    published = {source for source in cards if source.count("/") == 1 and not source.startswith("zsavs:")}
    relatives = {"facebook/sam2.1-hiera-small", "facebook/sam2.1-hiera-base-plus", "facebook/pe-av-small"}
    relatives |= {"facebook/pe-av-large", "facebook/pe-a-frame-small", "facebook/pe-a-frame-large"}
    relatives |= {"MU-NLPC/whisper-small-audio-captioning", "MU-NLPC/whisper-large-v2-audio-captioning"}
    # Not imitated: compared with the installed transformers alone.
    relatives |= {"Qwen/Qwen2-Audio-7B"}
    assert published - relatives == set(SOURCES)

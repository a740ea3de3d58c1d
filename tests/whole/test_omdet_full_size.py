"""OmDet-Turbo at its published size, with random weights under the published names, from a folder as the hub has it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from adapter_helpers import watch_the_network
from detections import query, sample
from safetensors.torch import save_file

from zsavs.models.omdet import CARDS, DEFAULT, OmDetGrounder
from zsavs.testing.tiny.tokenizers import clip_tokenizer

#: Of the published config.json, what its stored copy shows: all up to the letter i; the rest is as by default.
PUBLISHED = {
    "apply_layernorm_after_vision_backbone": True,
    "architectures": ["OmDetTurboForObjectDetection"],
    "backbone": "swin_tiny_patch4_window7_224",
    "backbone_config": None,
    "backbone_depths": [2, 2, 6, 2],
    "backbone_embed_dim": 96,
    "backbone_image_size": 640,
    "backbone_kwargs": {"always_partition": True, "img_size": 640, "out_indices": [1, 2, 3]},
    "backbone_num_heads": [3, 6, 12, 24],
    "backbone_out_indices": [1, 2, 3],
    "backbone_window_size": 7,
    "batch_norm_eps": 1e-05,
    "cache_size": 100,
    "class_distance_type": "cosine",
    "class_embed_dim": 512,
    "conv_norm_activation": "gelu",
    "csp_activation": "silu",
    "d_model": 256,
    "decoder_activation": "relu",
    "decoder_dim_feedforward": 2048,
    "decoder_dropout": 0.0,
    "decoder_hidden_dim": 256,
    "decoder_num_heads": 8,
    "decoder_num_layers": 6,
    "decoder_num_points": 4,
    "disable_custom_kernels": False,
    "encoder_attention_heads": 8,
    "encoder_dim_feedforward": 2048,
    "encoder_dropout": 0.0,
    "encoder_feedforward_activation": "relu",
    "encoder_feedforward_dropout": 0.0,
    "encoder_in_channels": [192, 384, 768],
    "encoder_layers": 1,
    "encoder_projection_indices": [2],
    "eval_size": None,
    "hidden_expansion": 1,
    "image_size": 640,
    "init_std": 0.02,
    "model_type": "omdet-turbo",
    "text_config": {"model_type": "clip_text_model"},
    "use_pretrained_backbone": True,
    "use_timm_backbone": True,
}
#: The published preprocessor_config.json.
PREPROCESSING = {
    "do_convert_annotations": True,
    "do_normalize": True,
    "do_pad": False,
    "do_rescale": False,
    "do_resize": True,
    "format": "coco_detection",
    "image_mean": [123.675, 116.28, 103.53],
    "image_processor_type": "DetrImageProcessor",
    "image_std": [58.395, 57.12, 57.375],
    "pad_size": None,
    "processor_class": "OmDetTurboProcessor",
    "resample": 2,
    "rescale_factor": 0.00392156862745098,
    "size": {"height": 640, "width": 640},
}


@pytest.mark.full
def test_the_published_configuration_loads_and_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    torch.manual_seed(0)
    model = transformers.OmDetTurboForObjectDetection(transformers.OmDetTurboConfig()).eval()
    old, new = "language_backbone.model.text_model.", "language_backbone.model."
    weights = {
        name if not name.startswith(new) else old + name.removeprefix(new): value.contiguous()
        for name, value in model.state_dict().items()
    }
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    (tmp_path / "config.json").write_text(json.dumps(PUBLISHED))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(PREPROCESSING))
    tokenizer = clip_tokenizer(77)
    spare = range(len(tokenizer), model.config.text_config.vocab_size)
    tokenizer.add_tokens([f"[unused{number}]" for number in spare], special_tokens=True)
    tokenizer.save_pretrained(tmp_path)
    size_mb = (tmp_path / "model.safetensors").stat().st_size / 1e6
    assert size_mb == pytest.approx(CARDS[DEFAULT].size_mb, abs=1), "as large as the published file"

    attempts = watch_the_network(monkeypatch)
    loaded = OmDetGrounder.load(tmp_path, device="cpu", threshold=0.0, max_boxes=3)
    assert attempts == []
    for name, value in loaded.model.state_dict().items():
        assert torch.equal(value, model.state_dict()[name]), name
    start = time.perf_counter()
    found = loaded.ground([sample(480, 640)], [query("dog", "accordion")])[0]
    record_property("seconds", f"{time.perf_counter() - start:.2f} on {os.cpu_count()} processors")
    assert np.bincount(found.sources).tolist() == [3, 3]
    assert (found.boxes_xyxy <= [640, 480, 640, 480]).all()

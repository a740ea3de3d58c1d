"""SAM 3 as Meta's repository holds it: detector and tracker in one, with two pyramids behind one image encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tools.imitation.files import clip_vocabulary, remove
from tools.imitation.filling import fill
from tools.imitation.inputs import BOXES, TEXTS, image

__all__ = ["answers", "write"]

#: Pixels of the model's square, in patches of 14; channels behind the pyramids; of the vocabulary, the longest text.
_SIDE, _WIDTH, _TOKENS = 112, 16, 32


def write(source: str, folder: Path) -> None:
    """Write a checkpoint into a folder."""
    import transformers

    entries = clip_vocabulary(folder)
    vision = {
        "fpn_hidden_size": _WIDTH,
        "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]],
        "backbone_config": {
            "model_type": "sam3_vit_model",
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": _SIDE,
            "pretrain_image_size": _SIDE // 2,
            "window_size": 4,
            "global_attn_indexes": [1],
        },
    }
    text = {
        "model_type": "clip_text_model",
        "vocab_size": entries,
        "hidden_size": 16,
        "intermediate_size": 16,
        "projection_dim": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "max_position_embeddings": _TOKENS,
        "hidden_act": "gelu",
        "bos_token_id": entries - 2,
        "eos_token_id": entries - 1,
    }
    part = {"hidden_size": _WIDTH, "num_attention_heads": 2}
    layers = {**part, "num_layers": 1, "intermediate_size": 16}
    detector = transformers.Sam3Config(
        vision_config={"model_type": "sam3_vision_model", **vision},
        text_config=text,
        geometry_encoder_config=layers,
        detr_encoder_config=layers,
        detr_decoder_config={**layers, "num_layers": 2, "num_queries": 4},
        mask_decoder_config=part,
    )
    tracker = transformers.Sam3TrackerVideoConfig(
        vision_config={"model_type": "sam3_vision_model", **vision},
        prompt_encoder_config={"hidden_size": _WIDTH, "image_size": _SIDE, "mask_input_channels": 8},
        mask_decoder_config={**part, "mlp_dim": 16, "iou_head_hidden_dim": 16},
        image_size=_SIDE,
        memory_attention_hidden_size=_WIDTH,
        memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=16,
        memory_attention_rope_feat_sizes=[8, 8],
        memory_encoder_hidden_size=_WIDTH,
        memory_encoder_output_channels=8,
        mask_downsampler_embed_dim=_WIDTH,
        mask_downsampler_total_stride=4,
        memory_fuser_num_layers=1,
        memory_fuser_embed_dim=_WIDTH,
        memory_fuser_intermediate_dim=16,
    )
    config = transformers.Sam3VideoConfig(detector_config=detector, tracker_config=tracker)
    fill(transformers.Sam3VideoModel(config)).save_pretrained(folder)
    square = {"height": _SIDE, "width": _SIDE}
    tokenizer = transformers.CLIPTokenizerFast.from_pretrained(folder, model_max_length=_TOKENS)
    transformers.Sam3VideoProcessor(
        image_processor=transformers.Sam3ImageProcessorFast(size=square, mask_size={"height": 32, "width": 32}),
        video_processor=transformers.Sam2VideoVideoProcessor(size=square),
        tokenizer=tokenizer,
        target_size=_SIDE,
    ).save_pretrained(folder)
    remove(folder, "generation_config.json")


def answers(source: str, folder: Path) -> dict[str, Any]:
    """What the release itself makes of the files: of phrases in the detector, and of boxes in the tracker.

    Features of an image are those of the tracker for videos, as the release forgets in its class for images what stands
    for a memory.
    """
    import torch
    import transformers
    from PIL import Image

    picture = Image.fromarray(image())
    detector = transformers.Sam3Model.from_pretrained(folder).eval()
    processor = transformers.Sam3Processor.from_pretrained(folder)
    inputs = processor(images=[picture] * len(TEXTS), text=list(TEXTS), return_tensors="pt")
    asked = {name: inputs[name] for name in ("pixel_values", "input_ids", "attention_mask")}
    tracker = transformers.Sam3TrackerModel.from_pretrained(folder).eval()
    video = transformers.Sam3TrackerVideoModel.from_pretrained(folder).eval()
    boxes = torch.tensor([BOXES]) * torch.tensor([_SIDE / image().shape[1], _SIDE / image().shape[0]] * 2)
    with torch.no_grad():
        found = detector(**asked)
        features = video.get_image_embeddings(asked["pixel_values"][:1])
        masks = tracker(image_embeddings=features, input_boxes=boxes, multimask_output=False)
    return {
        "pixels": np.asarray(asked["pixel_values"][:1]),
        "ids": np.asarray(asked["input_ids"]),
        "scores": np.asarray(found.pred_logits.sigmoid() * found.presence_logits.sigmoid()),
        "boxes": np.asarray(found.pred_boxes),
        "masks": np.asarray(found.pred_masks),
        "box masks": np.asarray(masks.pred_masks[0]),
        "box ratings": np.asarray(masks.iou_scores[0]),
    }

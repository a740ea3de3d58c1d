"""SAM 2.1 as Meta's repositories hold it since they have weights for transformers: the video model's, whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tools.imitation.files import remove
from tools.imitation.filling import fill
from tools.imitation.inputs import BOXES, POINTS, image

__all__ = ["PROMPTS", "SIDE", "WIDTH", "answers", "answers_of", "save_processor", "write"]

#: Pixels of the model's square, and channels of what comes out of the image encoder.
SIDE, WIDTH = 128, 16
#: The parts that make masks of boxes and points.
PROMPTS: dict[str, Any] = {
    "prompt_encoder_config": {"hidden_size": WIDTH, "image_size": SIDE, "patch_size": 16, "mask_input_channels": 8},
    "mask_decoder_config": {
        "hidden_size": WIDTH,
        "mlp_dim": 16,
        "num_attention_heads": 2,
        "iou_head_hidden_dim": 16,
        "dynamic_multimask_via_stability": True,
    },
}


def write(source: str, folder: Path) -> None:
    """Write a checkpoint into a folder."""
    import transformers

    large = source.endswith("-large")
    hiera = {
        "hidden_size": 8,
        "image_size": [SIDE, SIDE],
        "num_attention_heads": 1,
        "blocks_per_stage": [1, 1, 3 if large else 2, 1],
        "embed_dim_per_stage": [8, 10, 12, 16],
        "num_attention_heads_per_stage": [1, 1, 2, 2],
        "window_size_per_stage": [8, 4, 4, 2],
        "global_attention_blocks": [3],
        "window_positional_embedding_background_size": [4, 4],
    }
    config = transformers.Sam2VideoConfig(
        vision_config=transformers.Sam2VisionConfig(
            backbone_config=transformers.Sam2HieraDetConfig(**hiera),
            backbone_channel_list=[16, 12, 10, 8],
            backbone_feature_sizes=[[32, 32], [16, 16], [8, 8]],
            fpn_hidden_size=WIDTH,
        ),
        **PROMPTS,
        image_size=SIDE,
        memory_attention_hidden_size=WIDTH,
        memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=16,
        memory_attention_rope_feat_sizes=[8, 8],
        memory_encoder_hidden_size=WIDTH,
        memory_encoder_output_channels=8,
        mask_downsampler_embed_dim=WIDTH,
        mask_downsampler_total_stride=4,
        memory_fuser_num_layers=1,
        memory_fuser_embed_dim=WIDTH,
        memory_fuser_intermediate_dim=16,
    )
    fill(transformers.Sam2VideoModel(config)).save_pretrained(folder)
    save_processor(folder)
    remove(folder, "generation_config.json")


def save_processor(folder: Path) -> None:
    """Write what prepares images and videos, in three files."""
    import transformers

    square = {"height": SIDE, "width": SIDE}
    transformers.Sam2VideoProcessor(
        image_processor=transformers.Sam2ImageProcessorFast(size=square, mask_size={"height": 32, "width": 32}),
        video_processor=transformers.Sam2VideoVideoProcessor(size=square),
    ).save_pretrained(folder)


def answers(source: str, folder: Path) -> dict[str, Any]:
    """What the release itself makes of the files: masks and their ratings, for boxes and for points."""
    return answers_of("Sam2Model", folder)


def answers_of(model_class: str, folder: Path) -> dict[str, Any]:
    """The same, by a class of transformers."""
    import torch
    import transformers
    from PIL import Image

    model = getattr(transformers, model_class).from_pretrained(folder).eval()
    processor = transformers.Sam2Processor.from_pretrained(folder)
    found: dict[str, Any] = {}
    boxes = {"input_boxes": [[list(box) for box in BOXES]]}
    points = {"input_points": [[[list(point)] for point in POINTS]], "input_labels": [[[1]] * len(POINTS)]}
    for name, several, prompts in (("box", False, boxes), ("box of three", True, boxes), ("point", True, points)):
        inputs = processor(images=Image.fromarray(image()), return_tensors="pt", **prompts)
        asked = {key: value for key, value in inputs.items() if key != "original_sizes"}
        with torch.no_grad():
            out = model(**asked, multimask_output=several)
        found |= {f"{name} masks": np.asarray(out.pred_masks[0]), f"{name} ratings": np.asarray(out.iou_scores[0])}
    return found

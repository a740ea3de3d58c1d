"""SAM 2 and 2.1 by Meta's package: a small one, its masks for boxes and a point, and its way through a video."""

from __future__ import annotations

from importlib import resources
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

from tools.imitation.inputs import BOXES, POINTS, image
from tools.native.weights import fill

__all__ = ["PUBLISHED", "write"]

#: Of the published files, what describes their model within the package.
PUBLISHED = {
    "sam2.1_hiera_tiny": "sam2.1/sam2.1_hiera_t",
    "sam2.1_hiera_small": "sam2.1/sam2.1_hiera_s",
    "sam2.1_hiera_base_plus": "sam2.1/sam2.1_hiera_b+",
    "sam2.1_hiera_large": "sam2.1/sam2.1_hiera_l",
    "sam2_hiera_tiny": "sam2/sam2_hiera_t",
}

#: Pixels of the model's square, channels of what comes out of the image encoder, and of a memory; transformers has
#: the published 64 channels of a memory in its code.
_SIDE, _WIDTH, _MEMORY = 128, 128, 64
_CHANNELS, _BLOCKS, _WINDOWS, _EVERYWHERE = 16, (1, 1, 2, 1), (8, 4, 4, 2), (3,)
#: What build_sam.py sets beyond the descriptions.
_FOR_USE: dict[str, Any] = {
    "binarize_mask_from_pts_for_mem_enc": True,
    "sam_mask_decoder_extra_args": {
        "dynamic_multimask_via_stability": True,
        "dynamic_multimask_stability_delta": 0.05,
        "dynamic_multimask_stability_thresh": 0.98,
    },
}


def write(name: str) -> dict[str, Any]:
    """What the golden file holds."""
    import torch

    small = name not in PUBLISHED
    model = _small(newer="2.1" in name) if small else _published(PUBLISHED[name])
    described = {"weights": fill(model), **({"sizes": _sizes()} if small else {})}
    shown = _Shown(_SIDE, 4) if small else _Shown(1024, 64)
    with torch.no_grad():
        described["images"] = _of_images(model, shown)
        if small or "tiny" in name:
            described["video"] = _of_video(model, shown)
    return described


class _Shown(NamedTuple):
    """An image that no package has to scale: its side; and of the masks every so many pixels are kept."""

    side: int
    every: int

    @property
    def square(self) -> Any:
        """(side, side, 3) uint8."""
        return image(self.side, self.side)

    def scaled(self, places: Any) -> Any:
        """Coordinates for the side."""
        return np.array(places, np.float32) * (self.side / _SIDE)


def _published(module: str) -> Any:
    """The model of a published file, as build_sam.py builds it for use."""
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    described = OmegaConf.create((resources.files("sam2") / "configs" / f"{module}.yaml").read_text(encoding="utf-8"))
    described.model._target_ = "sam2.sam2_video_predictor.SAM2VideoPredictor"
    return instantiate(described.model, _recursive_=True, **_FOR_USE).eval()


def _sizes() -> dict[str, Any]:
    return {"blocks": _BLOCKS, "channels": _CHANNELS, "heads": 1, "windows": _WINDOWS, "everywhere": _EVERYWHERE} | {
        "side": _SIDE
    }


def _small(newer: bool) -> Any:
    """As sam2/configs and build_sam.py build it: 2.1 has three weights beyond 2."""
    from sam2.modeling.backbones.hieradet import Hiera
    from sam2.modeling.backbones.image_encoder import FpnNeck, ImageEncoder
    from sam2.modeling.memory_attention import MemoryAttention, MemoryAttentionLayer
    from sam2.modeling.memory_encoder import CXBlock, Fuser, MaskDownSampler, MemoryEncoder
    from sam2.modeling.position_encoding import PositionEmbeddingSine
    from sam2.modeling.sam.transformer import RoPEAttention
    from sam2.sam2_video_predictor import SAM2VideoPredictor

    def places(count: int) -> Any:
        return PositionEmbeddingSine(num_pos_feats=count, normalize=True, scale=None, temperature=10000)

    channels = [_CHANNELS * 2**stage for stage in range(4)]
    encoder = ImageEncoder(
        scalp=1,
        trunk=Hiera(
            embed_dim=_CHANNELS,
            num_heads=1,
            stages=_BLOCKS,
            global_att_blocks=_EVERYWHERE,
            window_pos_embed_bkg_spatial_size=(4, 4),
            window_spec=_WINDOWS,
        ),
        neck=FpnNeck(
            position_encoding=places(_WIDTH),
            d_model=_WIDTH,
            backbone_channel_list=channels[::-1],
            fpn_top_down_levels=[2, 3],
            fpn_interp_model="nearest",
        ),
    )
    turned = {"rope_theta": 10000.0, "feat_sizes": [_SIDE // 16] * 2, "embedding_dim": _WIDTH, "num_heads": 1}
    turned |= {"downsample_rate": 1, "dropout": 0.1}
    attention = MemoryAttention(
        d_model=_WIDTH,
        pos_enc_at_input=True,
        layer=MemoryAttentionLayer(
            activation="relu",
            dim_feedforward=48,
            dropout=0.1,
            pos_enc_at_attn=False,
            self_attention=RoPEAttention(**turned),
            d_model=_WIDTH,
            pos_enc_at_cross_attn_keys=True,
            pos_enc_at_cross_attn_queries=False,
            cross_attention=RoPEAttention(rope_k_repeat=True, kv_in_dim=_MEMORY, **turned),
        ),
        num_layers=2,
    )
    memory = MemoryEncoder(
        out_dim=_MEMORY,
        in_dim=_WIDTH,
        position_encoding=places(_MEMORY),
        mask_downsampler=MaskDownSampler(embed_dim=_WIDTH, kernel_size=3, stride=2, padding=1),
        fuser=Fuser(
            layer=CXBlock(dim=_WIDTH, kernel_size=7, padding=3, layer_scale_init_value=1e-6, use_dwconv=True),
            num_layers=2,
        ),
    )
    return SAM2VideoPredictor(
        image_encoder=encoder,
        memory_attention=attention,
        memory_encoder=memory,
        image_size=_SIDE,
        num_maskmem=7,
        sigmoid_scale_for_mem_enc=20.0,
        sigmoid_bias_for_mem_enc=-10.0,
        use_mask_input_as_output_without_sam=True,
        directly_add_no_mem_embed=True,
        use_high_res_features_in_sam=True,
        multimask_output_in_sam=True,
        iou_prediction_use_sigmoid=True,
        use_obj_ptrs_in_encoder=True,
        add_tpos_enc_to_obj_ptrs=newer,
        only_obj_ptrs_in_the_past_for_eval=True,
        pred_obj_scores=True,
        pred_obj_scores_mlp=True,
        fixed_no_obj_ptr=True,
        multimask_output_for_tracking=True,
        use_multimask_token_for_obj_ptr=True,
        multimask_min_pt_num=0,
        multimask_max_pt_num=1,
        use_mlp_for_obj_ptr_proj=True,
        **_FOR_USE,
        **({"no_obj_embed_spatial": True, "proj_tpos_enc_in_obj_ptrs": True} if newer else {}),
        **({"use_signed_tpos_enc_to_obj_ptrs": True} if newer else {}),
    ).eval()


def _of_images(model: Any, shown: _Shown) -> dict[str, Any]:
    """Mask logits and ratings: the single mask of each box, and three for a point."""
    from sam2.sam2_image_predictor import SAM2ImagePredictor

    predictor, every = SAM2ImagePredictor(model), shown.every
    predictor._bb_feat_sizes = [(shown.side // step,) * 2 for step in (4, 8, 16)]  # fixed there, for 1024 pixels
    predictor.set_image(shown.square)
    found: dict[str, Any] = {"side": shown.side, "every": every, "boxes": []}
    for box in shown.scaled(BOXES):
        masks, ratings, _ = predictor.predict(box=box, multimask_output=False, return_logits=True)
        found["boxes"].append({"logits": masks[0, ::every, ::every], "rating": ratings[0]})
    masks, ratings, _ = predictor.predict(
        point_coords=shown.scaled(POINTS[:1]), point_labels=np.ones(1), multimask_output=True, return_logits=True
    )
    found["point"] = {"logits": masks[:, ::every, ::every], "ratings": ratings}
    return found


def _of_video(model: Any, shown: _Shown) -> dict[str, Any]:
    """Mask logits of an object in the frames after the one in which a point of it is given; the image moves right."""
    import torch

    side, every, moves = shown.side, shown.every, 6 * shown.side // _SIDE
    frames = [np.roll(shown.square, moves * number, axis=1).copy() for number in range(4)]
    mean, std = (torch.tensor(values)[:, None, None] for values in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    pixels = torch.stack([(torch.from_numpy(frame).permute(2, 0, 1) / 255.0 - mean) / std for frame in frames])
    with mock.patch("sam2.sam2_video_predictor.load_video_frames", return_value=(pixels, side, side)):
        state = model.init_state("frames")
    # A point and no mask, of which transformers makes another object pointer: of the best of three, not of the single.
    model.add_new_points_or_box(state, 0, 1, points=shown.scaled(POINTS[:1]), labels=np.ones(1, np.int32))
    # What is remembered is rounded to half the digits, where a difference in the last may become one in the third.
    with mock.patch("torch.bfloat16", torch.float32):
        logits = {number: masks[0, 0] for number, _, masks in model.propagate_in_video(state)}
    return {"moves": moves, "every": every, "logits": [logits[number][::every, ::every] for number in (1, 2, 3)]}

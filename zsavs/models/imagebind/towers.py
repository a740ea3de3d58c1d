"""The image, text and audio towers of ImageBind (Girdhar et al., "ImageBind: One Embedding Space To Bind Them All",
CVPR 2023), written from a description of the published model; parameters carry the names of the published file.

A tower is four parts in a row: ``modality_preprocessors`` (input to tokens), ``modality_trunks`` (a pre-norm
transformer), ``modality_heads`` (one token to the joint space) and ``modality_postprocessors`` (length and scale).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from zsavs.errors import InputError, UnknownName, WeightsError
from zsavs.models.device_copies import copy_to_device
from zsavs.models.imagebind.config import CONTEXT_LENGTH, HUGE, IGNORED, IMAGE_SIZE, VOCABULARY_SIZE, ImageBindConfig
from zsavs.models.imagebind.layers import (
    AudioStem,
    ImageStem,
    LogitScale,
    PatchTokens,
    TextHead,
    TextTokens,
    Trunk,
    UnitLength,
    causal_mask,
    class_token_head,
)

__all__ = ["ImageBind"]

#: Names of weights of towers that are not built here.
_OF_OTHERS = re.compile(rf"modality_\w+\.({'|'.join(IGNORED)})\.")


class ImageBind(nn.Module):
    """The three towers. Random until :meth:`load_state_dict`; training and evaluation mode are the same.

    Args:
        config: sizes, or the arguments of the official constructor by name (:meth:`ImageBindConfig.from_official`).

    Raises:
        InputError: sizes that do not fit together.
    """

    def __init__(self, config: ImageBindConfig | Mapping[str, Any] = HUGE) -> None:
        super().__init__()
        c = config if isinstance(config, ImageBindConfig) else ImageBindConfig.from_official(config)
        self.config = c
        self.modality_preprocessors = nn.ModuleDict(
            {
                "vision": PatchTokens(ImageStem(c), c.image_tokens, c.vision_embed_dim),
                "text": TextTokens(c.text_embed_dim),
                "audio": PatchTokens(AudioStem(c), c.audio_tokens, c.audio_embed_dim),
            }
        )
        self.modality_trunks = nn.ModuleDict(
            {
                "vision": Trunk(c.vision_embed_dim, c.vision_num_blocks, c.vision_num_heads, norm_first=True),
                "text": Trunk(c.text_embed_dim, c.text_num_blocks, c.text_num_heads),
                "audio": Trunk(c.audio_embed_dim, c.audio_num_blocks, c.audio_num_heads, sink=True),
            }
        )
        self.modality_heads = nn.ModuleDict(
            {
                "vision": class_token_head(c.vision_embed_dim, c.out_embed_dim),
                "text": TextHead(c.text_embed_dim, c.out_embed_dim),
                "audio": class_token_head(c.audio_embed_dim, c.out_embed_dim),
            }
        )
        self.modality_postprocessors = nn.ModuleDict(
            {
                "vision": nn.Sequential(UnitLength()),
                "text": nn.Sequential(UnitLength(), LogitScale(1 / 0.07)),
                "audio": nn.Sequential(UnitLength(), LogitScale(20.0)),
            }
        )

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights, and of what comes out."""
        return next(self.parameters()).dtype

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    def scale(self, modality: str) -> float:
        """Length of a raw embedding of "vision", "text" or (of one clip of) "audio".

        Raises:
            UnknownName: another modality.
        """
        if modality not in self.modality_postprocessors:
            raise UnknownName("modality", modality, self.modality_postprocessors)
        last = self.modality_postprocessors[modality][-1]  # type: ignore[index]
        return float(last.scale) if isinstance(last, LogitScale) else 1.0

    def encode_image_tensor(self, pixels: Tensor, *, raw: bool = False) -> Tensor:
        """Embed images, or several views or frames as one.

        Args:
            pixels: (B, 3, 224, 224) or (B, S, 3, 224, 224), as :func:`zsavs.models.imagebind.preprocess_image` makes
                them.
            raw: leave the rows as the official model returns them: of unit length, and the mean over views shorter.

        Returns:
            (B, D) of the model's dtype, the mean over the views; rows of unit length unless ``raw``.

        Raises:
            InputError: another shape. Positions are known for this size only.
        """
        if not _is_batch(pixels, (3, IMAGE_SIZE, IMAGE_SIZE)):
            raise InputError(
                f"ImageBind takes images (B, 3, {IMAGE_SIZE}, {IMAGE_SIZE}) or (B, views, 3, {IMAGE_SIZE}, "
                f"{IMAGE_SIZE}), got {tuple(pixels.shape)}; use zsavs.models.imagebind.preprocess_image."
            )
        return _finish(self._class_token_tower("vision", pixels), raw)

    def encode_text_tokens(
        self, ids: Tensor, *, raw: bool = False, words: Tensor | None = None, place: int = 0
    ) -> Tensor:
        """Embed texts.

        The embedding is read at the largest id of a row, where CLIP's vocabulary has the end of the text; what comes
        after it cannot matter, as no token attends to a later one, and is not computed.

        Args:
            ids: (B, 77) whole numbers, as :func:`zsavs.models.imagebind.tokenize` makes them.
            raw: leave the rows as the official model returns them, with the learned scale as their length.
            words: (B, W) vectors that the tokens at ``place`` enter with, instead of those of their ids.
            place: number of that token, between the marks of beginning and end.

        Returns:
            (B, D) of the model's dtype, rows of unit length unless ``raw``; differentiable in ``words``.

        Raises:
            InputError: another shape or dtype, or an id outside the vocabulary.
        """
        if ids.ndim != 2 or ids.shape[1] != CONTEXT_LENGTH or ids.is_floating_point():
            raise InputError(
                f"ImageBind takes texts as (B, {CONTEXT_LENGTH}) whole numbers, got {ids.dtype} {tuple(ids.shape)}; "
                f"use zsavs.models.imagebind.tokenize."
            )
        if ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < VOCABULARY_SIZE:
            raise InputError(f"ImageBind's vocabulary has ids 0 to {VOCABULARY_SIZE - 1}, got others.")
        ends = ids.argmax(dim=1)  # where the ids are, so that no GPU is waited for
        length = int(ends.max()) + 1 if len(ids) else 1
        ids, ends = copy_to_device(ids, self.device), copy_to_device(ends, self.device)
        tokens = self.modality_preprocessors["text"]
        mask: Tensor = tokens.mask[:length, :length]  # type: ignore[index]
        x = self.modality_trunks["text"](tokens(ids[:, :length], words, place), mask)
        return _finish(self.modality_postprocessors["text"](self.modality_heads["text"](x, ends)), raw)

    def token_vectors(self, ids: Tensor) -> Tensor:
        """What tokens enter the text tower with, before positions: (B, T) ids to (B, T, W)."""
        tokens = self.modality_preprocessors["text"]
        return tokens.token_embedding(ids.to(self.device))  # type: ignore[no-any-return, operator]

    def encode_audio_mels(self, mels: Tensor, *, raw: bool = False) -> Tensor:
        """Embed audio clips, each given by one spectrogram or by those of S clips of it.

        Args:
            mels: (B, 1, 128, 204) or (B, S, 1, 128, 204), as :func:`zsavs.models.imagebind.preprocess_audio` makes
                them.
            raw: leave the rows as the official model returns them: each clip's has length 20 (the fixed scale in the
                file), and the mean over the clips is shorter.

        Returns:
            (B, D) of the model's dtype, the mean over the clips; rows of unit length unless ``raw``.

        Raises:
            InputError: another shape. Positions are known for this size only.
        """
        size = (1, self.config.audio_num_mel_bins, self.config.audio_target_len)
        if not _is_batch(mels, size):
            raise InputError(
                f"ImageBind takes audio (B, 1, {size[1]}, {size[2]}) or (B, clips, 1, {size[1]}, {size[2]}), got "
                f"{tuple(mels.shape)}; use zsavs.models.imagebind.preprocess_audio."
            )
        return _finish(self._class_token_tower("audio", mels), raw)

    def _class_token_tower(self, modality: str, inputs: Tensor) -> Tensor:
        """(B, D) of inputs (B, ...); of several for each row, (B, S, ...), the mean."""
        if inputs.ndim == 5:
            rows = self._class_token_tower(modality, inputs.flatten(0, 1))
            return rows.reshape(*inputs.shape[:2], self.config.out_embed_dim).mean(dim=1)
        x = self.modality_preprocessors[modality](copy_to_device(inputs, self.device, self.dtype))
        x = self.modality_heads[modality](self.modality_trunks[modality](x))
        return self.modality_postprocessors[modality](x)  # type: ignore[no-any-return]

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Load weights by the names of the official file.

        Weights of the depth, thermal and imu towers are passed over; every other name must be one of this model's,
        and with ``strict`` every one of this model's must be there.

        Raises:
            WeightsError: names the first entry that is missing, unknown, of another shape or not of floating-point
                numbers, or says that the text tower's mask is not the causal one.
        """
        own = self.state_dict()
        given = {name: value for name, value in state_dict.items() if not _OF_OTHERS.match(name)}
        unknown, missing = sorted(set(given) - set(own)), sorted(set(own) - set(given))
        if unknown:
            raise WeightsError(f"not a weight of ImageBind: {unknown[0]!r} ({len(unknown)} unknown entries in all).")
        if strict and missing:
            raise WeightsError(f"weights of ImageBind are missing: {missing[0]!r} ({len(missing)} entries in all).")
        for name, value in given.items():
            if not isinstance(value, Tensor) or not value.is_floating_point():
                kind = value.dtype if isinstance(value, Tensor) else type(value).__name__
                raise WeightsError(f"{name} is not a tensor of floating-point numbers but {kind}.")
            if value.shape != own[name].shape:
                raise WeightsError(
                    f"{name} has shape {tuple(value.shape)} where this configuration has {tuple(own[name].shape)}."
                )
        mask = given.get("modality_preprocessors.text.mask")
        if mask is not None and not torch.equal(mask.cpu().float(), causal_mask()):
            raise WeightsError("modality_preprocessors.text.mask is not the causal mask of the text tower.")
        return super().load_state_dict(given, strict=strict, assign=assign)


def _is_batch(inputs: Tensor, size: tuple[int, int, int]) -> bool:
    """Whether inputs are (B, *size), or (B, S, *size) with S of at least 1."""
    return inputs.shape[-3:] == size and (inputs.ndim == 4 or (inputs.ndim == 5 and inputs.shape[1] > 0))


def _finish(rows: Tensor, raw: bool) -> Tensor:
    return rows if raw else functional.normalize(rows, dim=-1)

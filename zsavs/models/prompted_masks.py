"""Masks for boxes and points: what SAM 2 and its relatives share, by the classes of transformers. Images only; with a
memory for videos: :mod:`zsavs.models.video_memory`."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zsavs.errors import InputError, WeightsError
from zsavs.models.adapter import Adapter
from zsavs.models.batching import batches, in_batches, in_threads, inference
from zsavs.models.checkpoints import MODEL_FILES, PREPROCESSOR_FILES, load_model, model_type
from zsavs.models.device_copies import copy_to_cpu, copy_to_device, wait_for_copies
from zsavs.models.inputs import check_counts
from zsavs.models.outputs import check_finite
from zsavs.models.runtime import load_part
from zsavs.storage.memo import Memo
from zsavs.storage.weights import WeightCard
from zsavs.types import AVSample, Proposals

if TYPE_CHECKING:
    import torch

__all__ = ["PromptedSegmenter", "float_prompts", "square_pixels"]

#: Logits (H, W) of one prompt, and how well the model thinks it did (1,): an array, as it is filled later.
_Decoded = tuple[NDArray[np.float32], NDArray[np.float32]]


#: The coarsest features of the image encoders have a cell for so many pixels.
_COARSEST = 32


class PromptedSegmenter(Adapter):
    """Mask logits for boxes (:class:`zsavs.protocols.Segmenter`) and for points.

    The image is squeezed into the model's square, as these models were trained. Its features stay in a memo for as long
    as the image lives (the last 16 images), so that the second prompt costs only the small mask decoder.

    Args:
        model: of the class that ``model_class`` names; it is moved, frozen and put into evaluation mode. If its image
            encoder is in half precision it stays so; prompts and masks are always computed in float32.
        image_processor: its ``Sam2ImageProcessor``.
        card: what the weights are.
        device: see :func:`zsavs.models.runtime.resolve_device`.
        multimask: let the model propose three masks for each prompt and take the one it rates best (True), or take its
            single mask, or the best of three where the single one is not stable (False). None does as the model was
            trained, and as ``multimask_max_pt_num`` of the published configurations says: three for a single point,
            which may mean a thing or a part of it, and the single mask for a box, which counts as two points, and for
            several points.
        batch_size: the most images in the encoder at once.
        prompts_at_once: the most prompts in the decoder at once; a prompt takes some 40 MB.
        image_size: the side of the model's square in pixels, a multiple of 32. None does as the checkpoint says (1024).
            Half of it takes a quarter of the encoder's time, and draws outlines more coarsely, the more so the smaller
            a thing is in the image.

    Raises:
        InputError: a batch size below 1; an image size that is no multiple of 32, or for a model whose square is fixed.
    """

    files: ClassVar[tuple[str, ...]] = (*MODEL_FILES, *PREPROCESSOR_FILES)
    towers = ("vision_encoder",)
    #: The family in words, the class of transformers, and what config.json may call such a model.
    family: ClassVar[str]
    model_class: ClassVar[str]
    model_types: ClassVar[tuple[str, ...]]
    #: As for :func:`zsavs.models.checkpoints.load_model`.
    copies: ClassVar[Mapping[str, str]] = {}
    #: Whether the image encoder takes squares of other sides than the checkpoint's.
    takes_any_size: ClassVar[bool] = True

    def __init__(
        self,
        model: Any,
        image_processor: Any,
        *,
        card: WeightCard,
        device: str = "cpu",
        multimask: bool | None = None,
        batch_size: int = 4,
        prompts_at_once: int = 16,
        image_size: int | None = None,
    ) -> None:
        check_counts(self, batch_size=batch_size, prompts_at_once=prompts_at_once)
        if image_size is not None:
            self._check_image_size(image_size)
        super().__init__(model, card, device)
        self.model = self.in_float(self.model)
        self.image_processor = image_processor
        if image_size is not None:
            self.image_processor = _see_at(self.model, image_processor, image_size)
        self.multimask = multimask
        self.batch_size = batch_size
        self.prompts_at_once = prompts_at_once
        self.image_size = image_size
        self._features: Memo[list[torch.Tensor]] = Memo(max_items=16)

    def _check_image_size(self, side: int) -> None:
        if not self.takes_any_size:
            raise InputError(f"{self.family} sees images at one size; leave image_size out.")
        check_counts(self, image_size=side)
        if side % _COARSEST:
            raise InputError(f"{type(self).__name__}: image_size is a multiple of {_COARSEST}, got {side}.")

    @staticmethod
    def in_float(model: Any) -> Any:
        """The model, all but its image encoder in float32."""
        return float_prompts(model)

    @classmethod
    def read_parts(cls, folder: Path, dtype: torch.dtype) -> Sequence[Any]:
        """The model, whose image encoder is in ``dtype``, and its image processor.

        Raises:
            MissingWeights, WeightsError: as :meth:`load`, and where the checkpoint is of another family.
        """
        # Each class of transformers would take the other's image encoder, and give its masks under a wrong name.
        kind = model_type(folder)
        if kind and kind not in cls.model_types:
            own = " or ".join(map(repr, cls.model_types))
            raise WeightsError(
                f"{folder}: a model of type {kind!r}, and no {cls.family} (type {own}); name the segmenter of its own "
                "family, as in segmenter='sam2:PATH'."
            )
        return [load_model(cls.model_class, folder, dtype, copies=cls.copies), load_part("AutoImageProcessor", folder)]

    def segment(self, samples: Sequence[AVSample], proposals: Sequence[Proposals]) -> list[NDArray[np.float32]]:
        """For each sample the mask logits of its R boxes: (R, H, W) float32, above 0 is inside.

        Raises:
            WeightsError: the model returned NaN, or the device's memory is too small for one item.
        """
        return [logits for logits, _ in self.predict(samples, proposals)]

    def predict(
        self, samples: Sequence[AVSample], proposals: Sequence[Proposals]
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """As :meth:`segment`, and how well the model thinks it did.

        A region's points (``Proposals.points_xy``) are given to the model beside its box.

        Returns:
            For each sample the logits (R, H, W) and the predicted intersection over union (R,) in [0, 1].
        """
        asked = list(map(_box_and_points, proposals))  # (R, 4 + 2 P) each
        # Class-agnostic regions stand once for each phrase; a box with its points is decoded once.
        distinct = [np.unique(rows, axis=0, return_inverse=True) for rows in asked]
        counts = [np.isfinite(rows[:, 4::2]).sum(axis=1) for rows, _ in distinct]
        orders: list[list[NDArray[np.intp]]] = [[] for _ in samples]
        answers: list[list[tuple[NDArray[np.float32], NDArray[np.float32]]]] = [[] for _ in samples]
        for count in sorted({int(one) for each in counts for one in each} or {0}):  # those with as many points together
            mine = [np.flatnonzero(each == count) for each in counts]
            prompts = [
                self._prompts(sample, rows[numbers], count)
                for sample, (rows, _), numbers in zip(samples, distinct, mine, strict=True)
            ]
            for place, found in enumerate(self._answer(samples, prompts, full_size=True)):
                orders[place].append(mine[place])
                answers[place].append(found)
        return [
            _in_order(parts, np.argsort(np.concatenate(order))[places])
            for parts, order, (_, places) in zip(answers, orders, distinct, strict=True)
        ]

    def _prompts(self, sample: AVSample, rows: NDArray[np.float32], count: int) -> dict[str, NDArray[Any]]:
        """The model's arguments for N rows of a box and ``count`` points, padded with NaN: (N, 4 + 2 P)."""
        prompts: dict[str, NDArray[Any]] = {"input_boxes": self._scaled(sample, rows[:, :4])}
        if count:
            points = rows[:, 4:].reshape(len(rows), rows.shape[1] // 2 - 2, 2)
            points = points[np.isfinite(points[..., 0])].reshape(len(rows), count, 2)
            on = np.ones(points.shape[:2], np.int64)
            prompts |= {"input_points": self._scaled(sample, points), "input_labels": on}
        return prompts

    def segment_points(
        self,
        samples: Sequence[AVSample],
        points: Sequence[ArrayLike],
        labels: Sequence[ArrayLike] | None = None,
        *,
        full_size: bool = True,
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Mask logits for points.

        Args:
            samples: the images.
            points: for each sample (P, n, 2): P prompts of n points each, x to the right and y down, in pixels.
            labels: for each sample (P, n): 1 where the point is on the object, 0 where it is not. All 1 if left out.
            full_size: stretch the logits to the image; False leaves them at the decoder's size (256 x 256), which
                takes a fraction of the memory for the many points of a grid.

        Returns:
            For each sample the logits (P, H, W) and the predicted intersection over union (P,) in [0, 1].

        Raises:
            InputError: an array of another shape, a point that is not finite, or a label that is not 0 or 1.
            WeightsError: as :meth:`segment`.
        """
        given = [None] * len(samples) if labels is None else list(labels)
        prompts: list[dict[str, NDArray[Any]]] = []
        for sample, where, on in zip(samples, points, given, strict=True):
            xy, sign = _check_points(where, on)
            prompts.append({"input_points": self._scaled(sample, xy), "input_labels": sign})
        return self._answer(samples, prompts, full_size=full_size)

    def _several(self, prompt: dict[str, NDArray[Any]]) -> bool:
        """Whether prompts of this kind are given three masks each."""
        if self.multimask is not None:
            return self.multimask
        return "input_boxes" not in prompt and prompt["input_points"].shape[1] == 1

    def _scaled(self, sample: AVSample, xy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Pixels of the image to pixels of the model's square, for arrays of x, y, x, y, ... A new array."""
        height, width = sample.size_hw
        square = self.image_processor.size
        scale = np.array([square["width"] / width, square["height"] / height], np.float32)
        return xy * np.tile(scale, xy.shape[-1] // 2)

    def _answer(
        self, samples: Sequence[AVSample], prompts: Sequence[dict[str, NDArray[Any]]], *, full_size: bool
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Decode the prompts of each sample: arrays by the name of the model's argument, a row for each prompt."""
        side = self.model.prompt_encoder.mask_input_size
        answers = [
            (np.zeros((0, *(sample.size_hw if full_size else side)), np.float32), np.zeros(0, np.float32))
            for sample in samples
        ]
        asking = [i for i, prompt in enumerate(prompts) if len(next(iter(prompt.values())))]
        for batch in batches(asking, self.batch_size):
            encoded = self._features(
                [samples[i].image for i in batch], lambda new: in_batches(self._encode, new, self.batch_size)
            )
            # Images with equally many prompts share the decoder, as the surroundings of single regions do.
            alike: dict[tuple[tuple[int, ...], ...], list[tuple[int, list[torch.Tensor]]]] = {}
            for i, features in zip(batch, encoded, strict=True):
                alike.setdefault(tuple(values.shape for values in prompts[i].values()), []).append((i, features))
            found: list[list[_Decoded]] = []
            for shapes, same in alike.items():
                found += in_batches(
                    lambda some: self._decode(
                        [features for _, features in some],
                        [prompts[i] for i, _ in some],
                        [samples[i].size_hw if full_size else None for i, _ in some],
                    ),
                    same,
                    max(1, self.prompts_at_once // shapes[0][0]),
                )
            wait_for_copies(self.device)
            for i, rows in zip([i for same in alike.values() for i, _ in same], found, strict=True):
                answers[i] = _stacked(rows, self.family)
        return answers

    def _encode(self, images: list[NDArray[np.uint8]]) -> list[list[torch.Tensor]]:
        """Features of each image at three scales, the finest first, each (1, C, h, w) float32."""
        import torch

        pixels = torch.cat(in_threads(lambda image: square_pixels(self.image_processor, image), images))
        with inference(self.family):
            dtype = next(self.model.vision_encoder.parameters()).dtype
            scales = self.model.get_image_embeddings(copy_to_device(pixels, self.device, dtype))
            return [[scale[i : i + 1].float().clone() for scale in scales] for i in range(len(images))]

    def _decode(
        self,
        features: list[list[torch.Tensor]],
        prompts: list[dict[str, NDArray[Any]]],
        sizes_hw: list[tuple[int, int] | None],
    ) -> list[list[_Decoded]]:
        """For each of N images what its P prompts give, P the same for all: logits (H, W), or of the decoder's size,
        and a rating for each. Not to be read before :func:`zsavs.models.device_copies.wait_for_copies`."""
        import torch
        from torch.nn.functional import interpolate

        def decoded(rows: slice) -> list[list[_Decoded]]:
            asked = {name: np.stack([prompt[name][rows] for prompt in prompts]) for name in prompts[0]}
            with inference(self.family):
                inputs = {name: copy_to_device(torch.from_numpy(values), self.device) for name, values in asked.items()}
                # One image is not copied, whose features are large.
                seen = [
                    scales[0] if len(features) == 1 else torch.cat(scales) for scales in zip(*features, strict=True)
                ]
                outputs = self.model(image_embeddings=seen, multimask_output=self._several(prompts[0]), **inputs)
                iou, best = outputs.iou_scores.max(dim=2)  # (images, prompts), over the masks of each
                each = torch.arange(best.shape[1], device=self.device)
                answers = []
                for image, size_hw in enumerate(sizes_hw):
                    masks = outputs.pred_masks[image][each, best[image]]
                    if size_hw is not None:
                        masks = interpolate(masks[None], size_hw, mode="bilinear", align_corners=False)[0]
                    answers.append(list(zip(copy_to_cpu(masks), copy_to_cpu(iou[image][:, None]), strict=True)))
                return answers

        if len(features) > 1:
            return decoded(slice(None))

        def some_of_one(numbers: list[int]) -> list[_Decoded]:
            return decoded(slice(numbers[0], numbers[-1] + 1))[0]

        return [in_batches(some_of_one, range(len(next(iter(prompts[0].values())))), self.prompts_at_once)]


def _in_order(
    parts: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]], order: NDArray[np.intp]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Logits and ratings of several answers one after the other, in another order; a single one is not copied twice."""
    logits, rated = parts[0] if len(parts) == 1 else map(np.concatenate, zip(*parts, strict=True))
    return logits[order], rated[order]


def _box_and_points(found: Proposals) -> NDArray[np.float32]:
    """The prompts of R regions, box and P points in one row: (R, 4 + 2 P) float32, NaN where a point is missing."""
    if found.points_xy is None:
        return found.boxes_xyxy
    return np.concatenate([found.boxes_xyxy, found.points_xy.reshape(len(found), 2 * found.points_xy.shape[1])], axis=1)


def _stacked(rows: list[_Decoded], family: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Logits (P, H, W) and ratings (P,) of one image, checked."""
    logits, ratings = zip(*rows, strict=True)
    found, rated = np.stack(logits), np.concatenate(ratings)
    check_finite(family, found, rated)
    return found, rated


def _check_points(points: ArrayLike, labels: ArrayLike | None) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Points (P, n, 2) float32 and labels (P, n) int64, checked."""
    xy = np.asarray(points, np.float32)
    if xy.ndim != 3 or xy.shape[2] != 2 or (len(xy) and not xy.shape[1]):
        raise InputError(f"segment_points: points are (prompts, points of each, 2), got shape {xy.shape}.")
    if not np.isfinite(xy).all():
        raise InputError("segment_points: every coordinate must be finite, found NaN or infinity.")
    sign = np.ones(xy.shape[:2], np.int64) if labels is None else np.asarray(labels)
    if sign.shape != xy.shape[:2]:
        raise InputError(f"segment_points: labels are {xy.shape[:2]}, one for each point, got shape {sign.shape}.")
    if not np.isin(sign, (0, 1)).all():
        raise InputError("segment_points: a label is 1 (on the object) or 0 (not on it).")
    return xy, sign.astype(np.int64)


def square_pixels(image_processor: Any, image: NDArray[np.uint8]) -> torch.Tensor:
    """An image (H, W, 3) in the model's square, (1, 3, S, S), normalised, by its ``Sam2ImageProcessor``."""
    pixels: torch.Tensor = image_processor(
        images=[np.array(image)], return_tensors="pt", input_data_format="channels_last"
    )["pixel_values"]
    return pixels


def _see_at(model: Any, image_processor: Any, side: int) -> Any:
    """Have a model of this kind take images squeezed into a square of another side.

    No weight depends on it: the encoder's position embedding is interpolated as it is, and the prompts' is a function
    of where in the square they are.

    Args:
        model: it is changed.
        image_processor: its ``Sam2ImageProcessor``.
        side: in pixels, a multiple of 32.

    Returns:
        The image processor for that square; the one given is left as it is.
    """
    prompts = model.prompt_encoder
    own, (cells, _), (masks, _) = prompts.input_image_size, prompts.image_embedding_size, prompts.mask_input_size
    prompts.input_image_size = side
    prompts.image_embedding_size = (side * cells // own,) * 2
    prompts.mask_input_size = (side * masks // own,) * 2
    model.backbone_feature_sizes = [[side * each // own for each in level] for level in model.backbone_feature_sizes]
    changed = copy.deepcopy(image_processor)
    changed.size = type(image_processor.size)(height=side, width=side)
    return changed


def float_prompts(model: Any) -> Any:
    """Bring all but the image encoder to float32, which is small beside it: in bfloat16 a prompt is off by up to 4 of
    1024 pixels."""
    import torch

    dtype = next(model.vision_encoder.parameters()).dtype
    if dtype != torch.float32:
        model.float()
        for part in (model.vision_encoder, model.mask_decoder.conv_s0, model.mask_decoder.conv_s1):
            part.to(dtype)
    return model

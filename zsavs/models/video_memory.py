"""Segmenters with a memory for videos: what SAM 2 and its relatives share, by the classes of transformers."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import InputError
from zsavs.models.adapter import Adapter
from zsavs.models.batching import in_batches, in_threads, inference
from zsavs.models.checkpoints import MODEL_FILES, PREPROCESSOR_FILES, load_model, model_type
from zsavs.models.device_copies import copy_to_cpu, copy_to_device, wait_for_copies
from zsavs.models.inputs import check_counts
from zsavs.models.outputs import check_finite
from zsavs.models.prompted_masks import float_prompts, square_pixels
from zsavs.models.runtime import load_part
from zsavs.storage.memo import Memo
from zsavs.storage.weights import WeightCard
from zsavs.tracking.matching import Matcher
from zsavs.tracking.propagate import Propagate
from zsavs.types import Detections

if TYPE_CHECKING:
    import torch

__all__ = ["VideoMemorySegmenter"]

#: Seeds of an object that are remembered, the latest ones: as many as such models were trained with.
_SEEDS = 4
#: Frames whose features are kept, for the way back; at 1024 pixels they take 17 MB each.
_KEPT_FRAMES = 16


class VideoMemorySegmenter(Adapter):
    """A video segmenter (:class:`zsavs.tracking.propagate.VideoSegmenter`) and, by it, a tracker.

    Each object has a session of transformers of its own, so that none depends on which others are followed; the
    features of a frame are computed once for all. A session holds no more than the model reads: the frame at hand, the
    outputs of as many frames as it looks back on, and the latest four seeds. Way back, the frames are given in reverse.

    Args:
        model: of the class that ``model_class`` names; it is moved, frozen and put into evaluation mode. If its image
            encoder is in half precision it stays so; the rest is always computed in float32.
        image_processor: its ``Sam2ImageProcessor``.
        card: what the weights are.
        device: see :func:`zsavs.models.runtime.resolve_device`.
        batch_size: the most frames in the image encoder at once.
        min_overlap: see :class:`zsavs.tracking.propagate.Propagate`.
        min_similarity: see :class:`zsavs.tracking.matching.Matcher`.

    Raises:
        InputError: a setting is out of range.
    """

    files: ClassVar[tuple[str, ...]] = (*MODEL_FILES, *PREPROCESSOR_FILES)
    towers = ("vision_encoder",)
    looks = "pivots"
    #: The family in words, the class of transformers, and what config.json may call such a model.
    family: ClassVar[str]
    model_class: ClassVar[str]
    model_types: ClassVar[tuple[str, ...]]
    #: As for :func:`zsavs.models.checkpoints.load_model`.
    copies: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self,
        model: Any,
        image_processor: Any,
        *,
        card: WeightCard,
        device: str = "cpu",
        batch_size: int = 4,
        min_overlap: float = 0.5,
        min_similarity: float = 0.6,
    ) -> None:
        check_counts(self, batch_size=batch_size)
        self.matcher = Matcher(min_overlap=min_overlap, min_similarity=min_similarity)
        super().__init__(model, card, device)
        self.model = self.in_float(self.model)
        self.image_processor = image_processor
        self.batch_size, self.min_overlap, self.min_similarity = batch_size, min_overlap, min_similarity
        self._features: Memo[tuple[list[torch.Tensor], torch.Tensor]] = Memo(max_items=_KEPT_FRAMES)

    @staticmethod
    def in_float(model: Any) -> Any:
        """The model, all but its image encoder in float32."""
        return float_prompts(model)

    @classmethod
    def read_parts(cls, folder: Path, dtype: torch.dtype) -> Sequence[Any]:
        """The model, whose image encoder is in ``dtype``, and its image processor.

        Raises:
            InputError: the checkpoint has no memory for videos; says which have one.
            MissingWeights, WeightsError: as :meth:`load`.
        """
        kind = model_type(folder)
        if kind and kind not in cls.model_types:
            own = " or ".join(map(repr, cls.model_types))
            raise InputError(
                f"{folder}: a model of type {kind!r}, without the memory for videos that {cls.family} follows objects "
                f"with (type {own}). These have one: {', '.join(cls.with_memory())}. Name it after a "
                "colon, as in tracker='NAME:CHECKPOINT', or use tracker='associate', which needs none."
            )
        model = load_model(cls.model_class, folder, dtype, copies=cls.copies)
        return [model, load_part("AutoImageProcessor", folder)]

    @classmethod
    def with_memory(cls) -> list[str]:
        """The checkpoints that are known to have a memory for videos."""
        return [name for name in cls.cards if not name.startswith("zsavs:")]

    def track(self, images: Sequence[NDArray[np.uint8]], found: Mapping[int, Detections]) -> list[Detections]:
        """The objects of each frame, with ids; see :class:`zsavs.tracking.propagate.Propagate`.

        Args:
            images: the frames in order, each (H, W, 3) uint8 RGB, all of one size.
            found: by the place of a frame, what was found in it.

        Raises:
            WeightsError: the model returned NaN, or the device's memory is too small.
        """
        return Propagate(self, self.matcher, min_overlap=self.min_overlap).track(images, found)

    def follow(self, images: Sequence[NDArray[np.uint8]]) -> _Walk:
        """A walk through frames in which nothing is known yet (:class:`zsavs.tracking.propagate.Follower`)."""
        return _Walk(self, images)

    def encode(self, images: Sequence[NDArray[np.uint8]]) -> list[tuple[list[torch.Tensor], torch.Tensor]]:
        """For each frame its features at three scales, the finest first, (h * w, 1, C) float32, and the places of the
        coarsest, of the same shape. Those of the last 16 frames are in a memo."""
        return self._features(images, lambda new: in_batches(self._encode, new, self.batch_size))

    def _encode(self, images: list[NDArray[np.uint8]]) -> list[tuple[list[torch.Tensor], torch.Tensor]]:
        import torch

        pixels = torch.cat(in_threads(lambda image: square_pixels(self.image_processor, image), images))
        with inference(self.family):
            dtype = next(self.model.vision_encoder.parameters()).dtype
            outputs = self.model.get_image_features(copy_to_device(pixels, self.device, dtype), return_dict=True)
            places = outputs.fpn_position_encoding[-1][:, :1].float().clone()  # the same for every frame
            return [
                ([scale[:, i : i + 1].float().clone() for scale in outputs.fpn_hidden_states], places)
                for i in range(len(images))
            ]


class _Walk:
    """Frames in order, and a session for each object that is followed through them."""

    def __init__(self, segmenter: VideoMemorySegmenter, images: Sequence[NDArray[np.uint8]]) -> None:
        self.segmenter, self.images = segmenter, images
        self.frame = -1
        self.sessions: dict[int, Any] = {}
        self._ahead: deque[tuple[list[torch.Tensor], torch.Tensor]] = deque()
        self._seen: dict[str, list[torch.Tensor]] = {}

    def step(self) -> dict[int, NDArray[np.bool_]]:
        """Go to the next frame; see :class:`zsavs.tracking.propagate.Follower`."""
        self.frame += 1
        if not self._ahead:
            some = self.images[self.frame : self.frame + self.segmenter.batch_size]
            self._ahead.extend(self.segmenter.encode(some))
        scales, places = self._ahead.popleft()
        self._seen = {"vision_feats": scales, "vision_pos_embeds": [places]}
        asked = {number: self._ask(session) for number, session in self.sessions.items()}
        wait_for_copies(self.segmenter.device)
        check_finite(self.segmenter.family, *(numbers for _, numbers in asked.values()))
        return {number: mask for number, (mask, numbers) in asked.items() if numbers[0] > 0 and mask.any()}

    def seed(self, number: int, mask: NDArray[np.bool_]) -> None:
        """Say what an object is in this frame; see :class:`zsavs.tracking.propagate.Follower`."""
        import torch
        from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

        model, device = self.segmenter.model, self.segmenter.device
        session = self.sessions.get(number)
        if session is None:
            session = self.sessions[number] = Sam2VideoInferenceSession(
                video_height=mask.shape[0],
                video_width=mask.shape[1],
                inference_device=device,
                inference_state_device=device,
                video_storage_device=device,
                dtype=torch.float32,
            )
            session.obj_id_to_idx(number)
        else:  # what the model thought of this frame is forgotten, as a mask there is no seed else
            session.output_dict_per_obj[0]["non_cond_frame_outputs"].pop(self.frame, None)
            session.frames_tracked_per_obj[0].pop(self.frame, None)
        square = (model.image_size,) * 2 if isinstance(model.image_size, int) else tuple(model.image_size)
        pixels = copy_to_device(torch.from_numpy(np.array(mask, np.float32))[None, None], device)
        if mask.shape != square:
            pixels = torch.nn.functional.interpolate(
                pixels, size=square, mode="bilinear", align_corners=False, antialias=True
            )
        session.add_mask_inputs(0, self.frame, (pixels >= 0.5).float())
        session.obj_with_new_inputs = [number]
        self._ask(session)
        session.remove_mask_inputs(0, self.frame)

    def _ask(self, session: Any) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """What the model says of an object in this frame: its mask (H, W), and two numbers: the logit that it is in
        sight, and the largest of the mask's. Not to be read before
        :func:`zsavs.models.device_copies.wait_for_copies`."""
        import torch
        from torch.nn.functional import interpolate

        segmenter = self.segmenter
        with inference(segmenter.family):
            session.cache.clear_all()
            session.cache.cache_vision_features(self.frame, self._seen)
            # A streamed frame is where its features are taken from, and those are there.
            unseen = torch.empty(0, device=segmenter.device)
            outputs = segmenter.model(inference_session=session, frame=unseen, frame_idx=self.frame)
            size_hw = (session.video_height, session.video_width)
            logits = interpolate(outputs.pred_masks.float(), size_hw, mode="bilinear", align_corners=False)[0, 0]
            numbers = torch.stack([outputs.object_score_logits.float().flatten()[0], logits.abs().amax()])
            answer = copy_to_cpu(logits > 0), copy_to_cpu(numbers)
        self.evict(session)
        return answer

    def evict(self, session: Any) -> None:
        """Drop what the model will not read again; transformers keeps all of it."""
        config = self.segmenter.model.config
        looks_back = max(config.num_maskmem, config.max_object_pointers_in_encoder)
        outputs = session.output_dict_per_obj[0]
        for kept in (outputs["non_cond_frame_outputs"], session.frames_tracked_per_obj[0]):
            for frame in [frame for frame in kept if frame <= self.frame - looks_back]:
                del kept[frame]
        seeds = outputs["cond_frame_outputs"]
        for frame in sorted(seeds)[:-_SEEDS]:
            del seeds[frame]
        for each in (*outputs["non_cond_frame_outputs"].values(), *seeds.values()):
            each.pop("high_res_masks", None)  # were for the memory, which has them now
        for frame in [frame for frame in session.processed_frames if frame < self.frame]:
            del session.processed_frames[frame]

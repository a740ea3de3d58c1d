"""Rescoring of regions in the joint space and by CLIP: two opinions, pooled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from zsavs.algebra.log_linear_pooling import log_linear
from zsavs.errors import InputError
from zsavs.protocols import ImageTextEncoder, JointEncoder
from zsavs.types import AVSample, Proposals, Query
from zsavs.verification.clip_rescoring import ClipVerifier
from zsavs.verification.joint_rescoring import JointVerifier

__all__ = ["SecondOpinion"]


class SecondOpinion(JointVerifier):
    """The evidence of the joint space for a region and that of CLIP, combined as a log-linear pool.

    ``share * joint + (1 - share) * clip`` (:mod:`zsavs.algebra.log_linear_pooling`), each as its own verifier gives
    it (:class:`.joint_rescoring.JointVerifier`, :class:`.clip_rescoring.ClipVerifier`). The joint space has heard the
    source; CLIP was trained on more images, and says whether the region shows what the row is called. A region of
    which one of them is sure, and the other is surer of the opposite, is not selected.

    Args:
        joint: encoder of audio, images and text in one space.
        image_text: encoder of images and text in one space.
        vocabulary: labels of sounding things, a shipped name, a path or a list.
        silent: labels of silent things; () for none.
        share: of the joint evidence, in [0, 1].
        temperature: of CLIP's softmax over cosines; see :class:`.clip_rescoring.ClipVerifier`.
        margin: of the crops of both, as a share of the box's sides.
        min_z, view, blur, square, alignment, decision, assignment: of the joint evidence.

    Raises:
        InputError: ``share`` is not in [0, 1].
        As the two verifiers.
    """

    def __init__(
        self,
        joint: JointEncoder,
        image_text: ImageTextEncoder,
        vocabulary: str | Sequence[str] = "everyday",
        *,
        silent: str | Sequence[str] = "silent",
        share: float = 0.5,
        temperature: float | None = None,
        margin: float = 0.1,
        min_z: float = 2.5,
        view: Literal["highlighted_crop", "crop", "highlight", "both"] = "highlighted_crop",
        blur: float | None = None,
        square: bool = False,
        alignment: Literal["bridged", "audio", "text"] = "bridged",
        decision: Literal["entropy", "sum", "audio", "region", "none"] = "entropy",
        assignment: Literal["greedy", "hungarian", "transport"] = "greedy",
    ) -> None:
        if not 0 <= share <= 1:
            raise InputError(f"second_opinion: share is that of the joint evidence and lies in [0, 1], got {share}.")
        super().__init__(
            joint,
            vocabulary,
            silent=silent,
            margin=margin,
            min_z=min_z,
            view=view,
            blur=blur,
            square=square,
            alignment=alignment,
            decision=decision,
            assignment=assignment,
        )
        self.share = share
        self.clip = ClipVerifier(image_text, vocabulary, silent=silent, margin=margin, temperature=temperature)

    def evidence(
        self, samples: Sequence[AVSample], queries: Sequence[Query], proposals: Sequence[Proposals]
    ) -> list[NDArray[np.float32]]:
        """For each sample (R,) log evidence of each region for its row of the query, of both.

        Raises:
            ContractError: the query's embeddings are of another space.
        """
        joint = super().evidence(samples, queries, proposals)
        clip = self.clip.evidence(samples, queries, proposals)
        return [log_linear(*both, self.share) for both in zip(joint, clip, strict=True)]

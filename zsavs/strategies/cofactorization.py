"""Co-factorisation: components of audio tokens and of image tokens, paired by their label posteriors (TACO)."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsavs.algebra.assignment import assign, jensen_shannon
from zsavs.algebra.factorization import factorise
from zsavs.algebra.joint_factorization import Side, descend
from zsavs.algebra.log_linear_pooling import log_softmax
from zsavs.calibration.abstention import check_limits, evidence_to_query
from zsavs.calibration.heard import Heard, pool
from zsavs.calibration.scorers import AudioScorer, ImageScorer
from zsavs.decomposition.embedded_clip import EmbeddedClipEncoder
from zsavs.errors import ContractError, InputError, UnknownName
from zsavs.language.vocabulary import load_vocabulary
from zsavs.protocols import AudioTokenEncoder, ImageTokenEncoder
from zsavs.types import AudioClip, AVSample, Query

__all__ = ["Cofactorization"]

log = logging.getLogger(__name__)

_VARIANTS = ("closed_form", "gradient")


class _Side(NamedTuple):
    """K components of audio or image: activations ``active`` (tokens, K), scores ``z`` and log posteriors (K, L)."""

    active: NDArray[np.float64]
    z: NDArray[np.float32]
    log_p: NDArray[np.float64]


class Cofactorization:
    """CLAP's and CLIP's tokens, factorised; each pair of components with the same label posterior is a source.

    TACO (Malard et al., "TACO: Training-free Sound Prompted Segmentation via Deep Audio-visual CO-factorization",
    arXiv 2412.01488) factorises the tokens of both encoders by gradient descent on one objective, with an index that
    both sides share; the component whose two text posteriors agree best is the source.

    ``closed_form``: each side is factorised alone (:mod:`zsavs.algebra.factorization`), deterministically and in
    milliseconds. A component's embedding is the mean of the tokens weighted by its activation, projected by the
    encoder's head, and scored against label texts as any audio or image. Components of one side with the same best
    label are one. Pairs are those of least total Jensen-Shannon divergence between their posteriors. *All* that agree
    are kept, so that several sources are several rows; TACO gives one.

    ``gradient``: TACO's own shared index and joint objective, test-time optimisation from a seed
    (:mod:`zsavs.algebra.joint_factorization`); all indices that agree are kept.

    Agreement alone is no evidence: two components with flat posteriors agree perfectly. So the audio's score must also
    exceed ``min_z``, and the image's ``min_seen``, in calibrated units, and a component of the audio must be
    ``min_share`` of its activations: of a noise, too, some thousandth is similar to some label.

    Each row has its own map, the activation of the image's components over the image.

    Args:
        audio_text: encoder of audio and text in one space, with tokens.
        image_text: encoder of images and text in one space, with tokens.
        vocabulary: labels, a shipped name or a path (:func:`zsavs.language.vocabulary.load_vocabulary`).
        silent: silent things, which an image's component may be as well; () for none.
        variant: "closed_form" or "gradient".
        components: the most components of each side, at least 1.
        image_scale: a convolutional image encoder is given images so much larger than it was trained on.
        emphasis: how far an audio component moves from the mean of all tokens, which heads are trained for, to its
            own, in (0, 1].
        min_share: the least share of the audio's activations that a component must have, in [0, 1].
        temperature: of the posteriors, in standard deviations.
        min_agreement: the least 1 - JS of a pair, in [0, 1].
        top_k: the most sources.
        min_z: the score that a label must exceed for the audio's component, in standard deviations above usual.
        min_seen: the score that it must exceed for the image's component.
        max_gap: how far below the best label, in standard deviations, another one may be.
        whole: how much the score of the whole audio counts in a label's score, beside that of its component, in
            [0, 1]: what a component resembles by itself need not be heard.
        steps: multiplicative updates, or steps of descent; 100 and 1800 if left out.
        penalty: how much agreement counts against fit (``gradient``).
        seed: of the descent's beginning (``gradient``).

    Raises:
        ContractError: an encoder has no tokens.
        UnknownName: no such variant.
        InputError: a setting out of range, or an encoder of components that are embeddings.
    """

    #: Its queries have maps of where to look.
    stages: ClassVar[dict[str, str]] = {"grounder": "peaks"}
    #: The methods of its encoders beside those of their roles.
    needs: ClassVar[dict[str, tuple[str, ...]]] = {
        "audio_text": ("encode_audio_tokens", "project_audio_tokens"),
        "image_text": ("encode_image_tokens", "project_image_tokens"),
    }

    def __init__(
        self,
        audio_text: AudioTokenEncoder,
        image_text: ImageTokenEncoder,
        vocabulary: str | Sequence[str] = "everyday",
        *,
        silent: str | Sequence[str] = "silent",
        variant: Literal["closed_form", "gradient"] = "closed_form",
        components: int = 8,
        image_scale: float = 2.0,
        emphasis: float = 0.7,
        min_share: float = 0.05,
        temperature: float = 0.75,
        min_agreement: float = 0.3,
        top_k: int = 3,
        min_z: float = 2.0,
        min_seen: float = 0.5,
        max_gap: float = 2.0,
        whole: float = 0.0,
        steps: int | None = None,
        penalty: float = 1.0,
        seed: int = 0,
    ) -> None:
        if isinstance(audio_text, EmbeddedClipEncoder):
            raise InputError(
                "cofactorization factorises audio tokens, and the components of decomposition 'sparse' are embeddings, "
                "which have none; choose decomposition 'windows' or 'nmf', whose components are audio clips."
            )
        _check_tokens("audio_text", audio_text, "clap", self.needs["audio_text"])
        _check_tokens("image_text", image_text, "open_clip", self.needs["image_text"])
        if variant not in _VARIANTS:
            raise UnknownName("variant of the cofactorization strategy", str(variant), _VARIANTS)
        if components < 1 or (steps is not None and steps < 1):
            raise InputError(f"cofactorization: components and steps are at least 1, got {components} and {steps}.")
        if not 0 < emphasis <= 1 or not all(0 <= share <= 1 for share in (min_agreement, min_share, whole)):
            raise InputError(
                f"cofactorization: emphasis lies in (0, 1], min_agreement, min_share and whole in [0, 1], got "
                f"{emphasis}, {min_agreement}, {min_share} and {whole}."
            )
        if not temperature > 0 or not image_scale > 0:
            raise InputError(
                f"cofactorization: temperature and image_scale are above 0, got {temperature} and {image_scale}."
            )
        check_limits("cofactorization", top_k, min_z=min_z, min_seen=min_seen, max_gap=max_gap)
        self.audio_encoder, self.image_encoder = audio_text, image_text
        self.vocabulary = load_vocabulary(vocabulary)
        self.audio_scorer = AudioScorer(audio_text, self.vocabulary)
        self.vocabulary = self.audio_scorer.meanings.distinct(self.vocabulary)
        quiet = load_vocabulary(silent) if silent else ()
        sounding = {label.casefold() for label in self.vocabulary}
        self.labels = (*self.vocabulary, *(label for label in quiet if label.casefold() not in sounding))
        self.image_scorer = ImageScorer(image_text, self.labels)
        self.variant, self.components, self.image_scale = variant, components, image_scale
        self.emphasis, self.min_share, self.whole = emphasis, min_share, whole
        self.temperature, self.min_agreement = temperature, min_agreement
        self.top_k, self.min_z, self.min_seen, self.max_gap = top_k, min_z, min_seen, max_gap
        self.steps, self.seed = steps or (1800 if variant == "gradient" else 100), seed
        self.penalty = penalty

    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        """One row for each label that a component of the audio and one of the image agree on."""
        heard = self.audio_scorer.listen([sample.audio for sample in samples])
        scores = [self.audio_scorer.standardise(each.embeddings, self.vocabulary) for each in heard]  # (W, K)
        windows = [  # 1. the windows in which something is heard
            self._clearest(sample.audio, rows, z) for sample, rows, z in zip(samples, heard, scores, strict=True)
        ]
        each = iter(self.audio_encoder.encode_audio_tokens([window for some in windows for window in some]))
        audio = [np.concatenate([next(each) for _ in some], axis=1) for some in windows]  # 2. tokens  (F, T, C_A)
        images = self.image_encoder.encode_image_tokens([s.image for s in samples], self.image_scale)  # (h, w, C_V)
        queries = [self._query(*each) for each in zip(audio, images, map(pool, scores), strict=True)]
        return list(map(self.audio_scorer.timed, queries, heard))

    def _clearest(self, clip: AudioClip, heard: Heard, z: NDArray[np.float32]) -> list[AudioClip]:
        """Of the audible windows those in which each of the best labels is heard best, in order of time."""
        best = (-z.max(axis=0)).argsort(kind="stable")[: max(self.top_k, 1)]
        return [heard.window(clip, row) for row in sorted({int(z[:, label].argmax()) for label in best})]

    def _query(self, audio: NDArray[np.float32], image: NDArray[np.float32], clip: NDArray[np.float32]) -> Query:
        began = time.perf_counter()
        heard, seen = self._sides(*(grid.reshape(-1, grid.shape[-1]) for grid in (audio, image)))
        seconds = time.perf_counter() - began
        shares = heard.active.sum(axis=0) / max(heard.active.sum(), 1e-12)
        best: dict[str, float] = {}
        where: dict[str, NDArray[np.float64]] = {}
        for one, other in self._pairs(heard, seen):
            place = int((heard.log_p[one] + seen.log_p[other]).argmax())  # 5. the label of both, if both have evidence
            if seen.z[other, place] > self.min_seen and shares[one] >= self.min_share:
                label = self.labels[place]
                z = float((1 - self.whole) * heard.z[one, place] + self.whole * clip[place])
                best[label] = max(best.get(label, z), z)
                where[label] = np.maximum(where.get(label, 0.0), seen.active[:, other])
        query = evidence_to_query(
            list(best), np.array([*best.values()], np.float32), top_k=self.top_k, min_z=self.min_z, max_gap=self.max_gap
        )
        if self.variant == "gradient":
            log.info("cofactorization: test-time optimisation, %d steps, %.2f s", self.steps, seconds)
            report = {"steps": self.steps, "seed": self.seed}
            query = replace(
                query,
                notes={**query.notes, "test_time_optimisation": report},
                seconds={"test_time_optimisation": seconds},
            )
        if not len(query):
            return query
        maps = np.stack([where[phrase].reshape(image.shape[:2]) for phrase in query.phrases])  # 6. where  (K, h, w)
        return replace(query, maps=(maps / maps.max(axis=(1, 2), keepdims=True)).astype(np.float32))

    def _sides(self, x_a: NDArray[np.float32], x_v: NDArray[np.float32]) -> tuple[_Side, _Side]:
        """2. Components of the tokens (N, C) of each side, and 3. their label posteriors."""
        if self.variant == "gradient":
            active_a, active_v = self._descend(x_a, x_v)
            return self._heard(x_a, active_a), self._seen(x_v, active_v)
        active_a, active_v = (
            factorise(np.maximum(tokens, 0), self.components, self.steps).activations for tokens in (x_a, x_v)
        )
        heard, seen = self._heard(x_a, active_a), self._seen(x_v, active_v)
        return self._heard(x_a, _joined(heard)), self._seen(x_v, _joined(seen))

    def _descend(
        self, x_a: NDArray[np.float32], x_v: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Activations of components with a shared index, by TACO's joint objective."""
        audio = _side(x_a, self.audio_encoder.project_audio_tokens(x_a), self.audio_scorer, self.vocabulary)
        image = _side(x_v, self.image_encoder.project_image_tokens(x_v), self.image_scorer, self.labels)
        return descend(
            audio,
            image,
            self.components,
            steps=self.steps,
            seed=self.seed,
            penalty=self.penalty,
            temperature=self.temperature,
        )

    def _heard(self, tokens: NDArray[np.float32], active: NDArray[np.float64]) -> _Side:
        """Components of the audio, which never has one of the silent labels."""
        own = _weighted_means(tokens, active)
        rows = (1 - self.emphasis) * tokens.mean(axis=0) + self.emphasis * own
        z = self.audio_scorer.standardise(
            self.audio_encoder.project_audio_tokens(rows.astype(np.float32)), self.vocabulary
        )
        silent = len(self.labels) - len(self.vocabulary)
        log_p = np.pad(log_softmax(z, self.temperature), [(0, 0), (0, silent)], constant_values=-np.inf)
        return _Side(active, z, log_p)

    def _seen(self, tokens: NDArray[np.float32], active: NDArray[np.float64]) -> _Side:
        """Components of the image."""
        rows = self.image_encoder.project_image_tokens(_weighted_means(tokens, active).astype(np.float32))
        z = self.image_scorer.standardise(rows, self.labels)
        return _Side(active, z, log_softmax(z, self.temperature))

    def _pairs(self, heard: _Side, seen: _Side) -> list[tuple[int, int]]:
        """4. Pairs of components that agree: of least divergence, or of the same index where that is shared."""
        divergence = jensen_shannon(heard.log_p, seen.log_p)
        shared = [(index, index) for index in range(min(divergence.shape))]
        pairs = shared if self.variant == "gradient" else assign(divergence)
        return [pair for pair in pairs if 1 - divergence[pair] >= self.min_agreement]


def _weighted_means(tokens: NDArray[np.float32], active: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of tokens (N, C) weighted by each component's activations (N, K): (K, C); zeros if never active."""
    means: NDArray[np.float64] = (active / np.maximum(active.sum(axis=0), 1e-12)).T @ tokens
    return means


def _joined(side: _Side) -> NDArray[np.float64]:
    """Activations of the components with the same best label, added: one component for each such label."""
    named = side.log_p.argmax(axis=1)
    return np.stack([side.active[:, named == label].sum(axis=1) for label in np.unique(named)], axis=1)


def _side(
    tokens: NDArray[np.float32],
    embeddings: NDArray[np.float32],
    scorer: AudioScorer | ImageScorer,
    labels: Sequence[str],
) -> Side:
    """One side of the joint objective, with scores as by :func:`zsavs.calibration.scorers.standardise`."""
    text = scorer.text(labels)
    deviation = scorer.usual.deviation()
    return Side(np.maximum(tokens, 0), embeddings, text / deviation, scorer.usual.offset(text) / deviation)


def _check_tokens(role: str, encoder: Any, known: str, verbs: Sequence[str]) -> None:
    for verb in verbs:
        if isinstance(encoder, type) or not callable(getattr(encoder, verb, None)):
            raise ContractError(
                f"cofactorization: {role} needs {verb}(...), which {type(encoder).__name__} does not have: the "
                f"tokens that an embedding is the mean of, see zsavs.protocols. Use {role}='{known}', or another "
                "strategy."
            )

"""Textual inversion: a token embedding W*, optimised until "a sound of W*" matches the audio (BAaV, c)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsavs.algebra.directions import common_part
from zsavs.algebra.inversion import centred_similarity, invert
from zsavs.calibration.abstention import check_limits
from zsavs.calibration.scorers import AudioScorer
from zsavs.decomposition import pursue_over_time
from zsavs.errors import ContractError, InputError
from zsavs.language.prompts import embed_phrases, templates
from zsavs.language.vocabulary import load_vocabulary
from zsavs.protocols import JointEncoder, PseudoWordEncoder
from zsavs.types import AVSample, Query

__all__ = ["TextualInversion"]

Rows = NDArray[np.floating[Any]]

#: How many labels are reported beside a word.
_NEAREST = 3


class _Word(NamedTuple):
    """The meaning (D,) of a source's word W*, the report on it, and the seconds that it took."""

    meaning: NDArray[np.float32]
    report: dict[str, Any]
    seconds: float


class TextualInversion:
    """The embedding of "a photo of a W*" as the query, W* being optimised so that "a sound of W*" matches the audio.

    Panel (c) of BAaV (Lee & Seo, Interspeech 2025, arXiv 2506.06537): ``e = argmin Phi(audio, text("A sound of W*"))``,
    and the prompt with W* is the query. Released code has no such path. Here text, audio and regions share one space,
    so that the result is compared with a region without being decoded to a word.

    **Test-time optimisation**: no weight changes, the input embedding of one token does, by up to ``steps`` forward and
    backward passes for each source. Steps are in ``result.meta["notes"]`` and seconds in ``result.timings``, both under
    "test_time_optimisation".

    Whether anything is heard is decided before, by calibrated scores of labels, as an unconstrained token embedding
    fits any noise. For the same reason W* starts at the best label's token embedding and stays near it (``bound``), and
    is then encoded in prompts that it was not optimised in, where it has to match the audio better than the label does,
    or the label takes its place (the control). Several sources are decomposed by label texts
    (:func:`zsavs.decomposition.pursue`) and get a word each; a sound between two labels may so become two words.

    Args:
        joint: encoder of audio, images and text in one space, whose text encoder takes token embeddings
            (:class:`zsavs.protocols.PseudoWordEncoder`).
        vocabulary: labels, a shipped name or a path (:func:`zsavs.language.vocabulary.load_vocabulary`).
        top_k: the most sources.
        min_z: the score that a source must exceed beside the others, in standard deviations above usual.
        max_gap: how far below the first source, in standard deviations, another one may be.
        whole: how much the score of the whole audio counts in the choice of the next source, beside that of what the
            sources so far leave, in [0, 1].
        prompt: prompt template that W* is optimised in; one ``{}``.
        steps, step_size, bound, patience: of the optimisation; see :func:`zsavs.algebra.inversion.invert`.
        batch_size: the most words optimised together; it bounds memory and changes no answer.

    Raises:
        ContractError: the text encoder takes no token embeddings; names what is missing.
        InputError: a setting out of range.
    """

    #: Class-agnostic regions, rescored in the joint space.
    stages: ClassVar[dict[str, str]] = {"grounder": "segments", "verifier": "joint"}

    def __init__(
        self,
        joint: JointEncoder,
        vocabulary: str | Sequence[str] = "everyday",
        *,
        top_k: int = 3,
        min_z: float = 3.0,
        max_gap: float = 2.0,
        whole: float = 0.0,
        prompt: str = "a sound of {}",
        steps: int = 100,
        step_size: float = 0.1,
        bound: float = 0.25,
        patience: int = 10,
        batch_size: int = 16,
    ) -> None:
        if not isinstance(joint, PseudoWordEncoder):
            lacking = [verb for verb in ("embed_words", "encode_pseudo_words") if not hasattr(joint, verb)]
            raise ContractError(
                f"textual_inversion optimises a token embedding, and {type(joint).__name__} takes none: it has no "
                f"{' and no '.join(lacking)} (zsavs.protocols.PseudoWordEncoder); use joint='imagebind' or 'pe_av'."
            )
        if steps < 0 or batch_size < 1 or patience < 1 or not step_size > 0 or not bound >= 0:
            raise InputError(
                "textual_inversion: steps and bound are at least 0, batch_size and patience at least 1 and step_size "
                f"above 0, got {steps}, {bound}, {batch_size}, {patience} and {step_size}."
            )
        if not 0 <= whole <= 1:
            raise InputError(f"textual_inversion: whole is a share and lies in [0, 1], got {whole}.")
        check_limits("textual_inversion", top_k, min_z=min_z, max_gap=max_gap)
        self.vocabulary = load_vocabulary(vocabulary)
        self.audio_scorer, self.encoder, self.space = AudioScorer(joint, self.vocabulary), joint, joint.space
        self.vocabulary = self.audio_scorer.meanings.distinct(self.vocabulary)
        self.top_k, self.min_z, self.max_gap, self.whole = top_k, min_z, max_gap, whole
        self.prompt, self.steps, self.step_size = prompt, steps, step_size
        self.bound, self.patience, self.batch_size = bound, patience, batch_size

    def query(self, samples: Sequence[AVSample]) -> list[Query]:
        """One row for each source that is heard: its best label, its own embedding, and the meaning of its W*."""
        heard = self.audio_scorer.listen([sample.audio for sample in samples])  # 1. audible windows
        queries = [  # 2. sources, by label texts; without attention, which would move them before W* is optimised
            pursue_over_time(
                each,
                self.audio_scorer,
                self.vocabulary,
                top_k=self.top_k,
                min_z=self.min_z,
                max_gap=self.max_gap,
                attention=0.0,
                whole=self.whole,
            )
            for each in heard
        ]
        labels = [label for query in queries for label in query.phrases]
        own = self._centred(queries)  # (R, D)
        words = [  # 3. W* for each source, and 4. the label in its place where that matches the audio better
            word
            for at in range(0, len(labels), self.batch_size)
            for word in self._words(labels[at : at + self.batch_size], own[at : at + self.batch_size])
        ]
        ends = np.cumsum([len(query) for query in queries])
        return [
            _with_words(query, words[end - len(query) : end], self.space)
            for query, end in zip(queries, ends, strict=True)
        ]

    def _centred(self, queries: Sequence[Query]) -> Rows:
        """The embeddings of all queries' rows less the bank's mean: (R, D) unit rows."""
        rows = [query.embeddings for query in queries if query.embeddings is not None]
        if not rows:
            return np.zeros((0, 0))
        own = np.concatenate(rows) - self.audio_scorer.bank.embeddings.mean(axis=0, dtype=np.float64)
        unit: Rows = own / np.maximum(np.linalg.norm(own, axis=1, keepdims=True), 1e-12)
        return unit

    def _words(self, labels: Sequence[str], audio: Rows) -> list[_Word]:
        """W* for R sources of these labels, of which ``audio`` (R, D) are the centred embeddings."""
        which = [self.vocabulary.index(label) for label in labels]
        texts = embed_phrases(self.encoder, self.vocabulary, [self.prompt])  # (V, D)
        shown = embed_phrases(self.encoder, self.vocabulary, templates("photo"))  # (V, D)
        common, usual = common_part(texts), common_part(shown)
        began = time.perf_counter()
        inverted = invert(
            self.encoder,
            self.prompt,
            self.encoder.embed_words(labels),
            audio,
            common,
            steps=self.steps,
            step_size=self.step_size,
            bound=self.bound,
            patience=self.patience,
        )

        # The control: in prompts that W* was not optimised in, does it still match the audio better than the label?
        read = self._in_photo_prompts(np.stack([word.vector for word in inverted]))  # (R, D)
        as_word, as_label = (centred_similarity(rows, usual, audio) for rows in (read, shown[which]))
        kept = as_word > as_label
        meanings = np.where(kept[:, None], read, shown[which]).astype(np.float32)

        seconds = (time.perf_counter() - began) / sum(word.steps + 1 for word in inverted)
        in_prompt = centred_similarity(texts[which], common, audio)
        return [
            _Word(
                meanings[row],
                {
                    "label": label,
                    "kept": "word" if kept[row] else "label",
                    "steps": word.steps,
                    "similarity": _rounded(start=word.start, word=word.similarity, label=in_prompt[row]),
                    "control": _rounded(word=as_word[row], label=as_label[row]),
                    "nearest": self._nearest(read[row], shown, usual),
                },
                seconds * (word.steps + 1),
            )
            for row, (label, word) in enumerate(zip(labels, inverted, strict=True))
        ]

    def _in_photo_prompts(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """W* in the prompts that regions are compared with, "a photo of a W*": (R, D) unit rows, the mean of these."""
        mean = np.mean([self.encoder.encode_pseudo_words(prompt, vectors)[0] for prompt in templates("photo")], axis=0)
        unit: NDArray[np.float32] = mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12)
        return unit

    def _nearest(self, meaning: Rows, shown: Rows, usual: Rows) -> dict[str, float]:
        """The labels whose texts are most similar to a meaning (D,), with their cosines, most similar first."""
        own = meaning - usual
        cosines = centred_similarity(shown, usual, (own / (np.linalg.norm(own) + 1e-12))[None])
        order = np.argsort(-cosines, kind="stable")[:_NEAREST]
        return _rounded(**{self.vocabulary[int(row)]: cosines[row] for row in order})


def _with_words(query: Query, words: Sequence[_Word], space: str) -> Query:
    """The query with the meanings of its words, and with the steps and seconds that they took."""
    reports = [word.report for word in words]
    noted = replace(
        query,
        notes={
            **query.notes,
            "test_time_optimisation": {"steps": sum(report["steps"] for report in reports), "words": reports},
        },
        seconds={"test_time_optimisation": sum(word.seconds for word in words)},
    )
    return replace(noted, meanings=np.stack([word.meaning for word in words]), space=space) if words else noted


def _rounded(**cosines: float) -> dict[str, float]:
    return {name: round(float(cosine), 4) for name, cosine in cosines.items()}

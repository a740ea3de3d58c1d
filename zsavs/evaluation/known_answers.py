"""Checks with known answers: every strategy on pairs of which it is known what sounds where, judged with wide limits.

They tell whether models work at all on a machine, and not how well: see :func:`zsavs.evaluation.evaluate` for that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from zsavs.errors import ZsavsError
from zsavs.language.label_maps import class_mapper
from zsavs.language.label_sets import label_set
from zsavs.pipeline import Pipeline
from zsavs.result import AVSResult
from zsavs.types import AVSample

__all__ = ["LEAST_COVERED", "LEAST_INSIDE", "LEAST_SCORE", "Answer", "Case", "Check", "Outcome", "judge", "run_checks"]

#: Of the pixels that are marked, the share that must lie where it sounds; of those where it sounds, the share that must
#: be marked. A box that holds the whole thing and a mask of a good part of it are both right; the whole image is not.
LEAST_INSIDE, LEAST_COVERED = 0.6, 0.2
#: The best score of an answer lies in [LEAST_SCORE, 1].
LEAST_SCORE = 0.2
#: Characters of a phrase that are shown.
_LONGEST = 40

Verdict = Literal["pass", "miss", "shown", "error"]
#: Where the way from a sound to its pixels ended: nothing (or another thing) was heard, no region was proposed, none
#: was kept, none has pixels, they lie elsewhere, or something was found where nothing sounds.
Stage = Literal["", "hearing", "grounding", "verification", "segmentation", "place", "abstention"]


@dataclass(frozen=True, eq=False)
class Case:
    """A pair with its known answer.

    Args:
        sample: what the strategies get.
        where: (H, W) bool, where in the image it sounds; nowhere if nothing in view does.
        labels: what sounds there.
        may_abstain: whether finding nothing is right as well.
    """

    sample: AVSample
    where: NDArray[np.bool_]
    labels: tuple[str, ...] = ()
    may_abstain: bool = False


@dataclass(frozen=True, eq=False)
class Check:
    """One or several cases of one kind; passed if at least half of them are answered right.

    Args:
        name: a few words.
        given, expected: what is seen and heard, and what is to be found, in words.
        cases: at least one.
        judged: False for one that is shown and never missed, as it lies outside of what the models know.
    """

    name: str
    given: str
    expected: str
    cases: Sequence[Case]
    judged: bool = True


@dataclass(frozen=True)
class Answer:
    """What a strategy answered to a case.

    Args:
        heard, found: in words, with weights and scores.
        fault: what is wrong with it, in words; "" if nothing is.
        stage: where it went wrong.
        abstained: whether it found nothing.
        digest: of the image and of the pixels that are marked in it.
    """

    heard: str
    found: str
    fault: str
    stage: Stage
    abstained: bool
    digest: tuple[str, str]


@dataclass(frozen=True)
class Outcome:
    """A strategy's answers to a check.

    Args:
        strategy: its name.
        check: what was asked.
        verdict: "pass", "miss", "shown" (not judged) or "error".
        answers: one for each case; none after an error.
        error: why there are none.
    """

    strategy: str
    check: Check
    verdict: Verdict
    answers: Sequence[Answer] = ()
    error: str = ""


def run_checks(
    checks: Sequence[Check],
    strategies: Sequence[str],
    build: Callable[[str], Pipeline],
    on_check: Callable[[str], None] = lambda strategy: None,
) -> list[Outcome]:
    """Run every check through every strategy; an error costs the outcomes of its strategy only.

    Args:
        checks: what is asked.
        strategies: names.
        build: the pipeline of a name.
        on_check: called with the strategy after each check.

    Raises:
        ZsavsError: no strategy could be built at all; what the first of them said.
    """
    outcomes: list[Outcome] = []
    errors: list[Exception] = []
    for strategy in strategies:
        try:
            pipe = build(strategy)
        except Exception as error:
            errors.append(error)
            if len(errors) == len(strategies) and isinstance(errors[0], ZsavsError):
                raise errors[0] from None
            outcomes += [Outcome(strategy, check, "error", error=_said(error)) for check in checks]
            continue
        for check in checks:
            outcomes.append(_run(pipe, strategy, check))
            on_check(strategy)
    return outcomes


def _run(pipe: Pipeline, strategy: str, check: Check) -> Outcome:
    try:
        answers = [_answer(pipe, case) for case in check.cases]
    except Exception as error:
        return Outcome(strategy, check, "error", error=_said(error))
    if not check.judged:
        return Outcome(strategy, check, "shown", answers)
    right = sum(not answer.fault for answer in answers)
    return Outcome(strategy, check, "pass" if 2 * right >= len(answers) else "miss", answers)


def judge(result: AVSResult, case: Case) -> str:
    """What is wrong with an answer, in words; "" if nothing is."""
    marked = result.mask
    if not marked.any():
        return "" if case.may_abstain or not case.where.any() else "found nothing"
    if not case.where.any():
        return "something was found, and nothing in view sounds"
    both = np.count_nonzero(marked & case.where)
    inside, covered = both / np.count_nonzero(marked), both / np.count_nonzero(case.where)
    if inside < LEAST_INSIDE:
        return f"{1 - inside:.0%} of what is marked lies elsewhere"
    if covered < LEAST_COVERED:
        return f"only {covered:.0%} of where it sounds is marked"
    score = float(result.scores.max())
    return "" if score >= LEAST_SCORE else f"a score of {score:.2f} is below {LEAST_SCORE}"


def _answer(pipe: Pipeline, case: Case) -> Answer:
    result = pipe(case.sample)
    fault = judge(result, case)
    stage = _stage(pipe, case, result) if fault else ""
    if stage and stage != "abstention":
        fault = f"{fault}; {stage}: {_why(stage, result, case)}"
    digests = (hashlib.blake2b(array.tobytes(), digest_size=8) for array in (case.sample.image, result.mask))
    image, marks = (digest.hexdigest() for digest in digests)
    return Answer(
        _scored(result.queries.phrases, result.queries.weights) or "nothing",
        _scored(result.phrases, result.scores) or "nothing",
        fault,
        stage,
        not result.mask.any(),
        (image, marks),
    )


def _stage(pipe: Pipeline, case: Case, result: AVSResult) -> Stage:
    """Where the way to the right answer ended; the stages are run once more for that."""
    if not case.where.any():
        return "abstention"
    if not _heard_right(result, case):
        return "hearing"
    if result.mask.any():
        return "place"
    samples = [case.sample]
    queries = pipe.query(samples)
    proposals = pipe.grounder.ground(samples, queries)
    if not len(proposals[0]):
        return "grounding"
    return "segmentation" if pipe.verifier.verify(samples, queries, proposals)[0].selected.any() else "verification"


def _why(stage: str, result: AVSResult, case: Case) -> str:
    if stage == "hearing":
        heard = "another thing" if len(result.queries) else "nothing"
        return f"{heard} was heard, where {' and '.join(dict.fromkeys(case.labels))} sounds"
    return {
        "grounding": "the grounder proposes no region",
        "verification": "the verifier keeps no region",
        "segmentation": "the segmenter marks no pixel",
        "place": "the region is another one",
    }[stage]


def _heard_right(result: AVSResult, case: Case) -> bool:
    """Whether one of the phrases that were heard is what sounds, by words."""
    known = label_set("coco").classes
    classes = known if set(case.labels) <= set(known) else ("background", *dict.fromkeys(case.labels))
    class_of = class_mapper(classes)
    wanted = {class_of(label) for label in case.labels}
    return any(class_of(phrase) in wanted for phrase in result.queries.phrases)


def _scored(phrases: Sequence[str], numbers: NDArray[np.float32]) -> str:
    return ", ".join(f"{_short(phrase)} {number:.2f}" for phrase, number in zip(phrases, numbers, strict=True))


def _short(phrase: str) -> str:
    """A phrase, cut where a captioner that knows nothing does not end."""
    return phrase if len(phrase) <= _LONGEST else f"{phrase[:_LONGEST]}..."


def _said(error: Exception) -> str:
    """What an error says, in one line, with its type where it was not raised on purpose."""
    text = " ".join(str(error).split())
    return text if isinstance(error, ZsavsError) else f"{type(error).__name__}: {text}"

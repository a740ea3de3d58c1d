"""Checks with known answers: what is right, where a wrong answer went wrong, and what a report says of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import zsavs
from zsavs.errors import MissingWeights
from zsavs.evaluation.known_answers import Case, Check, Outcome, judge, run_checks
from zsavs.evaluation.known_answers_report import advice, failed, text
from zsavs.evaluation.known_pairs import checks_for, photograph_checks
from zsavs.pipeline import Pipeline
from zsavs.result import AVSResult
from zsavs.testing import toy
from zsavs.types import Proposals, Query


def case(visible: tuple[str, ...], sounding: tuple[str, ...], *, may_abstain: bool = False) -> Case:
    sample, target = toy.scene(visible, sounding)
    return Case(sample, target, tuple(name for name in visible if name in sounding), may_abstain)


def answer(mask: np.ndarray, score: float = 0.9) -> AVSResult:
    return AVSResult(
        masks=mask[None],
        boxes_xyxy=np.array([[0, 0, 1, 1]], np.float32),
        phrases=("blue",),
        scores=np.array([score], np.float32),
        score_map=mask.astype(np.float32),
        queries=Query(("blue",), np.ones(1, np.float32)),
    )


def nothing(case: Case) -> AVSResult:
    size = case.where.shape
    return AVSResult(
        masks=np.zeros((0, *size), np.bool_),
        boxes_xyxy=np.zeros((0, 4), np.float32),
        phrases=(),
        scores=np.zeros(0, np.float32),
        score_map=np.zeros(size, np.float32),
        queries=Query.nothing(),
    )


@pytest.fixture
def pipe() -> Pipeline:
    return zsavs.build_pipeline("audio_to_text", preset="toy", device="cpu")


ONE = case(("red", "blue"), ("blue",))
UNSEEN = case(("red", "blue"), ("purple",))


# ---------------------------------------------------------------------------------- the judge
def test_what_is_right_within_wide_limits() -> None:
    assert judge(answer(ONE.where), ONE) == ""
    part = ONE.where.copy()
    part[: np.argwhere(part)[:, 0].mean().astype(int)] = False
    assert judge(answer(part), ONE) == "", "half of the thing"
    assert judge(nothing(UNSEEN), UNSEEN) == ""
    assert judge(nothing(ONE), replace(ONE, may_abstain=True)) == ""


def test_what_is_wrong_is_told_in_words() -> None:
    assert judge(nothing(ONE), ONE) == "found nothing"
    assert "lies elsewhere" in judge(answer(np.ones_like(ONE.where)), ONE)
    assert "100% of what is marked lies elsewhere" in judge(answer(~ONE.where), replace(ONE, may_abstain=True))
    dot = np.zeros_like(ONE.where)
    dot[tuple(np.argwhere(ONE.where)[0])] = True
    assert "of where it sounds is marked" in judge(answer(dot), ONE)
    assert "score of 0.10" in judge(answer(ONE.where, 0.1), ONE)
    assert "nothing in view sounds" in judge(answer(ONE.where), UNSEEN)


# ------------------------------------------------------------------------------- the stages
class Deaf:
    def __init__(self, *phrases: str) -> None:
        self.phrases = phrases

    def query(self, samples: list) -> list[Query]:  # type: ignore[type-arg]
        return [Query(self.phrases, np.ones(len(self.phrases), np.float32)) for _ in samples]


class Blind:
    def ground(self, samples: list, queries: list) -> list[Proposals]:  # type: ignore[type-arg]
        return [Proposals.nothing() for _ in samples]


class Elsewhere:
    def ground(self, samples: list, queries: list) -> list[Proposals]:  # type: ignore[type-arg]
        corner = Proposals(np.array([[0, 0, 9, 9]], np.float32), np.ones(1, np.float32), np.zeros(1, np.int64))
        return [corner if len(query) else Proposals.nothing() for query in queries]


class Doubtful:
    def verify(self, samples: list, queries: list, proposals: list) -> list[Proposals]:  # type: ignore[type-arg]
        return [replace(found, selected=np.zeros(len(found), np.bool_)) for found in proposals]


class Trusting:
    def verify(self, samples: list, queries: list, proposals: list) -> list[Proposals]:  # type: ignore[type-arg]
        return proposals


class Everywhere:
    def segment(self, samples: list, proposals: list) -> list[np.ndarray]:  # type: ignore[type-arg]
        shapes = [(len(found), *sample.size_hw) for sample, found in zip(samples, proposals, strict=True)]
        return [np.ones(shape, np.float32) for shape in shapes]


class Pale:
    def segment(self, samples: list, proposals: list) -> list[np.ndarray]:  # type: ignore[type-arg]
        return [-logits for logits in Everywhere().segment(samples, proposals)]


@pytest.mark.parametrize(
    ("parts", "stage"),
    [
        ({"strategy": Deaf()}, "hearing"),
        ({"strategy": Deaf("red")}, "hearing"),
        ({"grounder": Blind()}, "grounding"),
        ({"verifier": Doubtful()}, "verification"),
        ({"segmenter": Pale()}, "segmentation"),
        ({"grounder": Elsewhere(), "verifier": Trusting(), "segmenter": Everywhere()}, "place"),
    ],
)
def test_a_miss_says_which_stage_went_wrong(pipe: Pipeline, parts: dict[str, object], stage: str) -> None:
    broken = replace(pipe, **parts)  # type: ignore[arg-type]
    (outcome,) = run_checks([Check("one", "", "", (ONE,))], ["broken"], lambda _: broken)
    assert (outcome.verdict, outcome.answers[0].stage) == ("miss", stage)
    assert f"{stage}: " in outcome.answers[0].fault


# -------------------------------------------------------------------------------- the checks
def test_half_of_the_cases_are_enough_and_what_is_not_judged_is_never_missed(pipe: Pipeline) -> None:
    wrong = replace(ONE, where=~ONE.where)
    checks = [
        Check("half", "", "", (ONE, wrong)),
        Check("few", "", "", (ONE, wrong, wrong)),
        Check("shown", "", "", (wrong,), judged=False),
    ]
    outcomes = run_checks(checks, ["audio_to_text"], lambda _: pipe)
    assert [outcome.verdict for outcome in outcomes] == ["pass", "miss", "shown"]
    assert failed(outcomes) == 1


def test_an_error_costs_the_outcomes_of_its_strategy_only(pipe: Pipeline) -> None:
    class Raising(Blind):
        def ground(self, samples: list, queries: list) -> list[Proposals]:  # type: ignore[type-arg]
            raise ZeroDivisionError("by zero")

    def build(name: str) -> Pipeline:
        if name == "absent":
            raise MissingWeights("not here")
        return replace(pipe, grounder=Raising()) if name == "raising" else pipe

    checks = [Check("one", "", "", (ONE,)), Check("unseen", "", "", (UNSEEN,))]
    outcomes = run_checks(checks, ["absent", "raising", "whole"], build)
    assert [outcome.verdict for outcome in outcomes] == ["error"] * 4 + ["pass"] * 2
    assert [outcome.error for outcome in outcomes[:4]] == ["not here"] * 2 + ["ZeroDivisionError: by zero"] * 2
    assert failed(outcomes) == 4
    with pytest.raises(MissingWeights, match="not here"):
        run_checks(checks, ["absent", "absent"], build)


# -------------------------------------------------------------------------------- the report
def outcomes_of(pipe: Pipeline) -> list[Outcome]:
    checks = [Check("one", "a scene", "blue", (ONE,)), Check("unseen", "a scene", "nothing", (UNSEEN,))]
    return run_checks(checks, ["audio_to_text"], lambda _: pipe)


def test_where_all_pass_there_is_nothing_to_do(pipe: Pipeline) -> None:
    outcomes = outcomes_of(pipe)
    assert advice(outcomes, "toy") == []
    report = text(outcomes, "toy", "versions", {"audio_to_text": pipe.meta["models"]}, ["caption: add something"])
    assert report.startswith("# zsavs verify toy: all 2 checks pass\n")
    assert "| audio_to_text | pass | pass |" in report.replace("\\", "")
    assert "caption: add something" in report
    assert "What to do" not in report


def test_finding_nothing_is_no_better_than_chance_and_says_what_is_next(pipe: Pipeline) -> None:
    outcomes = outcomes_of(replace(pipe, strategy=Deaf()))
    lines = "\n".join(advice(outcomes, "base"))
    assert "None of 1 things that sound in view was found" in lines
    assert "hearing, 1 answer:" in lines
    assert "zsavs doctor --deep" in lines
    assert "zsavs download base" in lines
    assert "paste this whole text" in lines
    assert "install zsavs again" in "\n".join(advice(outcomes, "nano")), "what ships is not fetched"
    assert "1 of 2 checks missed" in text(outcomes, "base", "versions", {})


def test_the_same_answer_whatever_sounds_is_told(pipe: Pipeline) -> None:
    image, where = ONE.sample.image, np.ones_like(ONE.where)
    clips = [toy.scene(("red", "blue"), (sound,))[0].audio for sound in ("red", "blue", "purple")]
    cases = tuple(Case(zsavs.AVSample(image, clip), where, ("blue",)) for clip in clips)
    stages = {"grounder": Elsewhere(), "verifier": Trusting(), "segmenter": Everywhere()}
    same = replace(pipe, strategy=Deaf("blue"), **stages)  # type: ignore[arg-type]
    check = Check("blue", "", "", (*cases, UNSEEN, UNSEEN, UNSEEN, UNSEEN))
    assert any("whatever sounds" in line for line in advice(run_checks([check], ["same"], lambda _: same), "toy"))
    assert not any("whatever sounds" in line for line in advice(run_checks([check], ["own"], lambda _: pipe), "toy"))


# --------------------------------------------------------------------------------- the pairs
def test_the_photographs_that_ship_give_nine_checks_without_a_network() -> None:
    checks = {check.name: check for check in photograph_checks(trust_synthesised=True)}
    assert list(checks) == [
        *("person", "cat", "person beside cat", "cat beside person", "person unseen", "cat unseen"),
        *("instrument unseen", "silence", "noise"),
    ]
    sounding = {name for name, check in checks.items() if check.cases[0].where.any()}
    assert sounding == {"person", "cat", "person beside cat", "cat beside person"}
    person, cat = (checks[name].cases[0] for name in ("person beside cat", "cat beside person"))
    assert np.array_equal(person.sample.image, cat.sample.image)
    assert not (person.where & cat.where).any()
    assert person.where.any(axis=0).argmax() < cat.where.any(axis=0).argmax(), "in the order of the name"
    assert np.count_nonzero(cat.where) < 0.5 * cat.where.size, "to mark everything is wrong"
    assert not checks["silence"].cases[0].sample.audio.waveform.any()
    assert not any(check.cases[0].may_abstain for check in checks.values())


def test_a_synthesised_sound_need_not_be_heard_by_models_that_it_was_not_made_for() -> None:
    unsure = {check.name for check in photograph_checks(trust_synthesised=False) if check.cases[0].may_abstain}
    assert unsure == {"cat", "cat beside person"}


def test_each_preset_is_asked_what_it_can_know() -> None:
    assert {check.name.partition(":")[0] for check in checks_for("nano")} == {"orchestra"}
    assert all(check.judged for check in checks_for("nano"))
    assert all(check.judged and "orchestra" not in check.name for check in checks_for("pocket"))
    shown = [check.name for check in checks_for("base") if not check.judged]
    assert shown == ["orchestra: single", "orchestra: off screen"]
    assert sum(check.judged for check in checks_for("base")) == 9

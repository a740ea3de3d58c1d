"""Outcomes of checks with known answers as one text to read and to paste: a table, what is missed, and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from zsavs.build.availability import preset_cards
from zsavs.evaluation.known_answers import LEAST_COVERED, LEAST_INSIDE, LEAST_SCORE, Outcome
from zsavs.report.blocks import Cell, Page, Paragraph, Row, Section, Table
from zsavs.report.render import render

__all__ = ["advice", "failed", "text"]

_VERDICTS = {"pass": "pass", "miss": "MISS", "shown": "shown", "error": "ERROR"}
_LIMITS = (
    f"Right is an answer of whose pixels {LEAST_INSIDE:.0%} lie where it sounds, which marks {LEAST_COVERED:.0%} of "
    f"that or more, with a best score in [{LEAST_SCORE}, 1]; and, where nothing in view sounds, one without pixels. "
    f"These limits are wide: they tell whether the models work, not how well. More pairs, with real sounds of many "
    f"kinds, are built by tools/pairs of the source code, and scored by zsavs eval --dataset coco_esc."
)
#: What each stage is, in the words of the advice.
_STAGES = {
    "hearing": "the wrong thing, or nothing, was heard (audio encoder, tagger or captioner)",
    "grounding": "no region was proposed (grounder)",
    "verification": "no region was kept (verifier, which asks the image encoder)",
    "segmentation": "no pixel was marked (segmenter)",
    "place": "another region was marked (grounder or verifier)",
    "abstention": "something was found where nothing in view sounds",
}


def failed(outcomes: Sequence[Outcome]) -> int:
    """The number of checks that were missed, or ended in an error."""
    return sum(outcome.verdict in ("miss", "error") for outcome in outcomes)


def text(
    outcomes: Sequence[Outcome],
    preset: str,
    about: str,
    models: Mapping[str, Mapping[str, Any]],
    left_out: Sequence[str] = (),
) -> str:
    """The whole report, as Markdown.

    Args:
        outcomes: of all strategies on all checks.
        preset: its name.
        about: versions, device and what else was asked for, in a line.
        models: of each strategy, ``meta["models"]`` of its pipeline.
        left_out: lines on strategies that were not run.
    """
    missed = failed(outcomes)
    judged = sum(outcome.verdict != "shown" for outcome in outcomes)
    title = f"zsavs verify {preset}: " + (
        f"{missed} of {judged} checks missed" if missed else f"all {judged} checks pass"
    )
    sections = [
        Section("Checks", [_matrix(outcomes)]),
        Section("Left out", [Paragraph(line) for line in left_out]),
        Section("What to do", [Paragraph(line) for line in advice(outcomes, preset)]),
        Section("Answers", [_answers(outcomes)]),
        Section("Expected", [_expected(outcomes)]),
        Section("Models", [_models(models)]),
    ]
    return render(Page(title, about, [section for section in sections if section.blocks]), "markdown")


def advice(outcomes: Sequence[Outcome], preset: str) -> list[str]:
    """What the misses mean and what to do next, in lines; none where nothing is missed."""
    if not failed(outcomes):
        return []
    lines = []
    wanted = [
        answer
        for outcome in outcomes
        if outcome.verdict in ("pass", "miss")
        for case, answer in zip(outcome.check.cases, outcome.answers, strict=True)
        if case.where.any() and not case.may_abstain
    ]
    if wanted and all(answer.fault for answer in wanted):
        lines.append(
            f"None of {len(wanted)} things that sound in view was found: the answers are no better than chance. "
            f"Weights that were never trained answer so, and so do those that lack their own vocabulary or "
            f"configuration. Checks that expect nothing say little here: whoever finds nothing passes them."
        )
    deaf = [strategy for strategy in dict.fromkeys(o.strategy for o in outcomes) if _is_deaf(outcomes, strategy)]
    if deaf:
        lines.append(f"{', '.join(deaf)}: the same pixels are marked in an image whatever sounds.")
    stages = Counter(answer.stage for o in outcomes if o.verdict == "miss" for answer in o.answers if answer.stage)
    for stage, count in stages.most_common():
        lines.append(f"{stage}, {count} {'answer' if count == 1 else 'answers'}: {_STAGES[stage]}.")
    lines += dict.fromkeys(f"{o.strategy}: error: {o.error}" for o in outcomes if o.verdict == "error")
    shipped = all(card.source.startswith("zsavs:") for card in preset_cards(preset).values())
    lacking = "install zsavs again if one is broken" if shipped else f"zsavs download {preset} fetches what one lacks"
    return [
        *lines,
        f"Next: zsavs doctor --deep loads every checkpoint and says which one tells nothing apart; {lacking}.",
        "To report it: paste this whole text, and that of zsavs doctor --deep, into a new issue of zsavs.",
    ]


def _is_deaf(outcomes: Sequence[Outcome], strategy: str) -> bool:
    """Whether a strategy marks the same pixels in an image with every one of three sounds or more."""
    marks: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.strategy == strategy:
            for answer in outcome.answers:
                image, pixels = answer.digest
                marks.setdefault(image, []).append("" if answer.abstained else pixels)
    return any(len(each) >= 3 and len(set(each)) == 1 and each[0] for each in marks.values())


def _matrix(outcomes: Sequence[Outcome]) -> Table:
    """Strategies by checks."""
    checks = list(dict.fromkeys(outcome.check for outcome in outcomes))
    verdicts = {(outcome.strategy, outcome.check): outcome.verdict for outcome in outcomes}
    rows = [
        Row([Cell(strategy), *(_cell(verdicts[strategy, check]) for check in checks)])
        for strategy in dict.fromkeys(outcome.strategy for outcome in outcomes)
    ]
    return Table(("Strategy", *(check.name for check in checks)), rows, words=1 + len(checks))


def _cell(verdict: str) -> Cell:
    return Cell(_VERDICTS[verdict], best=verdict in ("miss", "error"))


def _answers(outcomes: Sequence[Outcome]) -> Table:
    """What was answered to each case, and what is wrong with it."""
    rows = []
    for outcome in outcomes:
        for answer in outcome.answers:
            told = "not judged" if outcome.verdict == "shown" else answer.fault or "right"
            rows.append(_row(outcome.strategy, outcome.check.name, answer.heard, answer.found, told))
        if outcome.verdict == "error":
            rows.append(_row(outcome.strategy, outcome.check.name, "", "", f"error: {outcome.error}"))
    return Table(("Strategy", "Check", "Heard, with weights", "Found, with scores", "Answer"), rows, words=5)


def _expected(outcomes: Sequence[Outcome]) -> Table:
    checks = dict.fromkeys(outcome.check for outcome in outcomes)
    rows = [
        _row(check.name, check.given, check.expected + ("" if check.judged else " (not judged)")) for check in checks
    ]
    return Table(("Check", "Given", "To be found"), rows, words=3, caption=_LIMITS)


def _models(models: Mapping[str, Mapping[str, Any]]) -> Table:
    """Each part once, whatever strategies use it."""
    seen: dict[tuple[str, ...], None] = {}
    for of_strategy in models.values():
        for role, card in of_strategy.items():
            if isinstance(card, Mapping):
                keys = ("component", "source", "revision", "licence")
                seen[(role, *(str(card.get(key, "")) for key in keys))] = None
            else:
                seen[(role, str(card), "", "", "")] = None
    rows = [_row(*words) for words in sorted(seen)]
    return Table(("Role", "Component", "Checkpoint", "Revision", "Licence"), rows, words=5)


def _row(*words: str) -> Row:
    return Row([Cell(word) for word in words])

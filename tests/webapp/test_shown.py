"""Answers as HTML."""

from __future__ import annotations

from dataclasses import replace

import pytest

from zsavs.considered import Considered, Thresholds
from zsavs.types import Query
from zsavs.webapp import shown
from zsavs.webapp.answers import ImageAnswer
from zsavs.webapp.reasons import reason_of


def renamed(considered: Considered, phrases: tuple[str, ...]) -> Considered:
    query = considered.query
    times = tuple(((0.0, 0.5),) for _ in phrases)
    return replace(considered, query=Query(phrases, query.weights, times=times))


def test_the_image_says_in_words_what_is_marked_and_has_a_button_for_each_region(answer: ImageAnswer) -> None:
    html = shown.picture(answer)
    for region in answer.regions():
        assert f'data-region="{region.key}"' in html
        assert f"{region.label} {region.score:.2f}" in html.split("alt=")[1].split('"')[1]
    assert "2 regions marked. (audio_to_text, preset toy)" in html.replace("<wbr>", "")
    assert html.count("data:image/jpeg;base64,") == 1


def test_nothing_by_these_thresholds_is_not_nothing_at_all(answer: ImageAnswer) -> None:
    assert "Nothing is left by these thresholds" in shown.picture(answer.with_thresholds(Thresholds(min_score=1.0)))
    silent = replace(
        answer.looked_at, proposals=answer.looked_at.proposals.rows([]), logits=answer.looked_at.logits[:0]
    )
    nothing = replace(answer, considered={"audio_to_text": silent})
    assert "Nothing in view is sounding" in shown.picture(nothing)
    assert "not marked in the image" in shown.heard(nothing)


def test_what_was_heard_has_a_lane_with_its_score_and_times(answer: ImageAnswer) -> None:
    considered = renamed(answer.looked_at, ("siren", "dog"))
    html = shown.heard(replace(answer, considered={"audio_to_text": considered}))
    for label, weight in zip(("siren", "dog"), considered.query.weights, strict=True):
        assert f'data-label="{label}"' in html
        assert f">{weight:.2f}<" in html
    assert html.count("sounds at 0.0-0.5 s") == 2
    assert 'data-off="0.5"' in html


def test_strategies_stand_side_by_side_with_the_one_that_failed(answer: ImageAnswer) -> None:
    html = shown.side_by_side(replace(answer, failed={"caption": "no captioner"}))
    assert html.count("<img") == 2
    assert "fused" in html
    assert "has no answer: no captioner" in html
    alone = {"fused": answer.considered["fused"]}
    assert shown.side_by_side(replace(answer, strategy="fused", considered=alone)) == ""


@pytest.mark.parametrize("label", ["<img src=x onerror=alert(1)>", '" onmouseover="alert(1)'])
def test_labels_and_messages_are_escaped(answer: ImageAnswer, label: str) -> None:
    considered = renamed(answer.looked_at, (label, "dog"))
    spoilt = replace(answer, considered={"audio_to_text": considered, "fused": considered})
    pieces = [shown.picture(spoilt), shown.heard(spoilt), shown.side_by_side(spoilt), shown.message(label, "error")]
    pieces.append(shown.why(reason_of(spoilt, spoilt.regions()[0].key), 0))
    for piece in pieces:
        assert "<img src=x" not in piece
        assert '" onmouseover="alert' not in piece


def test_an_error_is_read_out_at_once() -> None:
    assert 'role="alert"' in shown.message("no", "error")
    assert 'role="status"' in shown.message("wait", "busy")


def test_the_style_fetches_nothing() -> None:
    assert "url(" not in shown.style()
    assert "@import" not in shown.style()

"""The work of a labelling job: items to rows, without a word of where it runs.

A labeller is made of plain settings, so that an engine can make one in any process. A row is plain JSON.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from zsavs.build import build_pipeline, pipeline_key, settings_for
from zsavs.errors import reason
from zsavs.labelling.items import Item
from zsavs.labelling.read import ReadItem
from zsavs.models.runtime import resolve_device
from zsavs.pipeline import Pipeline
from zsavs.storage.isolation import answered
from zsavs.version import __version__

__all__ = ["Labeller", "Row"]

#: What one strategy answered to one item, or why it has no answer: plain JSON values.
Row: TypeAlias = dict[str, Any]

#: Of a result, what is the same whenever it is computed, and not told by the row already.
_LEFT_OUT = ("source", "timings_s", "meta")


class Labeller:
    """Asks strategies about items. The pipelines are built when they are first needed.

    Args:
        settings: plain JSON values: ``strategies``, a list of names; ``preset``; ``models``, further arguments of
            :func:`zsavs.build_pipeline`; ``settings``, those of strategies and parts, and parts by role;
            ``batch_size``, items or frames that go through the models together; ``fps``, frames of a video in a
            second, or None.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = settings

    @functools.cached_property
    def pipelines(self) -> dict[str, Pipeline]:
        """The pipeline of each strategy; the models are shared.

        Raises:
            as :func:`zsavs.build_pipeline`.
        """
        names, preset, models = self._settings["strategies"], self._settings["preset"], self._settings["models"]
        own = settings_for(names, preset, self._settings["settings"], models["device"])
        return {name: build_pipeline(name, preset, **models, **own[name]) for name in names}

    def key(self) -> dict[str, Any]:
        """All that the rows depend on beside the items, plain JSON values; see :func:`zsavs.build.pipeline_key`.

        Raises:
            as :func:`zsavs.build_pipeline`, and :func:`zsavs.build.pipeline_key`.
        """
        pipes = self.pipelines.values()
        given = {name: value for name, value in self._settings.items() if name not in ("models", "batch_size")}
        models = {**self._settings["models"], "device": resolve_device(self._settings["models"]["device"]).type}
        vocabulary = models["vocabulary"]
        return {
            "zsavs": __version__,
            **given,
            **models,
            **{kind: self._of_each(kind) for kind in ("models", "banks")},
            **pipeline_key(pipes, self._settings["preset"], vocabulary, (__name__,)),
        }

    def _of_each(self, kind: str) -> dict[str, Any]:
        """What the pipelines tell of themselves, by strategy and role."""
        told = {name: pipe.meta[kind] for name, pipe in self.pipelines.items()}
        return {f"{name}.{role}": value for name, own in told.items() for role, value in own.items()}

    def __call__(self, items: Sequence[ReadItem]) -> list[list[Row]]:
        """For each item the row of each strategy; an item that could not be read or answered has rows that say why."""
        rows: list[list[Row]] = [[] for _ in items]
        unread = {place: read.unread for place, read in enumerate(items) if read.unread}
        batch = [(place, read.sample) for place, read in enumerate(items) if read.sample is not None]
        for name, pipe in self.pipelines.items():
            failed = dict(unread)

            def fail(place: int, error: Exception, failed: dict[int, str] = failed) -> None:
                failed[place] = reason(error)

            found: dict[int, Any] = dict(answered(batch, pipe.batch, fail)) if batch else {}
            for place, item in enumerate(read.item for read in items):
                try:
                    result = self._video(pipe, item) if item.video else found.get(place)
                    answer = _failed(failed[place]) if place in failed else _answer(result, item)
                except Exception as error:
                    answer = _failed(reason(error))
                rows[place].append({"id": item.id, "strategy": name, **item.named, **answer})
        return rows

    def _video(self, pipe: Pipeline, item: Item) -> Any:
        audio = item.path("audio") if item.audio else None
        part = {"start_s": item.start_s, "end_s": item.end_s, "batch_size": self._settings["batch_size"]}
        return pipe.video(item.path("video"), audio, fps=self._settings["fps"], **part)


def _failed(why: str) -> Row:
    return {"status": "failed", "error": why}


def _answer(result: Any, item: Item) -> Row:
    """What a row has of a result: of an image an :class:`~zsavs.AVSResult`, or a :class:`~zsavs.VideoResult`.

    Raises:
        TypeError, ValueError: there is something in it that JSON does not hold.
    """
    told: Row = result.to_dict()
    if not item.video:  # a video's times are those of the whole video; an image's, of the part that was heard
        for heard in told["heard"]:
            if "times_s" in heard:
                heard["times_s"] = [[on + item.start_s, off + item.start_s] for on, off in heard["times_s"]]
    meta = result.meta
    row: Row = {
        "status": "done" if told.get("objects") or told.get("tracks") else "empty",
        "preset": meta["preset"],
        "settings": meta["settings"],
        "models": {role: _named(card) for role, card in meta["models"].items()},
        **{name: value for name, value in told.items() if name not in _LEFT_OUT},
        **({"fps": meta["fps"]} if item.video else {}),
        **({"notes": meta["notes"]} if meta.get("notes") else {}),
    }
    json.dumps(row, allow_nan=False)  # a strategy's notes may be anything
    return row


def _named(model: Mapping[str, Any] | str) -> str:
    """Where a model is from, and its revision; its class where it has no card."""
    if isinstance(model, str):
        return model
    source, revision = str(model["source"]), model.get("revision")
    return f"{source}@{revision}" if revision else source

"""Which component of the page calls what, and what is shown of the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from zsavs.considered import Thresholds
from zsavs.webapp import shown
from zsavs.webapp.answers import Answer, ImageAnswer, VideoAnswer
from zsavs.webapp.callbacks import Callbacks, Told
from zsavs.webapp.examples import Example
from zsavs.webapp.layout import HINT, HINT_OF_VIDEO, TO_THE_ANSWER, Page

__all__ = ["connect"]

#: By component, what it shows from now on; the others stay as they are.
Shown: TypeAlias = dict[Any, Any]

_FILES, _FILES_OF_VIDEO = "Make files to download", "Write the video and the files again"


def connect(page: Page, doings: Callbacks) -> None:
    """Connect the components of a page with what they call."""
    events = _Events(page, doings)
    with page.blocks:
        events.of_questions()
        events.of_answers()
        events.of_files()


def _told_what(function: Callable[..., Any], **kinds: Any) -> Callable[..., Any]:
    """A function of which Gradio is told what arguments it fills in itself: it reads that from annotations."""
    function.__annotations__.update(kinds)
    return function


class _Events:
    """The events of a page, and what they show."""

    def __init__(self, page: Page, doings: Callbacks) -> None:
        self.page, self.doings, self.gr = page, doings, page.gr
        self._models = {"concurrency_id": "models", "concurrency_limit": 1, "api_visibility": "private"}
        self._quick = {"show_progress": "hidden", "concurrency_limit": 8, "api_visibility": "private"}

    # ---------------------------------------------------------------- questions
    def of_questions(self) -> None:
        """The buttons that ask, the presets, and the examples."""
        page, gr, doings = self.page, self.gr, self.doings
        shows = gr.Progress()  # Gradio knows it by its being a default

        def ask_pair(
            image: str, audio: str, preset: str, strategies: list[str], fainter: bool, progress: Any = shows
        ) -> Iterator[Shown]:
            told = _told(progress)
            yield from self._ask(
                lambda: doings.answer_pair(image, audio, preset, strategies, fainter, told), image, audio
            )

        def ask_video(video: str, preset: str, strategies: list[str], progress: Any = shows) -> Iterator[Shown]:
            first = strategies[0] if strategies else None
            yield from self._ask(lambda: doings.answer_video(video, preset, first, _told(progress)), video)

        busy = {"show_progress_on": [page.message], **self._models}
        pair = [page.image, page.audio, page.preset, page.strategies, page.fainter]
        video_alone = [page.video, page.preset, page.strategies]

        def asking(event: Any, of_video: bool) -> None:
            """Ask when something has happened; look at the answer, and write a video's at once."""
            if of_video:
                asked = event(ask_video, video_alone, page.view, **busy)
                asked = asked.success(self._make(only_video=True), [page.kept], self._made, **busy)
            else:
                asked = event(ask_pair, pair, page.view, **busy)
            asked.success(None, None, None, js=TO_THE_ANSWER)

        asking(page.ask_pair.click, False)
        asking(page.ask_video.click, True)
        for button in (page.ask_pair, page.ask_video, *page.example_buttons):
            button.click(None, None, None, js=TO_THE_ANSWER)

        def choose(preset: str) -> Any:
            return gr.update(**page.choices(preset))

        page.preset.input(choose, [page.preset], [page.strategies], **self._quick)
        filled = [page.tabs, *page.given, page.preset, page.strategies, page.message]
        for example, button in zip(page.examples, page.example_buttons, strict=True):
            filling = button.click(self._fill(example), None, filled, **self._quick)
            asking(filling.success, example.image is None)

    def _fill(self, example: Example) -> Callable[..., Shown]:
        """What fills in an example."""
        page = self.page

        def fill(request: Any) -> Shown:
            try:
                files = self.doings.example(example, request.session_hash)
            except Exception as error:
                raise self.gr.Error(self.doings.explain(error)) from error  # so that nothing is asked
            return {
                **{component: path and str(path) for component, path in zip(page.given, files, strict=True)},
                page.tabs: self.gr.update(selected="video" if files[2] else "pair"),
                page.preset: example.preset,
                page.strategies: self.gr.update(**page.choices(example.preset)),
                page.message: shown.message(f"{example.title}: listening and looking …", "busy"),
            }

        return _told_what(fill, request=self.gr.Request)

    def _ask(self, ask: Callable[[], Answer], *files: str) -> Iterator[Shown]:
        """Say that it is at work; then show the answer, or why there is none."""
        yield self._cleared(shown.message("Listening and looking …", "busy"))
        try:
            yield self._shown(ask(), fresh=True)
        except Exception as error:
            yield self._cleared(shown.message(self.doings.explain(error, *files), "error"))

    # ------------------------------------------------------------------ answers
    def of_answers(self) -> None:
        """Sliders, clicks on regions, and which strategy is looked at."""
        page, quick = self.page, self._quick
        sliders = [page.weight, page.evidence, page.score]

        def slide(answer: Answer | None, picked: int | None, weight: float, evidence: float, score: float) -> Shown:
            if answer is None:
                return self._forgotten()
            return self._shown(answer.with_thresholds(Thresholds(weight, evidence, score)), picked)

        for slider in sliders:
            slider.input(slide, [page.kept, page.picked, *sliders], page.view, trigger_mode="always_last", **quick)

        def look(answer: Answer | None, strategy: str) -> Shown:
            if not isinstance(answer, ImageAnswer) or strategy not in answer.considered:
                return {page.kept: answer}
            return self._shown(answer.looking_at(strategy), fresh=True)

        page.looked_at.input(look, [page.kept, page.looked_at], page.view, **quick)

        def pick(answer: Answer | None, event: Any) -> Shown:
            where = event._data or {}
            if answer is None:
                return self._forgotten()
            if "region" in where:
                return self._why(answer, int(where["region"]))
            if "x" in where and isinstance(answer, ImageAnswer):
                return self._why(answer, answer.at(float(where["x"]), float(where["y"])), missed=True)
            return {page.kept: answer}

        page.picture.click(_told_what(pick, event=self.gr.EventData), [page.kept], page.view, **quick)

        def remove(answer: Answer | None, picked: int | None) -> Shown:
            if answer is None:
                return self._forgotten()
            return {page.kept: answer} if picked is None else self._shown(answer.without(picked))

        def restore(answer: Answer | None, picked: int | None) -> Shown:
            return self._forgotten() if answer is None else self._shown(answer.with_all(), picked)

        page.remove.click(remove, [page.kept, page.picked], page.view, **quick)
        page.restore.click(restore, [page.kept, page.picked], page.view, **quick)

    # -------------------------------------------------------------------- files
    def of_files(self) -> None:
        """Files to download, and the deletion of those that a visitor has."""
        page, doings, request = self.page, self.doings, self.gr.Request
        busy = {"show_progress_on": [page.message], **self._models}
        page.make_files.click(self._make(), [page.kept], self._made, **busy)

        def claim(image: str, audio: str, video: str, request: Any) -> None:
            doings.uploads.claim(request.session_hash, image, audio, video)

        for component in page.given:
            component.change(_told_what(claim, request=request), page.given, None, **self._quick)

        def delete(request: Any) -> Shown:
            count = doings.forget(request.session_hash)
            said = (
                f"Deleted: {count} file{'s'[: count != 1]}, and the answer."
                if count
                else "There were no files of yours."
            )
            return {**self._cleared(shown.message(said)), **dict.fromkeys(page.given)}

        def leave(request: Any) -> None:
            doings.forget(request.session_hash)

        page.delete.click(_told_what(delete, request=request), None, [*page.given, *page.view], **self._quick)
        page.blocks.unload(_told_what(leave, request=request))

    @property
    def _made(self) -> list[Any]:
        """All that shows files."""
        return [self.page.files, self.page.annotated, self.page.message]

    def _make(self, *, only_video: bool = False) -> Callable[..., Shown]:
        """What makes the files of an answer, if asked only of a video."""
        page, doings, update = self.page, self.doings, self.gr.update
        shows = self.gr.Progress()

        def make(answer: Answer | None, request: Any, progress: Any = shows) -> Shown:
            if only_video and not isinstance(answer, VideoAnswer):
                return {page.files: update()}
            try:
                files = doings.write_files(answer, request.session_hash, _told(progress))
            except Exception as error:
                video = answer.video if isinstance(answer, VideoAnswer) else None
                return {page.message: shown.message(doings.explain(error, video), "error")}
            made: Shown = {page.files: update(value=[str(path) for path in files], visible=True)}
            if isinstance(answer, VideoAnswer):
                annotated = next(str(path) for path in files if path.suffix == ".mp4")
                made[page.annotated] = update(value=annotated, visible=True)
            return made

        return _told_what(make, request=self.gr.Request)

    # -------------------------------------------------------------------- views
    def _shown(self, answer: Answer, picked: int | None = None, *, fresh: bool = False) -> Shown:
        """An answer on the page.

        Args:
            answer: what is shown.
            picked: the region of which it is told why it was marked.
            fresh: whether the sliders are set to the answer's thresholds: not while somebody moves them.
        """
        page, update = self.page, self.gr.update
        of_image = isinstance(answer, ImageAnswer)
        values: Shown = {
            **self._why(answer, picked),
            page.picture: shown.picture(answer),
            page.heard: shown.heard(answer),
            page.side_by_side: shown.side_by_side(answer),
            page.about_region: update(visible=True),
            page.restore: update(interactive=answer.count_removed > 0),
            page.make_files: update(value=_FILES if of_image else _FILES_OF_VIDEO, visible=True),
            page.files: update(value=None, visible=False),
        }
        if fresh:
            names = list(answer.considered) if isinstance(answer, ImageAnswer) else []
            values |= {
                page.message: "",
                page.annotated: update(value=None, visible=False),
                page.looked_at: update(choices=names, value=answer.strategy, visible=len(names) > 1),
                page.thresholds: update(visible=True),
                page.weight: answer.thresholds.min_weight,
                page.evidence: update(value=answer.thresholds.min_evidence, visible=of_image and answer.gives_evidence),
                page.score: answer.thresholds.min_score,
            }
        return values

    def _why(self, answer: Answer, picked: int | None, *, missed: bool = False) -> Shown:
        """Why a region was chosen; a hint where none is, or it is not there any more."""
        page = self.page
        reason = self.doings.reason(answer, picked)
        hint = "Nothing is marked there." if missed else HINT if isinstance(answer, ImageAnswer) else HINT_OF_VIDEO
        hint = hint if answer.regions() else ""
        return {
            page.kept: answer,
            page.picked: picked if reason else None,
            page.why: shown.why(reason, picked, hint),
            page.remove: self.gr.update(interactive=reason is not None),
        }

    def _forgotten(self) -> Shown:
        """The page of a visitor whose answer is not kept any more."""
        return self._cleared(shown.message("This answer is not kept any more; ask again.", "error"))

    def _cleared(self, message: str) -> Shown:
        """The page without an answer."""
        page, hidden = self.page, self.gr.update(visible=False)
        values: Shown = {page.kept: None, page.picked: None, page.message: message}
        values |= dict.fromkeys([page.picture, page.why, page.heard, page.side_by_side], "")
        values |= dict.fromkeys([page.about_region, page.thresholds, page.looked_at, page.make_files], hidden)
        values |= dict.fromkeys([page.files, page.annotated], self.gr.update(value=None, visible=False))
        return values


def _told(progress: Any) -> Told:
    """What is told of how far something is, on the page."""
    return lambda share, what: progress(share, desc=what)

"""What happens when something on the page is used; knows no component of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from zsavs.considered import Thresholds
from zsavs.errors import InputError, ZsavsError, reason
from zsavs.storage.progress_bar import Progress
from zsavs.webapp.answers import Answer, ImageAnswer, VideoAnswer
from zsavs.webapp.examples import Example, put
from zsavs.webapp.exports import write_files, write_video
from zsavs.webapp.limits import Limits, check_video, read_pair, told
from zsavs.webapp.models import Models, own_threshold
from zsavs.webapp.reasons import Reason, reason_of
from zsavs.webapp.uploads import Uploads

__all__ = ["Callbacks"]

log = logging.getLogger(__name__)

#: Regions of an answer that are kept in memory, if there are not more that are marked.
_KEPT_REGIONS = 24

#: Told what is being done, and which part of it is: 0.0 to 1.0.
Told = Callable[[float, str], object]


class Callbacks:
    """The page's doings, for any number of visitors; holds nothing of any of them but where their files are.

    Args:
        models: the pipelines.
        limits: how much one visitor may ask for.
        uploads: the visitors' files.
    """

    def __init__(self, models: Models, limits: Limits, uploads: Uploads) -> None:
        self.models, self.limits, self.uploads = models, limits, uploads

    # ------------------------------------------------------------------ answers
    def answer_pair(
        self,
        image: str | None,
        audio: str | None,
        preset: str,
        strategies: Sequence[str],
        fainter: bool = False,
        progress: Told = lambda *_: None,
    ) -> ImageAnswer:
        """Ask several strategies about an image with its audio.

        Args:
            image, audio: paths of the visitor's files.
            preset, strategies: names.
            fainter: look for more sources than the strategies are sure of.
            progress: told which strategy is at work.

        Raises:
            ZsavsError: a file cannot be taken, no strategy is chosen, or none of them has an answer.
        """
        sample = read_pair(image, audio, self.limits)
        if not strategies:
            raise InputError("Choose a strategy first.")
        considered, failed = {}, {}
        for number, strategy in enumerate(strategies):
            progress(number / len(strategies), f"{strategy} ({number + 1} of {len(strategies)})")
            try:
                found = self.models.pipeline(preset, strategy, fainter).consider([sample])[0]
                considered[strategy] = found.best(_KEPT_REGIONS)
            except ZsavsError as error:
                failed[strategy] = reason(error)
        if not considered:
            raise InputError("; ".join(f"{name}: {why}" for name, why in failed.items()))
        own = {name: own_threshold(name, preset, fainter) for name in considered}
        first = next(iter(considered))
        return ImageAnswer(considered, failed, preset, first, own, Thresholds(min_weight=own[first]))

    def answer_video(
        self, video: str | None, preset: str, strategy: str | None, progress: Told = lambda *_: None
    ) -> VideoAnswer:
        """Ask a strategy about a video.

        Args:
            video: path of the visitor's file.
            preset, strategy: names.
            progress: told how far it is.

        Raises:
            ZsavsError: the file cannot be taken, or no strategy is chosen.
        """
        check_video(video, self.limits)
        assert video is not None, "it was checked"
        if not strategy:
            raise InputError("Choose a strategy first.")
        progress(0.0, "loading models")
        pipe = self.models.pipeline(preset, strategy)
        whole = pipe.video(video, fps=self.limits.fps, progress=_share(progress, "frames"))
        return VideoAnswer(whole, video, preset, strategy)

    def reason(self, answer: Answer | None, key: int | None) -> Reason | None:
        """Why a region is in the answer; None where none was chosen, or it is not there any more."""
        return None if answer is None or key is None else reason_of(answer, key)

    # -------------------------------------------------------------------- files
    def write_files(self, answer: Answer | None, session: str, progress: Told = lambda *_: None) -> list[Path]:
        """The answer as files in the visitor's folder; of a video, with the annotated video.

        Raises:
            InputError: there is no answer yet.
            OutputError: they cannot be written.
        """
        if answer is None:
            raise InputError("There is no answer yet to make files of.")
        folder = self.uploads.folder(session)
        files = write_files(answer, folder)
        if isinstance(answer, VideoAnswer):
            files += write_video(answer, folder, _share(progress, "writing the video"))
        return files

    def example(self, example: Example, session: str) -> tuple[Path | None, Path | None, Path | None]:
        """The image, the audio and the video of an example; None for what it has not.

        Raises:
            MissingExtra: PyAV is not installed.
        """
        return put(example, self.uploads.folder(f"{session}/example"))

    def forget(self, session: str) -> int:
        """Delete the files of a visitor; how many that were."""
        return self.uploads.release(session) + self.uploads.release(f"{session}/example")

    def explain(self, error: Exception, *files: str | None) -> str:
        """What is said of an error on the page; what nobody expected is logged as well."""
        if not isinstance(error, ZsavsError):
            log.error("zsavs app: %s", reason(error), exc_info=error)
        return told(error, *files, str(self.uploads.root))


def _share(progress: Told, what: str) -> Progress:
    """What is told of steps, and tells of shares."""
    return lambda done, total: progress(done / total if total else 0.0, what)

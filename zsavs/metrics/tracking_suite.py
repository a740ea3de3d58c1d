"""The numbers of whole videos, updated a video at a time, merged and stored as those of the other suites."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import astuple

import numpy as np

from zsavs.errors import InputError
from zsavs.metrics.base_suite import Suite
from zsavs.metrics.functional import false_positive_share, jaccard
from zsavs.metrics.input_checks import Mask
from zsavs.metrics.streaming import Count, Mean, Tally
from zsavs.metrics.tracking import OnOff, Spans, boundary_f, identity_switches, match_objects

__all__ = ["Tracking"]


class Tracking(Suite):
    """Whole videos: masks by frame, identities, and when sources are said to sound.

    Numbers: J and J&F, means over the frames in which something in view sounds; FPR_empty, the wrongly marked share of
    the other frames; events_F1 and segments_F1 of when the tracks of each label sound, heard_F1 that of events of what
    is heard, in view or not; n_switches of identity among n_objects that a track covers; n_tracks; n_sounding and
    n_other, the frames of either kind.

    Definition: :mod:`zsavs.metrics.tracking`. It is no suite of frames, and so not among those that are opened by name.
    """

    name = "tracking"
    takes = "videos"

    def __init__(self) -> None:
        super().__init__()
        self._j, self._j_and_f, self._false_positives = Mean(), Mean(), Mean()
        self._switches, self._objects, self._tracks = Count(), Count(), Count()
        self._followed, self._heard = _OnOffTally(), _OnOffTally()

    def update(
        self,
        tracks: Sequence[Mapping[int, Mask]],
        objects: Sequence[Mapping[int, Mask]],
        *,
        size_hw: tuple[int, int],
        followed: tuple[Mapping[Hashable, Spans], Mapping[Hashable, Spans]],
        heard: tuple[Mapping[Hashable, Spans], Mapping[Hashable, Spans]],
        n_tracks: int,
        duration_s: float,
    ) -> None:
        """Add a video.

        Args:
            tracks: for each frame the masks (H, W) bool that are marked in it, by the ids of their tracks.
            objects: for each frame the masks of what sounds in it and is seen, by the ids of the objects.
            size_hw: height and width of the masks, in pixels.
            followed: by label, when the objects in view sound, and when the tracks are said to; on and off in seconds.
            heard: by label, when all sources sound, and when they are said to.
            n_tracks: tracks in all of the video.
            duration_s: its length.

        Raises:
            InputError: another number of frames, masks of other shapes, or spans that are none.
        """
        if len(tracks) != len(objects):
            raise InputError(f"tracking: {len(objects)} frames were given and {len(tracks)} answered.")
        for found, true in zip(tracks, objects, strict=True):
            marked, target = _union(found, size_hw), _union(true, size_hw)
            if target.any():
                j = jaccard(marked, target)
                self._j.update(j)
                self._j_and_f.update((j + boundary_f(marked, target)) / 2)
            else:
                self._false_positives.update(false_positive_share(marked, target))
        identities = identity_switches(match_objects(objects, tracks))
        self._switches.update(identities.switches)
        self._objects.update(identities.objects)
        self._tracks.update(n_tracks)
        self._followed.update(*followed, duration_s)
        self._heard.update(*heard, duration_s)

    def compute(self) -> dict[str, float]:
        """The numbers named above."""
        followed, heard = self._followed.compute(), self._heard.compute()
        return {
            "J": self._j.compute(),
            "J&F": self._j_and_f.compute(),
            "FPR_empty": self._false_positives.compute(),
            "events_F1": followed.events_f1,
            "segments_F1": followed.segments_f1,
            "heard_F1": heard.events_f1,
            "n_switches": self._switches.compute(),
            "n_objects": self._objects.compute(),
            "n_tracks": self._tracks.compute(),
            "n_sounding": self._j.defined,
            "n_other": self._false_positives.defined,
        }


class _OnOffTally(Tally):
    """The counts of an :class:`~zsavs.metrics.tracking.OnOff`."""

    def __init__(self) -> None:
        super().__init__(counts=np.zeros(len(astuple(OnOff())), np.int64))

    def update(self, true: Mapping[Hashable, Spans], said: Mapping[Hashable, Spans], duration_s: float) -> None:
        """Count a recording."""
        counts = OnOff()
        counts.add(true, said, duration_s)
        self._arrays["counts"] += np.array(astuple(counts), np.int64)

    def compute(self) -> OnOff:
        """The counts so far."""
        return OnOff(*map(int, self._arrays["counts"]))


def _union(masks: Mapping[int, Mask], size_hw: tuple[int, int]) -> Mask:
    return np.any(list(masks.values()), axis=0) if masks else np.zeros(size_hw, np.bool_)

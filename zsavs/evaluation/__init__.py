"""Evaluation: strategies on a data set, scored by metric suites, in a run folder that can be resumed, with a report.

- :mod:`~zsavs.evaluation.plan`: the plan, its checks, and its batches.
- :mod:`~zsavs.evaluation.runner`: the loop over the batches.
- :mod:`~zsavs.evaluation.batch_reader`: batches of items, with the frames around them and each kind of audio.
- :mod:`~zsavs.evaluation.input_files`: the files that a batch was computed from.
- :mod:`~zsavs.evaluation.kept_answers`: answers kept in the run folder, for scoring anew.
- :mod:`~zsavs.evaluation.batch_runner`: every strategy on one batch, scored.
- :mod:`~zsavs.evaluation.whole_video`: whole videos, read, answered and scored.
- :mod:`~zsavs.evaluation.video_runner`: every strategy on one whole video.
- :mod:`~zsavs.evaluation.oracle`: the ceiling of whole videos, which is told what sounds when.
- :mod:`~zsavs.evaluation.video_context`: queries smoothed over the frames of a video.
- :mod:`~zsavs.evaluation.scoring`: one result against one target.
- :mod:`~zsavs.evaluation.settings`: the settings that a run is resumed under.
- :mod:`~zsavs.evaluation.resumable_run`: the run folder that is appended to, and resumed from.
- :mod:`~zsavs.evaluation.run_files`: the files of a run folder, read and checked.
- :mod:`~zsavs.evaluation.merging`: shards of one run, merged.
- :mod:`~zsavs.evaluation.summary`: the numbers of all batches, summed up to a report.
- :mod:`~zsavs.evaluation.visuals`: images of the best and worst items.
- :mod:`~zsavs.evaluation.known_answers`: strategies on pairs with known answers, judged with wide limits.
- :mod:`~zsavs.evaluation.known_pairs`: the pairs that ship with zsavs, as such checks.
- :mod:`~zsavs.evaluation.known_answers_report`: their outcomes as a text to paste.
"""

from zsavs.evaluation.merging import merge
from zsavs.evaluation.plan import Plan
from zsavs.evaluation.runner import evaluate

__all__ = ["Plan", "evaluate", "merge"]

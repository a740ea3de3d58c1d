"""Evaluation: data set times strategies times suite, resumable, with a report.

- :mod:`~zsavs.evaluation.runner`: the run.
- :mod:`~zsavs.evaluation.reading`: batches of items, with the audio that they are judged by.
- :mod:`~zsavs.evaluation.video_context`: the frames around a frame.
- :mod:`~zsavs.evaluation.scoring`: one answer against one target.
- :mod:`~zsavs.evaluation.run_folder`: the folder that a run is appended to, and resumed from.
- :mod:`~zsavs.evaluation.summary`: from the numbers of all batches to a report.
"""

from zsavs.evaluation.runner import Plan, evaluate, merge

__all__ = ["Plan", "evaluate", "merge"]

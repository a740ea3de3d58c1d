"""The suites by name: the numbers of each benchmark under its own rules.

::

    suite = suites.get("avsbench")
    for scores, target in frames:
        suite.update(scores, target)        # (H, W) float in [0, 1], (H, W) bool
    suite.compute()                         # {"J": ..., "F": ..., "F@0.5": ..., ...}

The quirks of published code live in the suites that carry them in their description, and only there:

==================  ==============================================================================================
``avsbench``        J, F and F@0.5 on S4 and MS3; independent of batches and order
``avsbench_compat`` J and F as published: each update is one batch, and the batch size matters
``baav``            the six columns of the BAaV table, four of which know the size of the target
``ssl``             sound source localisation: cIoU, AUC, IIoU, IAUC, plain and adaptive (oracle)
``avss``            AVSBench-semantic over 71 classes, on the frames that exist
``avss_compat``     the same with the published padding frames and "without background"
``cavp``            one confusion matrix over the set: VPO, and the first tables of CAVP
``tavis_semantic``  per-class IoU and best F of TAViS
``open_vocabulary`` base, novel and harmonic mean of AVSBench-OV
``robust``          false positives under silence, noise and off-screen sounds
==================  ==============================================================================================

A suite is merged across processes with ``merge``, stored with ``state()`` and continued with :func:`from_state`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from zsavs.errors import InputError, ResultFileError, UnknownName
from zsavs.metrics.base_suite import Suite
from zsavs.metrics.binary_suites import AVSBench, AVSBenchCompat, Robust
from zsavs.metrics.label_suites import AVSS, CAVP, AVSSCompat, OpenVocabulary, TAViSSemantic
from zsavs.metrics.localisation_suites import BAaV, SoundSourceLocalisation

__all__ = ["Suite", "from_state", "get", "names"]

SUITES: dict[str, type[Suite]] = {
    "avsbench": AVSBench,
    "avsbench_compat": AVSBenchCompat,
    "avss": AVSS,
    "avss_compat": AVSSCompat,
    "baav": BAaV,
    "cavp": CAVP,
    "open_vocabulary": OpenVocabulary,
    "robust": Robust,
    "ssl": SoundSourceLocalisation,
    "tavis_semantic": TAViSSemantic,
}


def names() -> tuple[str, ...]:
    """The names of all suites, sorted."""
    return tuple(sorted(SUITES))


def get(name: str, **options: Any) -> Suite:
    """A new, empty suite.

    Args:
        name: one of :func:`names`.
        options: the arguments of that suite, for example ``num_classes=2`` for "cavp".

    Raises:
        UnknownName: no suite of that name, or it has no such option.
        InputError: an option has a value that it cannot have.

    >>> get("cavp", num_classes=2).options["num_classes"]
    2
    """
    if name not in SUITES:
        raise UnknownName("metric suite", name, SUITES)
    known = inspect.signature(SUITES[name]).parameters
    for option in options:
        if option not in known:
            raise UnknownName(f"option of the suite {name!r}", option, known)
    try:
        return SUITES[name](**options)
    except TypeError as error:
        raise InputError(f"suite {name!r}: {options} cannot be its options ({error}).") from None


def from_state(state: Mapping[str, Any]) -> Suite:
    """A suite restored from what ``Suite.state()`` returned, before or after a round trip through JSON.

    Raises:
        ResultFileError: the state is damaged, or of another version.
        UnknownName: it names a suite that does not exist.
    """
    if not isinstance(state, Mapping) or not isinstance(state.get("suite"), str):
        raise ResultFileError("stored state: it does not name a suite; it is damaged or not the state of a suite.")
    name = state["suite"]
    if name not in SUITES:
        raise UnknownName("metric suite", name, SUITES)
    return SUITES[name].from_state(state)

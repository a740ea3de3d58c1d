"""Labels that a strategy finds in the audio of the orchestra, with and without each decomposition.

    python benchmarks/decomposition.py [--root DIR] [--strategy NAME] [--top-k N]

Prints for each decomposition and group: right labels, labels of the sources, wrong labels.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

import zsavs
from zsavs.datasets.orchestra import Orchestra


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", metavar="DIR", help="a folder of scenes; those of the package if left out")
    parser.add_argument("--preset", default="nano", help="which models (%(default)s)")
    parser.add_argument("--strategy", default="audio_to_text", help="a strategy with top_k (%(default)s)")
    parser.add_argument(
        "--top-k", type=int, default=3, metavar="N", help="the most labels of a component (%(default)s)"
    )
    arguments = parser.parse_args(argv)
    data = Orchestra(arguments.root)
    for name in (None, *zsavs.list_components("decomposition")):
        pipe = zsavs.build_pipeline(
            arguments.strategy, preset=arguments.preset, decomposition=name, top_k=arguments.top_k
        )
        counts: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(3, int))
        for item in data:
            heard, (query,) = set(data.scenes[item].heard), pipe.strategy.query([data.load(item).sample])
            right = len(heard & set(query.phrases))
            counts[data.scenes[item].group] += (right, len(heard), len(query) - right)
        print(name or "none", {group: tuple(map(int, row)) for group, row in counts.items()}, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

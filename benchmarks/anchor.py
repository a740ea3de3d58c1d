"""How fast a machine is: seconds of a fixed piece of arithmetic, to compare numbers of different machines by.

    python benchmarks/anchor.py

One thread multiplies matrices of 1024 x 1024 float32 numbers two hundred times, 0.43 million million operations; the
least of five runs, as whatever else runs only adds to it. A number of these pages divided by the anchor of its machine
is about the same on another machine.
"""

from __future__ import annotations

import time

import torch

SIDE, TIMES, RUNS = 1024, 200, 5


def anchor() -> float:
    """The least seconds of the processor of ``RUNS`` runs."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    left, right = torch.rand(2, SIDE, SIDE)
    taken = []
    for _ in range(RUNS):
        start = time.process_time()
        for _ in range(TIMES):
            left @ right
        taken.append(time.process_time() - start)
    return min(taken)


if __name__ == "__main__":
    print(f"{anchor():.2f} s, torch {torch.__version__}")

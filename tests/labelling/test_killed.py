"""A job that is killed at any moment, again and again, ends as one that nobody disturbed, with nothing done twice."""

from __future__ import annotations

import collections
import shutil
from pathlib import Path

import pytest
from label_inputs import files_of, write_pairs, write_video
from warm_process import run_warm

import zsavs

BATCH = 4

WARM = """
import os, random, signal, sys, tempfile, time
from pathlib import Path
from label_inputs import write_pairs as _write_pairs
import zsavs
from zsavs.testing import toy
with tempfile.TemporaryDirectory() as _root:
    zsavs.label(_write_pairs(Path(_root, "in"), 1), Path(_root, "out"), preset="toy")
"""

#: Runs the job in forks that note each item that they ask about, and kills each after some more of them; or at any
#: moment at the end, while the files are written. Prints how many it killed.
KILLED = """
source, out, noted, seed, kills, count = sys.argv[1:]
rng, killed = random.Random(int(seed)), 0
while killed < int(kills):
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        ground = toy.ToyGrounder.ground
        notes = os.open(noted, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        def slow(self, samples, queries):
            os.write(notes, "".join(sample.name + "\\n" for sample in samples).encode())
            os.write(tell, b"." * len(samples))
            time.sleep(0.01)
            return ground(self, samples, queries)
        toy.ToyGrounder.ground = slow
        zsavs.label(source, out, preset="toy", batch_size=4, shard_size=25, previews=3)
        os._exit(0)
    os.close(tell)
    wanted = rng.randint(1, 2 * int(count) // int(kills))
    while wanted > 0 and (more := os.read(told, wanted)):
        wanted -= len(more)
    time.sleep(rng.uniform(0, 0.05))
    os.kill(child, signal.SIGKILL)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(told)
    if ended == 0:
        break
    assert ended == -signal.SIGKILL, ended
    killed += 1
print(killed)
"""


@pytest.mark.parametrize(
    ("count", "kills", "seed"),
    [(60, 5, 0), pytest.param(300, 10, 1, marks=pytest.mark.full)],
)
def test_killed_at_random_moments_it_ends_with_the_same_bytes(
    tmp_path: Path, count: int, kills: int, seed: int
) -> None:
    source = write_pairs(tmp_path / "in", count - count // 10 - 1)
    video = write_video(source / "clips" / "0.mp4")
    for number in range(1, count // 10):
        shutil.copy(video, video.with_name(f"{number}.mp4"))
    for ending in (".png", ".wav"):
        (source / f"broken{ending}").write_bytes(b"neither an image nor an audio file")

    settings = {"preset": "toy", "batch_size": BATCH, "shard_size": 25, "previews": 3}
    whole = zsavs.label(source, tmp_path / "whole", **settings)
    assert (whole.items, whole.failed, whole.computed_now) == (count, 1, count)

    noted = tmp_path / "noted"
    done = run_warm(KILLED, source, tmp_path / "out", noted, seed, kills, count, imports=WARM, seconds=600)
    assert done.returncode == 0, done.stderr[-2000:]
    killed = int(done.stdout)
    assert killed >= kills // 2, "it was killed too late to say anything"
    last = zsavs.label(source, tmp_path / "out", **settings)

    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")
    # Pairs are asked about once each; twice where they were in flight when the process was killed.
    asked = collections.Counter(name for name in noted.read_text().split() if len(name) == 3)
    assert sum(asked.values()) - len(asked) <= BATCH * killed
    assert len(asked) + last.computed_now >= count - count // 10 - 1

"""One image and its sound in, labelled masks out.

python examples/01_segment_one_frame.py                        # a scene that comes with zsavs, by preset nano
python examples/01_segment_one_frame.py PHOTO RECORDING base   # your files, after: zsavs download base
"""

import sys

import zsavs
from zsavs.datasets.orchestra import Orchestra

if len(sys.argv) > 2:
    sample = zsavs.AVSample.from_files(sys.argv[1], sys.argv[2])
    preset = sys.argv[3] if len(sys.argv) > 3 else "base"
else:
    sample, _ = Orchestra().load("two_000")
    preset = "nano"

pipe = zsavs.build_pipeline("cross_modal", preset=preset)
result = pipe(sample)

print(result)
print("heard:", result.queries)
for name, path in result.save("zsavs-out", "example").items():
    print(f"{name}: {path}")

"""Score strategies on a folder of img/, wav/ and gt_seg/: python eval.py --methods cross_modal --test_data_path DIR.

The same as ``zsavs eval``; every option of that command works here too.
"""

import sys

from zsavs.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main(["eval", *sys.argv[1:]]))

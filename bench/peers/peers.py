"""PyTorch at what `laclip bench gpu` measures, in one process, as JSON lines: python3 bench/peers/peers.py
[--small] [--warm]. What fails becomes a line, too."""

import argparse
import importlib
import sys

from timing import failures, measurement

parser = argparse.ArgumentParser()
parser.add_argument("--small", action="store_true", help="tiny sizes, to see that it runs")
parser.add_argument("--warm", action="store_true", help="only fill the cache of torch.compile")
options = parser.parse_args()
for name in ["clip_step"] if options.warm else ["ops", "clip_step", "llama_generate"]:
    with measurement(name):
        extra = {"warm": True} if options.warm else {}
        importlib.import_module(name).run(options.small, **extra)
if failures:
    sys.exit(f"failed: {', '.join(failures)}")

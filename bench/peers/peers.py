"""PyTorch at what `laclip bench gpu` measures, in one process, as JSON lines: python3 bench/peers/peers.py
[--small] [--warm]. What fails becomes a line, too."""

import argparse
import gc
import importlib
import sys
import traceback

import torch

from timing import line

parser = argparse.ArgumentParser()
parser.add_argument("--small", action="store_true", help="tiny sizes, to see that it runs")
parser.add_argument("--warm", action="store_true", help="only fill the cache of torch.compile")
options = parser.parse_args()
failed = False
for name in ["clip_step"] if options.warm else ["ops", "clip_step", "llama_generate"]:
    try:
        extra = {"warm": True} if options.warm else {}
        importlib.import_module(name).run(options.small, **extra)
    except Exception as error:  # the others are measured all the same
        traceback.print_exc()
        line(bench="peer failure", what=name, error=str(error).split("\n")[0])
        failed = True
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
sys.exit(1 if failed else 0)

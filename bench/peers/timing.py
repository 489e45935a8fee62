"""What the peers share: the device, medians of interleaved runs, JSON lines."""

import contextlib
import gc
import json
import statistics
import sys
import time
import traceback

import torch


DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def wait():
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def seconds(body, repeats=5, least=0.02):
    """The median over repeats of as many calls as take `least` seconds."""

    def timed(calls):
        wait()
        start = time.perf_counter()
        for _ in range(calls):
            body()
        wait()
        return (time.perf_counter() - start) / calls

    timed(2)
    calls = min(200, max(1, int(least / max(timed(1), 1e-7))))
    return statistics.median(timed(calls) for _ in range(repeats))


def interleaved(bodies, repeats=5):
    """The medians of several bodies that take turns: {name: seconds}."""
    times = {name: [] for name in bodies}
    for body in bodies.values():
        seconds(body, 1)
    for _ in range(repeats):
        for name, body in bodies.items():
            times[name].append(seconds(body, 1))
    return {name: statistics.median(values) for name, values in times.items()}


def line(**fields):
    print(json.dumps(fields), flush=True)


failures = []


@contextlib.contextmanager
def measurement(what):
    """What fails in it becomes a line, so that the others are measured."""
    try:
        yield
    except ImportError as error:
        traceback.print_exc()
        line(bench="peer absent", what=what, error=str(error))
    except Exception as error:
        traceback.print_exc()
        line(bench="peer failure", what=what, error=(str(error) or repr(error)).split("\n")[0])
        failures.append(what)
    sys.stderr.flush()
    gc.collect()
    if DEVICE == "cuda":
        with contextlib.suppress(Exception):  # an error of CUDA stays; it has its line already
            torch.cuda.empty_cache()

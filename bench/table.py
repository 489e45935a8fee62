"""Prints JSON lines, the CSV of ncu and the text of nvidia-smi dmon as Markdown tables, one for each kind of bench;
a row of ours has the time of PyTorch beside it, where the same was measured: python3 bench/table.py FILE…"""

import csv
import json
import sys


def text(value):
    if not isinstance(value, float):
        return str(value).replace("|", "/")
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"


def table(rows):
    columns = []
    for row in rows:
        columns += [key for key, value in row.items() if key not in [*columns, "bench", "library"]
                    and not isinstance(value, (dict, list))]
    print("| " + " | ".join(columns) + " |")
    print("|" + "---|" * len(columns))
    for row in rows:
        print("| " + " | ".join(text(row.get(key, "")) for key in columns) + " |")


def json_lines(path):
    rows = []
    for line in open(path):
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue  # cut off when its time was over
    return rows


def beside_peers(rows):
    """seconds of the fastest peer of the same op and shape"""
    peers = {}
    for row in rows:
        if row["bench"] == "peer" and "seconds" in row:
            key = row["op"].split(",")[0].split(" (")[0], row.get("shape")
            peers[key] = min(peers.get(key, row["seconds"]), row["seconds"])
    for row in rows:
        key = row.get("op", "").split(",")[0], row.get("shape")
        if row["bench"] == "op" and key in peers:
            row["pytorch_seconds"] = peers[key]
            row["times_as_fast"] = peers[key] / row["seconds"]


def ncu(path):
    """A row for each kernel with the metrics that say what bounds it."""
    wanted = {"Duration", "SM Frequency", "Compute (SM) Throughput", "DRAM Throughput", "Memory Throughput",
              "L2 Cache Throughput", "Registers Per Thread", "Theoretical Occupancy", "Achieved Occupancy",
              "Executed Ipc Active", "No Eligible", "L2 Hit Rate"}
    kernels = {}
    for row in csv.reader(open(path)):
        if "Metric Name" in row:
            header = row
            continue
        entry = dict(zip(header, row))
        if entry.get("Metric Name") not in wanted:
            continue
        name = entry["Kernel Name"].split("(")[0].split("<")[0]
        metrics = kernels.setdefault(name, {"kernel": name})
        metrics[f'{entry["Metric Name"]} ({entry["Metric Unit"]})'] = entry["Metric Value"]
    return list(kernels.values())


def dmon(path):
    """The range of clocks and power while the GPU worked."""
    columns, seconds = [], []
    for line in open(path):
        words = line.lstrip("# ").split()
        if line.startswith("#"):
            columns = words if "pclk" in words else columns
        elif len(words) == len(columns):
            seconds.append(dict(zip(columns, words)))
    busy = [second for second in seconds if second.get("sm", "-") not in ("0", "-")]
    rows = []
    for name, what in [("pclk", "SM clock (MHz)"), ("mclk", "memory clock (MHz)"), ("pwr", "power (W)")]:
        values = sorted(int(second[name]) for second in busy if second.get(name, "-").isdigit())
        if values:
            rows.append({"while it works": what, "least": values[0], "median": values[len(values) // 2],
                         "most": values[-1]})
    return rows


everything, counted, clocks = [], [], []
for file in sys.argv[1:]:
    if file.endswith(".csv"):
        counted += ncu(file)
    elif file.endswith(".txt"):
        clocks += dmon(file)
    else:
        everything += json_lines(file)
beside_peers(everything)
for kind in dict.fromkeys(row["bench"] for row in everything):
    print(f"\n## {kind}\n")
    table([row for row in everything if row["bench"] == kind])
for title, rows in [("ncu", counted), ("clocks", clocks)]:
    if rows:
        print(f"\n## {title}\n")
        table(rows)

"""Prints a file of JSON lines as a Markdown table: python3 bench/table.py FILE"""

import json
import sys


def text(value):
    if not isinstance(value, float):
        return str(value)
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"


rows = [json.loads(line) for line in open(sys.argv[1]) if line.strip()]
columns = []
for row in rows:
    columns += [key for key in row if key not in columns and key != "bench"]
print("| " + " | ".join(columns) + " |")
print("|" + "---|" * len(columns))
for row in rows:
    print("| " + " | ".join(text(row.get(key, "")) for key in columns) + " |")

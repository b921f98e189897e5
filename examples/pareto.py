"""Draw speed against accuracy of a run: python -m examples.pareto results/rows.jsonl front.png"""

import sys
from pathlib import Path

from reports.dataframe import dataframe
from reports.rows import latest, read

rows, out = sys.argv[1:]
table = dataframe(latest(read(Path(rows))[0]))  # pandas: a line for each configuration
table = table[table["model.fps"].notna() & table["iou"].notna()]
front = table[table["on_front"]].sort_values("model.fps")
axes = table.plot.scatter(x="model.fps", y="iou", color="grey", label="all", xlabel="FPS, network alone", ylabel="IOU")
front.plot(x="model.fps", y="iou", marker="o", label="Pareto front", ax=axes)
axes.figure.savefig(out)
print(front[["variant", "format", "precision", "model.fps", "iou"]].to_string(index=False))

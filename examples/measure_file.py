"""Measure one model file on this machine, one thread: python -m examples.measure_file MODEL"""

import sys

from devices.contract import QUICK
from devices.desktop.model_loop import ModelLoop
from devices.desktop.timing import sample, warm_up
from devices.open_model import open_model
from evaluation.sample import embedded
from evaluation.score import prepare
from reports.statistics import latency

session, resolution = open_model(sys.argv[1])  # .tflite, .onnx, .xml, .safetensors
loop = ModelLoop(session, *prepare(embedded(), resolution))  # real frames, the mask fed back
warm_up(loop, QUICK)
speed = latency(sample(loop, QUICK))
assert speed
print(f"{speed.p50:.2f} ms a frame in the median, {speed.p90:.2f} in 90 %, {speed.fps:.0f} FPS; {session.facts}")

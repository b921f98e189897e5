"""Blur the background of a video, sound kept: python -m examples.blur_video VIDEO OUT.mp4"""

import sys
from contextlib import closing
from pathlib import Path

from devices.open_model import open_model
from models.segmenter import Segmenter
from segment import process
from video.ahead import Stopwatch
from video.apply import Effects, blurring
from video.read import open_source
from video.write import open_sink

video, out = sys.argv[1:]
session, resolution = open_model("live")
segmenter = Segmenter(session, resolution, watch_cuts=True)
with closing(open_source(video)) as source, closing(open_sink(Path(out), source, False)) as sink:
    process(source, segmenter, Effects(blurring()), sink, Stopwatch())

"""Cut the person out of one picture: python -m examples.segment_picture PICTURE MASK.png"""

import sys

import cv2
import numpy as np

from devices.open_model import open_model
from models.segmenter import Segmenter

picture, out = sys.argv[1:]
bgr = np.asarray(cv2.imread(picture), np.uint8)  # (H, W, 3)
session, resolution = open_model("live")  # or the path of a model file
segmenter = Segmenter(session, resolution)
mask = segmenter.segment(np.ascontiguousarray(bgr[:, :, ::-1]))  # (H, W) float32 in [0, 1]; RGB goes in
cv2.imwrite(out, np.rint(255 * mask).astype(np.uint8))

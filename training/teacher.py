"""Soft masks for unlabelled pictures from a stronger network, run once when the store is built.

The teacher used is MediaPipe's selfie segmentation (Apache-2.0, Google), as its npm package
@mediapipe/selfie_segmentation ships it: (1, 256, 256, 3) float RGB in [0, 1] to a sigmoid mask of the same size.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from training.datasets import Pixels


def mediapipe(model: Path, threads: int = 1) -> Callable[[Pixels], Pixels]:
    """picture (H, W, 3) uint8 RGB -> soft mask (H, W) uint8, the mean over the picture and its mirror image."""
    import cv2
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(model), num_threads=threads)
    interpreter.allocate_tensors()
    (entry,), (output,) = interpreter.get_input_details(), interpreter.get_output_details()
    height, width = entry["shape"][1:3]

    def once(tensor: np.ndarray) -> np.ndarray:
        interpreter.set_tensor(entry["index"], tensor[None])
        interpreter.invoke()
        return interpreter.get_tensor(output["index"])[0, :, :, 0]

    def teach(picture: Pixels) -> Pixels:
        small = cv2.resize(picture, (int(width), int(height)), interpolation=cv2.INTER_AREA)
        tensor = small.astype(np.float32) / 255
        mask = (once(tensor) + once(np.ascontiguousarray(tensor[:, ::-1]))[:, ::-1]) / 2
        full = cv2.resize(mask, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        return np.rint(np.clip(full, 0, 1) * 255).astype(np.uint8)

    return teach

from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from converters import reference_int8, tflite
from converters.references import fetch, open_reference
from converters.session import Array
from models import reference
from models.segmenter import no_mask, to_input
from models.variant import Resolution


def frame(resolution: Resolution) -> Array:
    height, width = resolution
    return to_input(np.asarray(cv2.resize(astronaut(), (width, height), interpolation=cv2.INTER_AREA), np.uint8))


def run(path: Path, picture: Array) -> Array:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    runner = interpreter.get_signature_runner(tflite.SIGNATURE)
    return runner(frame=picture)["mask"]


@pytest.mark.parametrize("name", reference_int8.NAMES)
def test_what_is_widened_is_the_same_network(name: str, tmp_path: Path) -> None:
    one = reference.read()[name]
    picture, path = frame(one.resolution), tmp_path / "widened.tflite"
    path.write_bytes(reference_int8.widened(fetch(one).read_bytes()))
    theirs = open_reference(one, fetch(one))(picture, no_mask(one.resolution))
    assert np.ptp(theirs) > 0.9
    np.testing.assert_allclose(run(path, picture), theirs, atol=1e-3)
    kinds = tflite.inspect(path)["ops"]
    assert kinds["TRANSPOSE_CONV"] == 1
    assert not {"DEQUANTIZE", "RELU"} & set(kinds)


def test_the_entry_makes_it_in_int8_and_it_still_finds_the_person() -> None:
    one = reference.read()["mediapipe-selfie-int8"]
    assert one.sha256 == reference_int8.digest()
    path = fetch(one)
    assert path.stat().st_size < 1_000_000
    original = reference.read()["mediapipe-selfie"]
    picture = frame(one.resolution)
    masks = [open_reference(p, fetch(p))(picture, no_mask(p.resolution)) for p in (original, one)]
    assert np.abs(masks[0] - masks[1]).max() > 1e-3, "nothing was quantised"
    assert np.mean((masks[0] > 0.5) == (masks[1] > 0.5)) > 0.95

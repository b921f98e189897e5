import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from skimage.data import astronaut

from converters.references import fetch
from models import checkpoint, reference
from models.arguments import WRONG_USAGE
from models.inverted import InvertedTrunk
from profiling.profile import _kinds, cut
from training import init_from_mediapipe
from training.mediapipe_features import MediaPipeFeatures, original


@pytest.fixture(scope="module")
def theirs() -> bytes:
    return fetch(reference.read()[init_from_mediapipe.REFERENCE]).read_bytes()


def features_of(model: bytes, picture: np.ndarray) -> np.ndarray:
    """(1, 64, 64, 16): what MediaPipe's network enlarges third, by LiteRT's own kernels."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kinds = [kind for kind, _ in _kinds(model)]
    third = [i for i, kind in enumerate(kinds) if kind == "RESIZE_BILINEAR"][2]
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_content=cut(model, third), experimental_op_resolver_type=plain)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture)
    interpreter.invoke()
    outputs = [d["index"] for d in interpreter.get_output_details() if tuple(d["shape"]) == (1, 64, 64, 16)]
    return interpreter.get_tensor(outputs[-1])


def test_every_weight_is_where_it_was(theirs: bytes):
    photo = cv2.resize(astronaut(), (256, 256), interpolation=cv2.INTER_AREA)
    picture = photo[None].astype(np.float32) / 255
    wanted = features_of(theirs, picture)
    with torch.inference_mode():
        frame = torch.from_numpy(picture).permute(0, 3, 1, 2)
        ours = original(init_from_mediapipe.convolutions(theirs))(frame, frame[:, :1])
    assert np.ptp(wanted) > 1
    np.testing.assert_allclose(ours.permute(0, 2, 3, 1), wanted, atol=1e-3)


def test_hints_are_of_every_layer_and_nothing_where_nothing_differs(theirs: bytes):
    kernels, frame = init_from_mediapipe.convolutions(theirs), torch.rand(1, 3, 64, 64)
    same, cut_off = original(kernels), InvertedTrunk(previous_mask=True, published=True)
    init_from_mediapipe.take(cut_off, kernels)
    for trunk, differ in ((same, False), (cut_off, True)):
        distance = MediaPipeFeatures(trunk, original(kernels))
        trunk(frame, torch.zeros(1, 1, 64, 64))
        told = distance(frame, frame[:, :1])
        assert len(distance.ours.seen) == len(distance.theirs.seen) == 10
        # The first three layers come before the kernel that lost its last taps.
        torch.testing.assert_close(distance.ours.seen["stage8.1"], distance.theirs.seen["stage8.1"])
        assert (told > 0) == differ
    told.backward()
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in cut_off.parameters())


def test_the_command_writes_a_checkpoint_that_says_where_it_began(tmp_path, capsys):
    out = tmp_path / "begun.safetensors"
    assert init_from_mediapipe.main(["live", "--out", str(out)]) == 0
    assert "mediapipe-selfie (Apache-2.0" in checkpoint.load(out).card["training"][0]["begun"]
    assert init_from_mediapipe.main(["s16-skip-plain", "--out", str(out)]) == WRONG_USAGE
    assert capsys.readouterr().err == "training.init_from_mediapipe: s16-skip-plain has no inverted trunk\n"


def test_an_even_kernel_is_the_odd_one_that_tflite_pads_on_one_side():
    x, kernel = torch.rand(1, 2, 16, 16), torch.rand(3, 2, 3, 3)
    same = F.conv2d(F.pad(x, (0, 1, 0, 1)), kernel, stride=2)
    torch.testing.assert_close(F.conv2d(x, init_from_mediapipe.even(kernel), stride=2, padding=1), same)


def test_an_even_kernel_of_a_5x5_one_lacks_its_last_row_and_column_alone():
    x, kernel = torch.rand(1, 2, 16, 16), torch.rand(3, 2, 5, 5)
    kernel[:, :, 4], kernel[:, :, :, 4] = 0, 0
    same = F.conv2d(F.pad(x, (1, 2, 1, 2)), kernel, stride=2)
    torch.testing.assert_close(F.conv2d(x, init_from_mediapipe.even(kernel), stride=2, padding=1), same)


def test_a_folded_kernel_sums_each_quarter_and_sees_the_same_of_a_flat_picture():
    kernel = torch.rand(3, 2, 4, 4)
    torch.testing.assert_close(init_from_mediapipe.folded(kernel)[1, 0, 0, 1], kernel[1, 0, :2, 2:].sum())
    flat = torch.rand(1, 2, 1, 1).expand(1, 2, 8, 8)
    seen = F.conv2d(flat, kernel, stride=2, padding=1)[:, :, 1:3, 1:3]
    torch.testing.assert_close(F.conv2d(flat, init_from_mediapipe.folded(kernel), stride=2)[:, :, 1:3, 1:3], seen)


def test_kernels_that_do_not_fit_are_named():
    trunk = InvertedTrunk(previous_mask=False)
    kernel = (np.zeros((16, 3, 5, 5), np.float32), np.zeros(16, np.float32))
    with pytest.raises(ValueError, match="it has 1 convolutions"):
        init_from_mediapipe.take(trunk, [kernel])
    with pytest.raises(ValueError, match=r"stage4.widen is \(16, 16, 1, 1\), and its kernel \(16, 3, 5, 5\)"):
        init_from_mediapipe.take(trunk, [kernel] * 100)

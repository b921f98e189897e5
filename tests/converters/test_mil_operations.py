"""Every operation of the executor, from a saved program, against NumPy written by hand from Apple's reference."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from converters.mil import executor, package
from converters.mil.operations import KNOWN, Operation, Refused
from converters.mil.quiet import coremltools, no_bars
from tests.conftest import need_coreml

Floats = NDArray[np.float32]
Body = Callable[..., Any]
"""Builds a program from its inputs, by coremltools' builder."""


@pytest.fixture(scope="module", autouse=True)
def _frozen() -> Iterator[None]:
    """coremltools collects garbage with each conversion: nine tenths of these tests' time, were all modules in it."""
    need_coreml()
    coremltools()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., executor.Plan]:
    """save(body, inputs' shapes): the program through a package on disk. `half` computes in float16 in between."""
    ct = coremltools()
    from coremltools.converters.mil import Builder as mb
    from coremltools.converters.mil.mil import types

    def save(body: Body, *shapes: tuple[int, ...], half: bool = False, target: str = "iOS16") -> executor.Plan:
        def build(*inputs: Any) -> Any:
            if not half:
                return body(*inputs)
            return mb.cast(x=body(*(mb.cast(x=x, dtype="fp16") for x in inputs)), dtype="fp32")

        # The builder names the inputs after the parameters it finds in the function's code.
        main = [lambda a: build(a), lambda a, b: build(a, b)][len(shapes) - 1]
        specs = [mb.TensorSpec(shape=shape, dtype=types.fp32) for shape in shapes]
        program = mb.program(input_specs=specs, opset_version=getattr(ct.target, target))(main)
        with no_bars():
            model = ct.convert(
                program,
                minimum_deployment_target=getattr(ct.target, target),
                compute_precision=ct.precision.FLOAT32,
                pass_pipeline=ct.PassPipeline.EMPTY,
                skip_model_load=True,
            )
        path = tmp_path / "program.mlpackage"
        model.save(str(path))
        return executor.compile(package.read(path))

    return save


def run(plan: executor.Plan, *inputs: Floats) -> Floats:
    named = {value.name: torch.from_numpy(x) for value, x in zip(plan.inputs, inputs, strict=True)}
    (result,) = executor.run(plan, named).values()
    return result.numpy()


def noise(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def convolved(
    x: Floats, weight: Floats, bias: Floats, strides: Any, pad: Any, dilations: Any, groups: int
) -> NDArray[np.float64]:
    """The sum, one output pixel at a time; `pad` is top, bottom, left, right."""
    x = np.pad(x, ((0, 0), (0, 0), pad[:2], pad[2:]))
    outputs, inputs, kh, kw = weight.shape
    high = (x.shape[2] - (kh - 1) * dilations[0] - 1) // strides[0] + 1
    wide = (x.shape[3] - (kw - 1) * dilations[1] - 1) // strides[1] + 1
    result = np.empty((x.shape[0], outputs, high, wide))
    for o in range(outputs):
        first = o // (outputs // groups) * inputs
        for i in range(high):
            for j in range(wide):
                rows = i * strides[0] + dilations[0] * np.arange(kh)
                columns = j * strides[1] + dilations[1] * np.arange(kw)
                window = x[:, first : first + inputs][:, :, rows][..., columns].astype(np.float64)
                result[:, o, i, j] = (window * weight[o]).sum((1, 2, 3)) + bias[o]
    return result


@pytest.mark.parametrize(
    ("strides", "pad", "dilations", "groups"),
    [
        ((1, 1), (0, 0, 0, 0), (1, 1), 1),
        ((2, 1), (1, 1, 2, 2), (1, 1), 1),
        ((1, 2), (1, 2, 0, 3), (1, 1), 2),
        ((1, 1), (2, 2, 3, 3), (2, 3), 1),
        ((2, 2), (0, 1, 1, 0), (1, 2), 4),
    ],
)
def test_conv(saved: Any, strides: Any, pad: Any, dilations: Any, groups: int) -> None:
    from coremltools.converters.mil import Builder as mb

    x, weight, bias = noise(2, 4, 7, 8), noise(8, 4 // groups, 3, 2, seed=1), noise(8, seed=2)
    plan = saved(
        lambda a: mb.conv(
            x=a,
            weight=weight,
            bias=bias,
            strides=strides,
            pad_type="custom",
            pad=pad,
            dilations=dilations,
            groups=groups,
        ),
        x.shape,
        target="iOS15",
    )
    expected = convolved(x, weight, bias, strides, pad, dilations, groups)
    np.testing.assert_allclose(run(plan, x), expected, atol=1e-5)


def test_conv_without_bias_pad_or_stride(saved: Any) -> None:
    from coremltools.converters.mil import Builder as mb

    x, weight = noise(1, 2, 5, 5), noise(3, 2, 2, 2, seed=1)
    expected = convolved(x, weight, np.zeros(3, np.float32), (1, 1), (0, 0, 0, 0), (1, 1), 1)
    np.testing.assert_allclose(run(saved(lambda a: mb.conv(x=a, weight=weight), x.shape), x), expected, atol=1e-5)


def test_softmax_transpose_and_reshape(saved: Any) -> None:
    from coremltools.converters.mil import Builder as mb

    x = noise(1, 3, 4, 6)
    powers = np.exp(x.astype(np.float64))
    expected = powers / powers.sum(1, keepdims=True)
    np.testing.assert_allclose(run(saved(lambda a: mb.softmax(x=a, axis=1), x.shape), x), expected, atol=1e-6)
    moved = run(saved(lambda a: mb.transpose(x=a, perm=[0, 2, 3, 1]), x.shape), x)
    assert np.array_equal(moved, np.transpose(x, (0, 2, 3, 1)))
    shaped = run(saved(lambda a: mb.reshape(x=a, shape=[1, 12, 6]), x.shape), x)
    assert np.array_equal(shaped, x.reshape(1, 12, 6))


def test_a_half_convolution_sums_in_float32_and_rounds_once(saved: Any) -> None:
    from coremltools.converters.mil import Builder as mb

    # In float16 2048 + 1 is 2048, and adding 1 a second time changes nothing.
    x = np.array([2048, 1, 1], np.float32).reshape(1, 3, 1, 1)
    plan = saved(lambda a: mb.conv(x=a, weight=np.ones((1, 3, 1, 1), np.float16)), x.shape, half=True)
    assert run(plan, x).item() == 2050


@pytest.mark.parametrize("pad", [(0, 0, 0, 0), (1, 1, 1, 1), (0, 1, 2, 0)])
@pytest.mark.parametrize("exclude", [False, True])
def test_avg_pool(saved: Any, pad: Any, exclude: bool) -> None:
    from coremltools.converters.mil import Builder as mb

    x = noise(1, 2, 6, 7)
    plan = saved(
        lambda a: mb.avg_pool(
            x=a,
            kernel_sizes=(2, 3),
            strides=(2, 1),
            pad_type="custom",
            pad=pad,
            exclude_padding_from_average=exclude,
        ),
        x.shape,
    )
    sides = ((0, 0), (0, 0), pad[:2], pad[2:])
    padded, real = np.pad(x, sides), np.pad(np.ones_like(x), sides)
    high, wide = (padded.shape[2] - 2) // 2 + 1, padded.shape[3] - 3 + 1
    expected = np.empty((1, 2, high, wide))
    for i in range(high):
        for j in range(wide):
            window = np.s_[:, :, 2 * i : 2 * i + 2, j : j + 3]
            count = real[window].sum((2, 3)) if exclude else 6
            expected[:, :, i, j] = padded[window].sum((2, 3)) / count
    np.testing.assert_allclose(run(plan, x), expected, atol=1e-6)


def grid(inputs: int, outputs: int, align_corners: bool) -> NDArray[np.float64]:
    """Where the output's samples lie on the input, after the reference of upsample_bilinear."""
    i = np.arange(outputs)
    points = i * (inputs - 1) / (outputs - 1) if align_corners else (i + 0.5) * inputs / outputs - 0.5
    return np.clip(points, 0, inputs - 1)


def sampled(x: NDArray[Any], points: NDArray[np.float64], axis: int) -> NDArray[Any]:
    low = np.floor(points).astype(int)
    high = np.minimum(low + 1, x.shape[axis] - 1)
    share = (points - low).reshape([-1 if a == axis % x.ndim else 1 for a in range(x.ndim)])
    return x.take(low, axis) * (1 - share) + x.take(high, axis) * share


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("factors", [(2.0, 4.0), (3, 1), (1.5, 2.5)])
def test_upsample_bilinear(saved: Any, factors: Any, align_corners: bool) -> None:
    from coremltools.converters.mil import Builder as mb

    x = noise(1, 2, 5, 3)
    plan = saved(
        lambda a: mb.upsample_bilinear(
            x=a, scale_factor_height=factors[0], scale_factor_width=factors[1], align_corners=align_corners
        ),
        x.shape,
    )
    high, wide = int(5 * factors[0]), int(3 * factors[1])
    expected = sampled(sampled(x, grid(5, high, align_corners), -2), grid(3, wide, align_corners), -1)
    np.testing.assert_allclose(run(plan, x), expected, atol=1e-5)


def test_the_grid_is_the_one_of_the_reference() -> None:
    np.testing.assert_allclose(grid(2, 5, False), [0, 0.1, 0.5, 0.9, 1], atol=1e-9)
    np.testing.assert_allclose(grid(2, 6, False), [0, 0, 1 / 3, 2 / 3, 1, 1], atol=1e-9)
    np.testing.assert_allclose(grid(2, 6, True), [0, 0.2, 0.4, 0.6, 0.8, 1], atol=1e-9)


@pytest.mark.parametrize("axis", [1, -1])
def test_concat_keeps_the_order(saved: Any, axis: int) -> None:
    from coremltools.converters.mil import Builder as mb

    a, b = noise(1, 2, 3, 4), noise(1, 2, 3, 4, seed=1)
    plan = saved(lambda a, b: mb.concat(values=[a, b, b], axis=axis), a.shape, b.shape)
    np.testing.assert_array_equal(run(plan, a, b), np.concatenate([a, b, b], axis))


def test_concat_interleaved(saved: Any) -> None:
    from coremltools.converters.mil import Builder as mb

    a, b = noise(1, 2, 3, 4), noise(1, 2, 3, 4, seed=1)
    plan = saved(lambda a, b: mb.concat(values=[a, b], axis=1, interleave=True), a.shape, b.shape)
    expected = np.empty((1, 4, 3, 4), np.float32)
    expected[:, 0::2], expected[:, 1::2] = a, b
    np.testing.assert_array_equal(run(plan, a, b), expected)


def test_add_broadcasts(saved: Any) -> None:
    from coremltools.converters.mil import Builder as mb

    a, b = noise(1, 3, 4, 5), noise(3, 1, 1, seed=1)
    np.testing.assert_array_equal(run(saved(lambda a: mb.add(x=a, y=b), a.shape), a), a + b)


def test_mul_broadcasts(saved: Any) -> None:
    from coremltools.converters.mil import Builder as mb

    a, b = noise(1, 3, 4, 5), noise(1, 3, 1, 1, seed=1)
    np.testing.assert_array_equal(run(saved(lambda a, b: mb.mul(x=a, y=b), a.shape, b.shape), a, b), a * b)


@pytest.mark.parametrize(("axes", "keep"), [((2, 3), True), ((-1,), False)])
def test_reduce_mean(saved: Any, axes: Any, keep: bool) -> None:
    from coremltools.converters.mil import Builder as mb

    x = noise(1, 3, 4, 5)
    mean = run(saved(lambda a: mb.reduce_mean(x=a, axes=axes, keep_dims=keep), x.shape), x)
    np.testing.assert_allclose(mean, x.mean(axes, keepdims=keep), rtol=1e-6)


def test_pixel_shuffle(saved: Any) -> None:
    from coremltools.converters.mil import Builder as mb

    x = noise(1, 8, 3, 2)
    grown = run(saved(lambda a: mb.pixel_shuffle(x=a, upscale_factor=2), x.shape), x)
    assert grown.shape == (1, 2, 6, 4)
    for channel, row, column in np.ndindex(2, 6, 4):
        assert grown[0, channel, row, column] == x[0, 4 * channel + 2 * (row % 2) + column % 2, row // 2, column // 2]


def test_the_two_that_make_a_hard_swish(saved: Any) -> None:
    from coremltools.converters.mil import Builder as mb

    x = np.array([[-9, -3.5, -3, -1, 0, 2, 3, 9]], np.float32)
    cut = run(saved(lambda a: mb.thresholded_relu(x=a, alpha=-3.0), x.shape), x)
    np.testing.assert_array_equal(cut, [[0, 0, -3, -1, 0, 2, 3, 9]])
    hard = run(saved(lambda a: mb.sigmoid_hard(x=a, alpha=0.25, beta=0.5), x.shape), x)
    np.testing.assert_allclose(hard, [[0, 0, 0, 0.25, 0.5, 1, 1, 1]], atol=1e-7)


def test_relu_and_sigmoid(saved: Any) -> None:
    from coremltools.converters.mil import Builder as mb

    x = np.array([[-200, -1, -0.0, 0, 1, 200]], np.float32)
    np.testing.assert_array_equal(run(saved(lambda a: mb.relu(x=a), x.shape), x), [[0, 0, 0, 0, 1, 200]])
    expected = [[0, 0.26894142, 0.5, 0.5, 0.73105858, 1]]
    np.testing.assert_allclose(run(saved(lambda a: mb.sigmoid(x=a), x.shape), x), expected, atol=1e-7)


def test_every_half_result_is_rounded(saved: Any) -> None:
    from coremltools.converters.mil import Builder as mb

    a, b = noise(1, 2, 9, 9) * 100, noise(1, 2, 9, 9, seed=1)
    plan = saved(lambda a, b: mb.sigmoid(x=mb.add(x=a, y=b)), a.shape, b.shape, half=True)
    added = (a.astype(np.float16).astype(np.float32) + b.astype(np.float16).astype(np.float32)).astype(np.float16)
    expected = (1 / (1 + np.exp(-added.astype(np.float64)))).astype(np.float16)
    np.testing.assert_array_equal(run(plan, a, b), expected.astype(np.float32))


def test_half_overflows_as_half_does(saved: Any) -> None:
    from coremltools.converters.mil import Builder as mb

    x = np.array([[65504, 65519, 65520, -70000, 1e-8]], np.float32)
    plan = saved(lambda a: mb.add(x=a, y=np.float16(0)), x.shape, half=True)
    np.testing.assert_array_equal(run(plan, x), [[65504, 65504, np.inf, -np.inf, 0]])


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_affine_dequantised_weights(saved: Any, axis: int, kind: Any) -> None:
    from coremltools.converters.mil import Builder as mb

    integers = np.random.default_rng(0).integers(-128, 128, (2, 3, 1, 1)).astype(np.int8)
    scale = np.linspace(0.011, 0.013, integers.shape[axis]).astype(kind)
    zero_point = np.arange(integers.shape[axis]).astype(np.int8)
    x = np.eye(3, dtype=np.float32).reshape(1, 3, 1, 3)

    def body(a: Any) -> Any:
        weight = mb.constexpr_affine_dequantize(quantized_data=integers, zero_point=zero_point, scale=scale, axis=axis)
        return mb.conv(x=a, weight=weight)

    expected = np.empty((1, 2, 1, 3), kind)
    for o in range(2):
        for i in range(3):
            c = (o, i)[axis]
            expected[0, o, 0, i] = float(scale[c]) * (int(integers[o, i, 0, 0]) - int(zero_point[c]))
    result = run(saved(body, x.shape, half=kind is np.float16), x)
    np.testing.assert_allclose(result, expected.astype(np.float32), rtol=1e-6 if kind is np.float32 else 0)


def test_affine_dequantised_by_one_scale(saved: Any) -> None:
    from coremltools.converters.mil import Builder as mb

    integers = np.array([-128, 0, 127], np.int8).reshape(3, 1, 1, 1)

    def body(a: Any) -> Any:
        weight = mb.constexpr_affine_dequantize(
            quantized_data=integers, zero_point=np.int8(-8), scale=np.float32(0.5), axis=0
        )
        return mb.conv(x=a, weight=weight)

    assert run(saved(body, (1, 1, 1, 1)), np.ones((1, 1, 1, 1), np.float32)).ravel().tolist() == [-60, 4, 67.5]


def refused(saved: Any, body: Body, *shapes: tuple[int, ...], target: str = "iOS16") -> str:
    with pytest.raises(Refused) as error:
        saved(body, *shapes, target=target)
    return str(error.value)


def test_what_is_not_known_is_refused_by_name(saved: Any) -> None:
    from coremltools.converters.mil import Builder as mb

    picture, weight = (1, 2, 8, 8), noise(2, 2, 3, 3)
    said = refused(saved, lambda a: mb.tanh(x=mb.relu(x=a), name="twist"), picture)
    assert "tanh" in said
    assert "not among the operations" in said
    said = refused(saved, lambda a: mb.conv(x=a, weight=weight, pad_type="same"), picture)
    assert "operation conv" in said
    assert "'same'" in said
    said = refused(saved, lambda a: mb.avg_pool(x=a, kernel_sizes=(2, 2), pad_type="valid", ceil_mode=True), picture)
    assert "operation avg_pool" in said
    assert "ceil_mode" in said
    assert "int32" in refused(saved, lambda a: mb.cast(x=mb.cast(x=a, dtype="int32"), dtype="fp32"), picture)
    assert "dimensions" in refused(saved, lambda a: mb.conv(x=a, weight=noise(2, 2, 3)), (1, 2, 8))
    assert "iOS17" in refused(saved, lambda a: mb.relu(x=a), picture, target="iOS17")


def test_weights_compressed_in_an_unknown_way_are_refused(saved: Any) -> None:
    from coremltools.converters.mil import Builder as mb

    def body(a: Any) -> Any:
        weight = mb.constexpr_lut_to_dense(
            indices=np.array([0b10], np.uint8),
            lut=np.array([1, 2], np.float32),
            shape=np.array([2, 1, 1, 1], np.uint32),
        )
        return mb.conv(x=a, weight=weight)

    assert "constexpr_lut_to_dense" in refused(saved, body, (1, 1, 4, 4))


def test_a_parameter_that_the_executor_has_not_heard_of_is_refused(saved: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from coremltools.converters.mil import Builder as mb

    conv = KNOWN["conv"]
    monkeypatch.setitem(KNOWN, "conv", Operation(("x", "weight"), conv.prepare))
    said = refused(saved, lambda a: mb.conv(x=a, weight=noise(1, 1, 1, 1), bias=noise(1)), (1, 1, 4, 4))
    assert "parameter bias" in said


def test_a_wrong_input_is_refused(saved: Any) -> None:
    from coremltools.converters.mil import Builder as mb

    plan = saved(lambda a, b: mb.add(x=a, y=b), (1, 2), (1, 2))
    with pytest.raises(Refused, match="also takes b"):
        executor.run(plan, {"a": torch.zeros(1, 2)})
    with pytest.raises(Refused, match=r"a should be \(1, 2\) and is \(2, 1\)"):
        executor.run(plan, {"a": torch.zeros(2, 1), "b": torch.zeros(1, 2)})


def test_a_result_of_another_shape_than_stated_is_refused(saved: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from coremltools.converters.mil import Builder as mb

    monkeypatch.setitem(KNOWN, "relu", Operation(("x",), lambda: lambda x: x[:, :1]))
    plan = saved(lambda a: mb.relu(x=a), (1, 2))
    with pytest.raises(Refused, match=r"should be \(1, 2\) and is \(1, 1\)"):
        run(plan, noise(1, 2))

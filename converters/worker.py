"""The converting process, `python -m converters.worker`: jobs on stdin, events on stdout, a JSON line each.

In:  {"spec": {...}, "key": key, "calibration_data": path, "folder": path, "found": {...} or null}
Out: {"stage": "converting"}, {"stage": "checking"}, then {"made": {...}} or {"failed": "reason"}.

An artifact that was `found` in the cache is not converted again: its parity is measured on this processor.

One process takes all the jobs of a format, so that its imports, a variant's network and the reference masks are paid
for once.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters import cache, channel_equalization, parity
from converters.artifact import Artifact, Spec
from converters.calibration_data import CalibrationData, calibration
from converters.child import end_with_parent
from converters.registry import converter
from converters.serialization import artifact_of, encode_artifact, spec_of

if TYPE_CHECKING:
    from models.hourglass import Hourglass
    from models.segmenter import Floats


def make(
    spec: Spec, key: str, calibration_data: Path, folder: Path, stage: Callable[[str], None] = lambda _: None
) -> Artifact:
    """Convert `spec` into `folder`, compare the artifact with its checkpoint, and describe it.

    `calibration_data` is a file of `CalibrationData.save`. Any exception means that there is no artifact; an artifact
    that exceeds the tolerance says so in its `parity`.
    """
    module = converter(spec.format)
    stage("converting")
    frames = _calibration_data(calibration_data)
    network, samples = _folded(spec.checkpoint), None
    if spec.precision == "int8":
        samples = list(calibration(parity.eager(_network(spec.checkpoint)), frames.calibration))
        if spec.format in channel_equalization.FORMATS:
            network = channel_equalization.equalized(network, samples)
    # A candidate's name has a slash.
    out = folder / f"{spec.variant.replace('/', '-')}-{spec.precision}{module.SUFFIX}"
    path = module.convert(network, spec, out, samples)
    made = Artifact(spec, key, path, cache.size(path), cache.sha256(path), module.inspect(path), module.versions())
    return check(made, calibration_data, stage)


def check(made: Artifact, calibration_data: Path, stage: Callable[[str], None] = lambda _: None) -> Artifact:
    """`made` with its parity as it is on this processor."""
    stage("checking")
    spec, frames = made.spec, _calibration_data(calibration_data)
    session = converter(spec.format).load(made.path, precision=spec.precision)
    masks = parity.masks(session, frames.clip, bool(session.labels))
    compared = parity.compare(masks, _reference(spec.checkpoint, calibration_data), frames.labels, spec.precision)
    return replace(made, parity=compared)


@lru_cache(maxsize=2)
def _calibration_data(path: Path) -> CalibrationData:
    return CalibrationData.read(path)


@lru_cache(maxsize=1)
def _network(checkpoint: Path) -> Hourglass:
    from models.checkpoint import load

    return load(checkpoint).network()


@lru_cache(maxsize=1)
def _folded(checkpoint: Path) -> Hourglass:
    from converters.network import fold

    return fold(_network(checkpoint))


@lru_cache(maxsize=2)
def _reference(checkpoint: Path, calibration_data: Path) -> Floats:
    network = _network(checkpoint)
    clip = _calibration_data(calibration_data).clip
    return parity.masks(parity.eager(network), clip, network.variant.outputs > 1)


def reason(error: Exception) -> str:
    """An exception in one line."""
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "without a word")
    return f"{type(error).__name__}: {first[:300]}"


def main() -> None:
    end_with_parent()
    # Converters and their native libraries talk on stdout as they please: the protocol keeps the real one to itself.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    os.environ["LITERT_TORCH_SHOW_PROGRESS"] = "n"
    warnings.simplefilter("ignore")
    logging.getLogger().setLevel(logging.ERROR)

    import torch

    # Another format's worker has the other processor.
    torch.set_num_threads(1)

    def say(**event: Any) -> None:
        answers.write(json.dumps(event) + "\n")

    for line in sys.stdin:
        job = json.loads(line)
        spec, calibration_data = spec_of(job["spec"]), Path(job["calibration_data"])

        def stage(name: str) -> None:
            say(stage=name)

        try:
            if job["found"]:
                made = check(artifact_of(job["found"]), calibration_data, stage)
            else:
                made = make(spec, job["key"], calibration_data, Path(job["folder"]), stage)
        except Exception as error:
            say(failed=f"{spec.format} {spec.precision} cannot be made of {spec.variant}: {reason(error)}")
        else:
            say(made=encode_artifact(made))


if __name__ == "__main__":
    main()

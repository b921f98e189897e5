"""One row as the text of a QR code (bench/short.js of the exported page): read back into a file of rows.

The text is `segbench1.`, then base64url of deflated JSON: a list whose places are named in `read`. It holds fewer
samples than the file that the page saves, hashes of sixteen digits, and figures of four decimals.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.pictures import Unusable, read_picture
from models.files import SpecialFile, refuse_special
from reports.contributed import KIND, SCHEMA, Known, NotBelieved, key_of

PREFIX = "segbench1."
CODE = re.compile(re.escape(PREFIX) + r"([A-Za-z0-9_-]+)")
LONGEST = 1 << 16
"""Bytes of the JSON; a page writes some 1500."""
SCALES = (1, 2, 3)
"""OpenCV's readers miss a code whose modules are two or three pixels wide at one scale and find it at another."""
LONGEST_SIDE = 3000
"""Pixels of a picture that a code is looked for in, enlarged or not."""
PICTURES = (".png", ".jpg", ".jpeg", ".webp")
FACTS = (
    "user_agent",
    "model",
    "system",
    "automated",
    "memory_gb",
    "cores",
    "isolated",
    "gpu",
    "software_gpu",
    "timer_resolution_ns",
    "hidden",
    "wake_lock",
    "charging",
    "level",
    "frame_ms",
)


def code_of(source: Path) -> str | None:
    """The code in `source`: its own text, a text file, or a picture of the QR code; None for a file of rows.

    NotBelieved, in one sentence, for a picture in which no code can be read.
    """
    if found := CODE.search(str(source)):
        return found[0]
    try:
        refuse_special(source)
    except SpecialFile as special:
        raise NotBelieved(f"it {special.reason}") from None
    if source.suffix.lower() in PICTURES:
        found = CODE.search(_scanned(source))
        if not found:
            raise NotBelieved("its QR code is not one of a row")
        return found[0]
    with source.open(encoding="utf-8", errors="replace") as file:
        beginning = file.read(LONGEST)
    found = None if beginning.lstrip().startswith("{") else CODE.search(beginning)
    return found[0] if found else None


def _scanned(path: Path) -> str:
    import cv2

    try:
        picture = cv2.cvtColor(read_picture(path), cv2.COLOR_RGB2BGR)
    except Unusable as problem:
        raise NotBelieved(f"it {problem}") from None
    # A photo of a camera is larger than a reader needs, and what is enlarged further takes minutes.
    longest = max(picture.shape[:2])
    if longest > LONGEST_SIDE:
        share = LONGEST_SIDE / longest
        picture, longest = cv2.resize(picture, None, fx=share, fy=share, interpolation=cv2.INTER_AREA), LONGEST_SIDE
    for scale in (s for s in SCALES if s * longest <= LONGEST_SIDE):
        larger = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        for detector in (cv2.QRCodeDetector(), cv2.QRCodeDetectorAruco()):
            text, _, _ = detector.detectAndDecode(larger)
            if text:
                return str(text)
    raise NotBelieved("no QR code can be read in it; take the picture closer and straight, or give the code's text")


def read(code: str) -> dict[str, Any]:
    """The file of rows with one configuration that `code` is short for. NotBelieved when it is none.

    Its hashes are short, and its pictures have no names: `completed` adds what is known.
    """
    try:
        packed = code.removeprefix(PREFIX)
        inflate = zlib.decompressobj()
        content = inflate.decompress(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)), LONGEST)
        if not inflate.eof:
            raise ValueError
        return _expanded(json.loads(content))
    except (ValueError, TypeError, LookupError, RecursionError, zlib.error):  # Python 3.12 looks a slice up in a dict
        raise NotBelieved("its code is damaged, or of another version") from None


def _expanded(values: Sequence[Any]) -> dict[str, Any]:
    (run, began, ended, sample, page, counts, network, hashes, place, facts) = values[:10]
    (warm_up, measured, model, pipeline, beginning, figures, dtssd, compared) = values[10:]
    made, revision = page
    variant, format, precision, height, width = network
    sha256, data_sha256 = hashes
    unit, threads, runtime, actual = place
    least, warm_up_seconds, samples, seconds = counts
    load_ns, first_ns = map(_ns, beginning)
    ious, boundaries = ([value / 1e4 for value in column] for column in figures)
    told = dict(zip(FACTS, facts, strict=True))
    result = {
        "evidence": "measured",
        "model_ns": list(map(_ns, model)),
        "pipeline_ns": list(map(_ns, pipeline)),
        "load_ns": load_ns,
        "first_ns": first_ns,
        "warm_up": dict(zip(("iterations", "seconds", "converged"), warm_up, strict=True)),
        "placement": {"runtime": runtime, "requested": unit, "actual": actual},
        "environment": {"facts": {}},
    }
    configuration = {
        "network": {
            "variant": variant,
            "format": format,
            "precision": precision,
            "resolution": [height, width],
            "sha256": sha256,
            "data_sha256": data_sha256,
        },
        "unit": unit,
        "threads": threads,
        "began": began,
        "ended": ended,
        "status": "ok",
        "result": result,
        "accuracy": {
            "iou": sum(ious) / len(ious) if ious else None,
            "boundary_f": sum(boundaries) / len(boundaries) if boundaries else None,
            "dtssd": dtssd,
            "per_image": [["", *pair] for pair in zip(ious, boundaries, strict=True)],
        },
        "rounds": _compared(*compared) if compared else None,
    }
    return {
        "kind": KIND,
        "schema": SCHEMA,
        "id": run,
        "page": {"made": made, "revision": revision, "short_row": True, "samples_measured": measured},
        "facts": told,
        "sample": sample,
        "counts": {
            "warm_up_least": least,
            "warm_up_seconds": warm_up_seconds,
            "samples": min(samples, len(model)),
            "seconds": seconds,
        },
        "configurations": [configuration],
        "end": "done",
    }


def _ns(microseconds: Any) -> int:
    if type(microseconds) is not int:
        raise ValueError("no whole microseconds")
    return 1000 * microseconds


def _compared(variant: str, sha256: str, rounds: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Rounds as the page saves them, each series being its median alone."""
    told = [
        {"first": "own" if first else "reference", "own": [_ns(a), _ns(b)], "reference": [_ns(c), _ns(d)]}
        for first, a, b, c, d in rounds
    ]
    return {"reference": {"variant": variant, "sha256": sha256}, "rounds": told}


def completed(values: Mapping[str, Any], known: Known) -> dict[str, Any]:
    """`values` of `read` with the hashes that theirs begin, and the pictures' names, where `known` has them."""
    (told,) = values["configurations"]
    about = known.networks.get(key_of(told["network"]))
    if about is None:
        return dict(values)
    network = dict(told["network"])
    for name in ("sha256", "data_sha256"):
        network[name] = _whole(network[name], [about[name]])
    names = [name for name, _, _ in about["expected"]["per_image"]]
    images = told["accuracy"]["per_image"]
    named = [[name, *figures] for name, (_, *figures) in zip(names, images, strict=False)]
    accuracy = {**told["accuracy"], "per_image": named if len(images) == len(names) else images}
    made = {**told, "network": network, "accuracy": accuracy, "rounds": _with_hash(told["rounds"], known)}
    return {**values, "configurations": [made]}


def _with_hash(rounds: Mapping[str, Any] | None, known: Known) -> dict[str, Any] | None:
    if rounds is None:
        return None
    reference = rounds["reference"]
    hashes = [one["sha256"] for one in known.networks.values() if one["reference"]]
    return {**rounds, "reference": {**reference, "sha256": _whole(reference["sha256"], hashes)}}


def _whole(start: Any, hashes: Sequence[str]) -> str:
    """The hash that begins with the sixteen digits `start`; `start` itself where none does."""
    return next((one for one in hashes if len(str(start)) == 16 and one.startswith(str(start))), str(start))

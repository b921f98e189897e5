"""What users and accidents give to the commands: each ends in time, with its exit code, in a sentence.

A row is a command, what the test makes for it, the exit code, and words that stderr must hold; a traceback is never
right. Most run in this process, which has imported everything once; some are processes of their own.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shlex
import signal
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import bench
import segment
import train
from tests.conftest import ROOT
from tests.video.made import song, video

USAGE, NOT_MEASURED = 64, 3

Make = Callable[[Path], object]


@dataclass(frozen=True)
class Row:
    """`{d}` in a command is the row's own folder, `{m}` a model that takes what is red for the person."""

    command: str
    code: int
    words: str
    make: tuple[Make, ...] = ()
    seconds: float = 60.0
    out: str = field(default="", kw_only=True)
    """Words that stdout must hold."""


# What the rows are given.


def pictures(folder: str = "data", count: int = 2, person: int = 255) -> Make:
    """Stills of a red square on blue with their masks."""

    def make(root: Path) -> None:
        for part in ("images", "masks"):
            (root / folder / part).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            picture = np.full((48, 64, 3), (20, 20, 200), np.uint8)
            mask = np.zeros((48, 64), np.uint8)
            picture[20:, 10 + i : 40], mask[20:, 10 + i : 40] = (220, 20, 20), person
            Image.fromarray(picture).save(root / folder / "images" / f"{i}.png")
            Image.fromarray(mask).save(root / folder / "masks" / f"{i}.png")

    return make


def text(name: str, content: str | bytes = "hello") -> Make:
    def make(root: Path) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    return make


def pipe(name: str) -> Make:
    def make(root: Path) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).unlink(missing_ok=True)
        os.mkfifo(root / name)

    return make


def folder(name: str) -> Make:
    return lambda root: (root / name).mkdir(parents=True)


def mask(pixels: np.ndarray, mode: str | None = None, palette: list[int] | None = None) -> Make:
    """In place of the first mask."""

    def make(root: Path) -> None:
        image = Image.fromarray(pixels, mode)
        if palette:
            image.putpalette(palette)
        image.save(root / "data/masks/0.png")

    return make


def cut(name: str, share: float = 0.5) -> Make:
    def make(root: Path) -> None:
        whole = (root / name).read_bytes()
        (root / name).write_bytes(whole[: int(len(whole) * share)])

    return make


def film(name: str = "a.mp4", frames: int = 8, **how: object) -> Make:
    return lambda root: video(root / name, frames, (48, 64), **how)  # type: ignore[arg-type]


def same_rows(name: str = "run") -> Make:
    """A run's folder with no row in it."""
    return text(f"{name}/rows.jsonl", "")


def database(root: Path) -> None:
    with sqlite3.connect(root / "other.sqlite") as other:
        other.execute("create table figures (x)")


def renamed(before: str, after: str) -> Make:
    return lambda root: (root / before).rename(root / after)


def held(name: str) -> Make:
    """Locked by somebody else."""

    def make(root: Path) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        fcntl.flock(os.open(root / name, os.O_RDWR | os.O_CREAT), fcntl.LOCK_EX)

    return make


def link(name: str, to: str) -> Make:
    return lambda root: (root / name).symlink_to(to)


def row(**changes: object) -> str:
    """A line of rows.jsonl."""
    values = {
        "cell": "live/onnx/fp32/32x64/desktop/cpu1",
        "run": "r1",
        "time": "2026-11-01T00:00:00+00:00",
        "status": "ok",
        "variant": "live",
        "format": "onnx",
        "precision": "fp32",
        "resolution": [32, 64],
        "device": "desktop",
        "unit": "cpu",
        "threads": 1,
        "evidence": "measured",
        "timing": {"model_ns": [1_000_000, 1_100_000]},
    }
    return json.dumps(values | changes) + "\n"


def damaged(**changes: object) -> Row:
    """A history of one row that is wrong, which costs itself alone."""
    path, value = next(iter(changes.items()))
    words = f"its {path.replace('__', '.')} is"
    for name in reversed(path.split("__")[1:]):
        value = {name: value}
    line = row(**{path.split("__")[0]: value})
    return Row(HISTORY, 0, words, (text("run/rows.jsonl", line + row(cell="b")),), out="1 figures are new")


def photo(name: str) -> Make:
    def make(root: Path) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 48), "red").save(root / name)

    return make


def store(query: str) -> Make:
    """A Parquet file in the place of the store of figures."""

    def make(root: Path) -> None:
        import duckdb

        duckdb.connect().sql(query).write_parquet(str(root / "s.parquet"))

    return make


def figure(value: str = "1.0::double", time: str = "'2026-01-01T00:00:00'") -> str:
    return f"select 's' series, 'm' metric, 'x' machine, 'r' run, {time} as time, '' revision, {value} as value"


def code(values: object) -> str:
    """The text of a QR code of a row."""
    packed = zlib.compress(json.dumps(values).encode())
    return "segbench1." + base64.urlsafe_b64encode(packed).decode().rstrip("=")


def sides(name: str, height: int, width: int) -> Make:
    """An ONNX model that takes pictures of these sides."""

    def make(root: Path) -> None:
        import onnx
        from onnx import TensorProto, helper

        ends = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, height, width])
            for name in ("picture", "mask")
        ]
        graph = helper.make_graph([helper.make_node("Sigmoid", ["picture"], ["mask"])], "g", ends[:1], ends[1:])
        onnx.save(helper.make_model(graph, ir_version=10), root / name)

    return make


def checkpoint(name: str, variant: str) -> Make:
    """A checkpoint's file whose metadata says that it is of `variant`."""

    def make(root: Path) -> None:
        from safetensors.numpy import save_file

        metadata = {"format": "hourglass-1", "name": "x", "variant": variant, "card": "{}"}
        save_file({"a": np.zeros(2, np.float32)}, root / name, metadata)

    return make


def negative() -> str:
    """A pytest-benchmark JSON of less than no time."""
    return json.dumps(
        {
            "machine_info": {"node": "n"},
            "datetime": "2026-01-01T00:00:00+00:00",
            "benchmarks": [{"name": "a", "stats": {"median": -1}}],
        }
    )


EVALUATE = "bench.py evaluate {m} --data {d}/data"
DATA = (pictures(),)
HAIR = (pictures(person=1), text("data/classes.json", '["not hair", "hair"]'))
SEGMENT = "segment.py {d}/a.mp4 -o {d}/out.mp4 --blur --model {m}"
FILM = (film(),)
UNTRAINED = "bench.py --untrained {d}/x.toml --formats pytorch --dry-run"
HISTORY = "bench.py history {d}/run --store {d}/s.parquet --out {d}/p"
MERGE = "bench.py merge {d}/a {d}/b --out {d}/o"
SHARES = (text("a/rows.jsonl", row()), text("b/rows.jsonl", row(cell="b")))
DECLARED = '[[configuration]]\nvariant = "live"\nformat = "tflite"\n'
TRAIN = "train.py s32-noskip-plain --data {d} --out {d}/out"

SENT = json.dumps(
    {"kind": "segmentation-bench web rows", "schema": 1, "end": "done", "id": "0" * 16, "configurations": [{}]}
)
"""A file of rows with nothing in it."""

ROWS = [
    # bench.py
    Row("bench.py --no-such-option", USAGE, "No such option"),
    Row("bench.py no-such-command", USAGE, "No such command"),
    Row("bench.py --device teapot --dry-run", USAGE, "teapot"),
    Row("bench.py --formats tiff --dry-run", USAGE, "'tiff' is none of"),
    Row("bench.py --precisions fp64 --dry-run", USAGE, "'fp64' is none of"),
    Row("bench.py --variants nobody --dry-run", USAGE, "nobody"),
    Row("bench.py --resolution 33x33 --dry-run", USAGE, "multiples of"),
    Row("bench.py --resolution 0x0 --dry-run", USAGE, "multiples of"),
    Row("bench.py --resolution 100000x100000 --dry-run", USAGE, "at most 2048 pixels"),
    Row(f"bench.py --resolution {'9' * 5000}x32 --dry-run", USAGE, "at most 2048 pixels"),
    Row("bench.py --resolution ²x² --dry-run", USAGE, "is no size"),
    Row("bench.py --threads 0 --dry-run", USAGE, "--threads"),
    Row("bench.py --threads 4096 --dry-run", USAGE, "4096 threads: this machine has"),
    Row("bench.py --frames 1 --dry-run", USAGE, "--frames"),
    Row("bench.py --shard 3/2 --dry-run", USAGE, "is no share"),
    Row("bench.py --quick --full --dry-run", USAGE, "exclude each other"),
    Row("bench.py --checkpoints {d}/nothing --dry-run", USAGE, "does not exist"),
    Row("bench.py --out {d}/file --dry-run", USAGE, "is a file", (text("file"),)),
    Row("bench.py --quick variants", USAGE, "variants takes no --quick"),
    Row("bench.py --data {d}/nothing --quick --variants live --formats pytorch --out {d}/o", USAGE, "no such folder"),
    Row("bench.py variants --variants nobody", USAGE, "nobody"),
    Row(
        "bench.py --data {d}/data --variants live --formats pytorch --quick --out {d}/o",
        NOT_MEASURED,
        "another run writes into",
        (*DATA, held("o/run.lock")),
    ),
    *(
        Row(command, USAGE, "hair from the rest, and not where the person is", HAIR)
        for command in (
            "bench.py --data {d}/data --variants live --formats pytorch --dry-run",
            "bench.py web export {d}/site --data {d}/data --variants live",
        )
    ),
    # evaluate: models
    Row("bench.py evaluate", USAGE, "Missing argument"),
    Row("bench.py evaluate nobody", USAGE, "nobody"),
    Row("bench.py evaluate {d}/absent.onnx", USAGE, "there is no such model"),
    Row("bench.py evaluate {d}/a.onnx --data {d}/data", USAGE, "a.onnx", (text("a.onnx"), *DATA)),
    Row("bench.py evaluate {d}/a.tflite --data {d}/data", USAGE, "a.tflite", (text("a.tflite"), *DATA)),
    Row("bench.py evaluate {d}/a.xml --data {d}/data", USAGE, "a.xml", (text("a.xml"), *DATA)),
    Row("bench.py evaluate {d}/a.safetensors --data {d}/data", USAGE, "safetensors", (text("a.safetensors"), *DATA)),
    Row("bench.py evaluate {d}/a.zip --data {d}/data", USAGE, "a.zip", (text("a.zip"), *DATA)),
    Row("bench.py evaluate {d}/a.onnx --data {d}/data", USAGE, "is a named pipe", (pipe("a.onnx"), *DATA)),
    Row("bench.py evaluate {d}/a.safetensors --data {d}/data", USAGE, "named pipe", (pipe("a.safetensors"), *DATA)),
    Row("bench.py evaluate /dev/zero --data {d}/data", USAGE, "is a device", DATA),
    Row("bench.py evaluate {nan} --data {d}/data", NOT_MEASURED, "outside [0, 1]", DATA),
    Row(f"{EVALUATE} --resolution 64x64", USAGE, "was made for 32x64", DATA),
    Row(f"{EVALUATE} --threads 999", USAGE, "this machine has", DATA),
    # evaluate: pictures and masks
    Row(EVALUATE, 0, "0 is background and 255 person. The person takes", DATA, out="IOU: 100.00 %"),
    Row("bench.py evaluate {m} --data {d}/nothing", USAGE, "there is no such folder"),
    Row("bench.py evaluate {m} --data {d}/file", USAGE, "there is no such folder", (text("file"),)),
    Row("bench.py evaluate {m} --data {d}/data", USAGE, "holds neither images/", (folder("data"),)),
    Row(EVALUATE, USAGE, "are empty", (folder("data/images"), folder("data/masks"))),
    Row(EVALUATE, 0, "images/0.png: cannot be read", (*DATA, cut("data/images/0.png"))),
    Row(EVALUATE, 0, "masks/0.png: is an empty file", (*DATA, text("data/masks/0.png", ""))),
    Row(EVALUATE, 0, "masks/0.png: is a named pipe", (*DATA, pipe("data/masks/0.png"))),
    Row(EVALUATE, 0, "images/x.png: is a device", (*DATA, link("data/images/x.png", "/dev/zero"))),
    Row(
        EVALUATE,
        0,
        "images/x.png: cannot be read",
        (*DATA, link("data/images/x.png", "x.png"), text("data/masks/x.png")),
    ),
    Row(EVALUATE, 0, "is 10x10, its picture 64x48", (*DATA, mask(np.zeros((10, 10), np.uint8)))),
    Row(EVALUATE, 0, "is a colour picture", (*DATA, mask(np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3)))),
    Row(EVALUATE, 0, "Warning: the masks look inverted", (*DATA, lambda root: invert(root))),
    Row(EVALUATE, 0, "no pixel of any mask is person", (pictures(person=0),)),
    Row(EVALUATE, USAGE, "nested too deeply", (*DATA, text("data/classes.json", "[" * 100_000))),
    Row(EVALUATE, USAGE, "is a named pipe", (*DATA, pipe("data/classes.json"))),
    Row(EVALUATE, USAGE, "it names no class", (*DATA, text("data/classes.json", "null"))),
    Row(EVALUATE, USAGE, "classes.json is not", (*DATA, text("data/classes.json", b"\xff\xfe{\x00}\x00"))),
    Row(
        EVALUATE,
        0,
        "0 is background and 255 person",
        (*DATA, renamed("data/images", "data/x"), renamed("data/x", "data/images")),
    ),
    Row(EVALUATE, 0, "caf\\xe9.png: has no mask", (*DATA, link("data/images/caf\udce9.png", "0.png"))),
    Row(EVALUATE, 0, "bell\\x07.png: has no mask", (*DATA, link("data/images/bell\x07.png", "0.png"))),
    Row(EVALUATE, 0, "1²3.png: has no mask", (*DATA, link("data/images/1²3.png", "0.png"))),
    # report and history
    Row("bench.py report {d}/run", USAGE, "no rows there", (folder("run"),)),
    Row("bench.py report {d}/nothing", USAGE, "does not exist"),
    Row("bench.py report {d}/run --out {d}/run/rows.jsonl", USAGE, "is an input", (same_rows(),)),
    Row("bench.py report {d}/run --out {d}/a --csv {d}/a", USAGE, "two results cannot be one file", (same_rows(),)),
    Row("bench.py report {d}/run --out {d}/pipe", USAGE, "is a named pipe", (same_rows(), pipe("pipe"))),
    Row("bench.py report {d}/run --out /dev/null", USAGE, "is a device", (same_rows(),)),
    Row("bench.py report {d}/run --out {d}/run", USAGE, "run", (same_rows(),)),
    Row("bench.py report {d}/run/rows.jsonl --out {d}/p", USAGE, "no rows there", (pipe("run/rows.jsonl"),)),
    Row("bench.py report {d}/run --out {d}/p.html", 0, "set aside", (text("run/rows.jsonl", "[" * 9 + "\n"),)),
    Row("bench.py report {d}/run --out {d}/p.html", 0, "set aside", (text("run/rows.jsonl", "[" * 100_000 + "\n"),)),
    Row(
        "bench.py history {d}/a.json --store {d}/s --out {d}/p", USAGE, "neither the folder of a run", (text("a.json"),)
    ),
    Row("bench.py history {d}/a.json --store {d}/s --out {d}/p", USAGE, "neither", (text("a.json", "[" * 100_000),)),
    Row("bench.py history {d}/a --store {d}/s --out {d}/p", USAGE, "is a named pipe", (pipe("a"),)),
    Row("bench.py history --store {d}/a.txt --out {d}/p", USAGE, "no store of figures", (text("a.txt", "x" * 5000),)),
    Row("bench.py history --store {d}/other.sqlite --out {d}/p", USAGE, "other.sqlite", (database,)),
    Row("bench.py history --store {d}/pipe --out {d}/p", USAGE, "is a named pipe", (pipe("pipe"),)),
    Row("bench.py history --store {d}/s --out {d}/s", USAGE, "two results cannot be one file"),
    Row("bench.py history {d}/run --store {d}/run/rows.jsonl --out {d}/p", USAGE, "is an input", (same_rows(),)),
    Row("bench.py history {d}/a.json --store {d}/s --out {d}/p", USAGE, "neither", (text("a.json", negative()),)),
    Row(HISTORY, USAGE, "has other columns", (same_rows(), store(figure("'x'")))),
    *(
        Row(HISTORY, USAGE, "1 of its figures are damaged", (same_rows(), store(query)))
        for query in (figure("'nan'::double"), figure("-5.0::double"), figure(time="'never'"))
    ),
    Row(f"{HISTORY} --since never", USAGE, "'never' is no time", (same_rows(),)),
    Row(HISTORY, 0, "it holds half a character", (text("run/rows.jsonl", row(cell="\ud800")),)),
    damaged(time="yesterday"),
    damaged(resolution=[-1, 5]),
    damaged(threads=-(10**30)),
    damaged(accuracy__data_sha256=5),
    damaged(network={"peer": True}),
    damaged(network__resize_mode=[1]),
    damaged(timing__counts="x"),
    damaged(timing__sustained=[{"start": 0, "frames": -1, "busy": 1}]),
    damaged(timing__energy__millijoules="x"),
    damaged(timing__paired__times_as_fast="a"),
    damaged(timing__compared__rounds=[{"first": "own", "own": [0, 0], "reference": [1, 1]}]),
    # merge
    Row(MERGE, USAGE, "rows.jsonl: is a named pipe", (*SHARES, pipe("o/rows.jsonl"))),
    Row(MERGE, USAGE, "rows.jsonl: is a folder", (*SHARES, folder("o/rows.jsonl"))),
    Row(MERGE, USAGE, "has other rows", (*SHARES, text("o/rows.jsonl", b"\xff\xfe"))),
    Row(MERGE, USAGE, "no rows there", (SHARES[0], pipe("b/rows.jsonl"))),
    Row(MERGE, USAGE, "in each of", (SHARES[0], text("b/rows.jsonl", row()))),
    # convert
    Row("bench.py convert live --format onnx", USAGE, "Missing option"),
    Row("bench.py convert nobody --format onnx --out {d}/a.onnx", USAGE, "nobody"),
    Row("bench.py convert live --format bmp --out {d}/a.bmp", USAGE, "'bmp' is none of"),
    Row("bench.py convert live --format onnx --out {d}/a.tflite", USAGE, "is called something.onnx"),
    Row("bench.py convert live --format onnx --out {d}/a.onnx", USAGE, "is a named pipe", (pipe("a.onnx"),)),
    Row(
        "bench.py convert live --format onnx --out {d}/a.onnx",
        USAGE,
        "is a folder that holds no model",
        (folder("a.onnx"),),
    ),
    Row("bench.py convert live --format openvino --out {d}/a.xml", USAGE, "is there already", (text("a.bin"),)),
    # lists and descriptions of models
    Row("bench.py --models {d}/pipe --dry-run", USAGE, "is a named pipe", (pipe("pipe"),)),
    Row("bench.py --models {d}/a.toml --dry-run", USAGE, "not TOML", (text("a.toml", "[["),)),
    Row("bench.py --models {d}/a.toml --dry-run", USAGE, "is no text in UTF-8", (text("a.toml", b"\xff\xfe"),)),
    Row("bench.py --models {d}/a.toml --dry-run", USAGE, "a.toml", (text("a.toml", "a = " + "[" * 100_000),)),
    Row("bench.py --untrained {d}/a.toml --dry-run", USAGE, "not TOML", (text("a.toml", "[["),)),
    Row("bench.py --untrained {d}/a.toml --dry-run", USAGE, "a.toml", (text("a.toml", "squeeze = -1"),)),
    Row("bench.py --untrained {d}/p.toml --dry-run", USAGE, "is a named pipe", (pipe("p.toml"),)),
    Row("bench.py --untrained '' --dry-run", USAGE, "no variant matches"),
    Row(UNTRAINED, USAGE, "squeeze is '1.5', not a whole number", (text("x.toml", "squeeze = 1.5"),)),
    Row(UNTRAINED, USAGE, "squeeze is 'True', not a whole number", (text("x.toml", "squeeze = true"),)),
    Row(UNTRAINED, USAGE, "skips is 'yes', not true or false", (text("x.toml", "skips = 'yes'"),)),
    Row(UNTRAINED, USAGE, "decoder is '[4]', not as in", (text("x.toml", "decoder = [4]"),)),
    Row(UNTRAINED, USAGE, "resolution is '[32.0, 32.0]'", (text("x.toml", "resolution = [32.0, 32.0]"),)),
    Row(UNTRAINED, USAGE, "at most 4096 channels", (text("x.toml", "widths = [4000000, 4, 4]"),)),
    Row(UNTRAINED, USAGE, "at most 256 layers", (text("x.toml", "depths = [100000, 1, 1]"),)),
    Row(UNTRAINED, USAGE, "parameters, more than", (text("x.toml", "widths = [4096, 4096, 4096]\nsqueeze = 1"),)),
    Row(UNTRAINED.replace("x.toml", "*.toml"), USAGE, "gives the network its name", (text("*.toml", ""),)),
    Row(UNTRAINED.replace("x.toml", "mediapipe-selfie.toml"), USAGE, "a model already"),
    Row("bench.py describe {d}/a.onnx", USAGE, "1 to 4096 pixels", (sides("a.onnx", 100_000, 100_000),)),
    Row("bench.py evaluate {m} --person-class 3 --data {d}/data", USAGE, "names a class", DATA),
    *(
        Row(
            "bench.py evaluate {d}/a.onnx --data {d}/data",
            USAGE,
            words,
            (*DATA, sides("a.onnx", 32, 64), text("a.onnx.toml", stated)),
        )
        for stated, words in (
            ("mean = [inf, 0, 0]", "mean is [inf, 0, 0]"),
            ("std = [1e-320, 1, 1]", "std is [1e-320, 1, 1]"),
            ("resolution = [320000, 64]", "resolution is [320000, 64]"),
            ("person_classes = [99999999999999999999]", "person_classes is [9999"),
        )
    ),
    Row(
        "bench.py evaluate {d}/a.onnx --data {d}/data",
        USAGE,
        "a.onnx.toml: is a named pipe",
        (*DATA, sides("a.onnx", 32, 64), pipe("a.onnx.toml")),
    ),
    Row(f"{EVALUATE} --mean 1e300", USAGE, "is not one number or three", DATA),
    Row(f"{EVALUATE} --std 1e-40", USAGE, "has a zero, or nearly one", DATA),
    *(
        Row(
            "bench.py evaluate {d}/a.safetensors --data {d}/data",
            USAGE,
            words,
            (*DATA, checkpoint("a.safetensors", variant)),
        )
        for variant, words in (
            ("[1]", "a variant is a table of fields"),
            ('{"depths": [90000000, 1, 1]}', "at most 256 layers"),
            ('{"widths": [4, 4]}', "widths is '[4, 4]'"),
        )
    ),
    Row("bench.py {d}/a.onnx --dry-run", USAGE, "is a named pipe", (pipe("a.onnx"),)),
    Row("bench.py describe {d}/a.onnx", USAGE, "is a named pipe", (pipe("a.onnx"),)),
    Row("bench.py describe {m} --out {m}", USAGE, "is an input"),
    Row("bench.py describe {m} --out {d}/pipe", USAGE, "is a named pipe", (pipe("pipe"),)),
    Row("bench.py evaluate {d}/a.onnx", USAGE, "a.onnx.toml", (text("a.onnx", ""), text("a.onnx.toml", "x = ["))),
    Row(f"{EVALUATE} --mean nan", USAGE, "is not one number or three", DATA),
    Row(f"{EVALUATE} --std inf", USAGE, "is not one number or three", DATA),
    Row(f"{EVALUATE} --person-class 0-999999999999", USAGE, "classes go from 0 to 65,535", DATA),
    Row(f"{EVALUATE} --constant x=nan", USAGE, "ends in no number", DATA),
    Row(f"{EVALUATE} --state a=b", USAGE, "has no input 'a'", DATA),
    Row("bench.py --sustained nan --dry-run", USAGE, "nan is no number"),
    # import
    Row("bench.py import {d}/absent.json --out {d}/o", NOT_MEASURED, "No such file"),
    Row("bench.py import {d}/pipe --out {d}/o", NOT_MEASURED, "it is a named pipe", (pipe("pipe"),)),
    Row("bench.py import {d}/a.json --out {d}/o", NOT_MEASURED, "it is not whole JSON", (text("a.json", "{"),)),
    Row("bench.py import {d}/a.json --out {d}/o", NOT_MEASURED, "not whole JSON", (text("a.json", "[" * 100_000),)),
    Row("bench.py import {d}/a.json --out {d}/o", NOT_MEASURED, "it is not whole JSON", (text("a.json", b"\xff"),)),
    Row("bench.py import {d}/a.json --out {d}/o", NOT_MEASURED, "it is no file of rows", (text("a.json", "[]"),)),
    *(
        Row("bench.py import {d}/a.txt --out {d}/o", NOT_MEASURED, "its code is damaged", (text("a.txt", content),))
        for content in ("segbench1.AAAA", code("[" * 10_000), code([1, 2]), code(" " * 10**6))
    ),
    Row(
        "bench.py import {d}/a.png --out {d}/o",
        NOT_MEASURED,
        "no QR code can be read",
        (lambda root: Image.new("L", (6000, 4000)).save(root / "a.png"),),
    ),
    Row(
        "bench.py import {d}/a.json --export {d}/x --out {d}/o",
        USAGE,
        "manifest.json is damaged",
        (text("a.json", SENT), text("x/manifest.json", '{"kind": "segmentation-bench web page", "schema": 1}')),
    ),
    # web export
    Row("bench.py web export {d}/file", USAGE, "is no folder", (text("file"),)),
    Row("bench.py web export {d}", USAGE, "holds something else", (text("file"),)),
    Row("bench.py web export {d}/o --formats coreml", USAGE, "a browser runs tflite and onnx"),
    # gate: wrong usage is never 2, which says inconclusive
    Row("bench.py gate", USAGE, "--baseline"),
    Row("bench.py gate --max-slowdown x --baseline HEAD", USAGE, "--max-slowdown"),
    Row("bench.py gate --seconds nan --baseline HEAD", USAGE, "nan is no number"),
    Row("bench.py gate --baseline HEAD --configurations {d}/a.toml", USAGE, "a.toml", (text("a.toml", "[["),)),
    Row("bench.py gate --baseline HEAD --configurations {d}/pipe", USAGE, "is a named pipe", (pipe("pipe"),)),
    Row("bench.py gate --baseline HEAD --configurations {d}/a.toml", USAGE, "UTF-8", (text("a.toml", b"\xff"),)),
    Row("bench.py gate --baseline HEAD --configurations {d}/a.toml", USAGE, "declares no", (text("a.toml", ""),)),
    Row(
        "bench.py gate --baseline HEAD --configurations {d}/a.toml --out {d}/o",
        USAGE,
        "9999 threads: this machine has",
        (text("a.toml", '[[configuration]]\nvariant = "live"\nformat = "tflite"\nthreads = 9999\n'),),
    ),
    *(
        Row(
            "bench.py gate --baseline HEAD --configurations {d}/a.toml",
            USAGE,
            words,
            (text("a.toml", DECLARED + stated),),
        )
        for stated, words in (
            ("device = 5", "device is a name, not 5"),
            ("threads = true", "threads is a whole number"),
            ("resolution = [100000000, 100000000]", "at most 2048 pixels"),
            ("tolerance = {iou_points = inf}", "no number of points"),
        )
    ),
    Row(
        "bench.py gate --baseline-artifact {m} --candidate-artifact {d}/a.onnx --runtime onnxruntime --data {d}/data"
        " --out {d}/o",
        USAGE,
        "is a named pipe",
        (*DATA, pipe("a.onnx")),
    ),
    Row(
        "bench.py gate --baseline-artifact {m} --candidate-artifact {m} --runtime onnxruntime --data {d}/data"
        " --out {d}/o --history {d}/h.parquet",
        0,
        "The last runs are not drawn",
        (*DATA, text("h.parquet", "x")),
    ),
    Row(
        "bench.py gate --save {d}/s --configurations {d}/a.toml",
        NOT_MEASURED,
        "a.onnx: is a named pipe",
        (text("a.toml", '[[configuration]]\nmodel = "a.onnx"\n'), pipe("a.onnx")),
    ),
    Row("bench.py gate --save {d}/s --baseline HEAD", USAGE, "--save compares nothing"),
    Row("bench.py gate --seconds 1e300 --baseline HEAD", USAGE, "--seconds"),
    Row("bench.py gate --baseline no-such-ref --out {d}/o", USAGE, "no-such-ref"),
    Row("bench.py gate --baseline {d}/folder --out {d}/o", USAGE, "folder", (folder("folder"),)),
    Row("bench.py gate --baseline HEAD --max-slowdown 300% --out {d}/o", USAGE, "no tolerance"),
    Row("bench.py gate --baseline-artifact {d}/a.onnx --candidate-artifact {m} --runtime onnxruntime", USAGE, "a.onnx"),
    Row("bench.py gate --baseline-artifact {d}/a.onnx", USAGE, "--candidate-artifact"),
    Row(
        "bench.py gate --baseline HEAD --data {d}/data --out {d}/o",
        NOT_MEASURED,
        "gate.lock is held",
        (*DATA, held("o/gate.lock")),
    ),
    # segment.py
    Row("segment.py", USAGE, "say which VIDEO"),
    Row("segment.py {d}/a.mp4 -o {d}/out.mp4 --model {m}", USAGE, "say one of", FILM),
    Row(f"{SEGMENT} --cutout", USAGE, "say one of", FILM),
    Row("segment.py {d}/absent.mp4 -o {d}/out.mp4 --blur --model {m}", USAGE, "there is no such file"),
    Row(SEGMENT, USAGE, "cannot be read as a video", (text("a.mp4"),)),
    Row("segment.py {d}/a.txt -o {d}/out.mp4 --blur --model {m}", USAGE, "is a text", (text("a.txt", "hello\n" * 99),)),
    Row(SEGMENT, USAGE, "has no video stream", (lambda root: song(root / "a.mp4"),)),
    Row(SEGMENT, USAGE, "is a named pipe", (pipe("a.mp4"),)),
    Row("segment.py /dev/zero -o {d}/out.mp4 --blur --model {m}", USAGE, "is a device"),
    Row("segment.py {d}/a.mp4 -o {d}/out.avi --blur --model {m}", USAGE, "not '.avi'", FILM),
    Row("segment.py {d}/a.mp4 -o {d}/a.mp4 --blur --model {m}", USAGE, "is the video itself", FILM),
    Row("segment.py {d}/a.mp4 -o {d}/no/out.mp4 --blur --model {m}", USAGE, "there is no folder", FILM),
    Row(SEGMENT, USAGE, "is a named pipe", (*FILM, pipe("out.mp4"))),
    Row(f"{SEGMENT} --smoothing nan", USAGE, "nan is no number", FILM),
    Row(f"{SEGMENT} --threads 999", USAGE, "this machine has", FILM),
    Row(
        "segment.py {d}/a.mp4 -o {d}/out.mp4 --background nocolour --model {m}",
        USAGE,
        "neither a file nor a colour",
        FILM,
    ),
    Row(
        "segment.py {d}/a.mp4 -o {d}/out.mp4 --background {d}/b.png --model {m}", USAGE, "b.png", (*FILM, text("b.png"))
    ),
    Row(
        "segment.py {d}/a.mp4 -o {d}/out.mp4 --background {d}/b.png --model {m}",
        USAGE,
        "named pipe",
        (*FILM, pipe("b.png")),
    ),
    Row("segment.py {d}/a.mp4 -o {d}/out.mp4 --blur --model {nan}", NOT_MEASURED, "outside [0, 1]", FILM),
    Row(
        "segment.py {d}/a.mkv -o {d}/out.mp4 --blur --model {m}",
        0,
        "damaged or cut short",
        (film("a.mkv", 30), cut("a.mkv", 0.7)),
    ),
    Row(
        "segment.py {d}/1:2.mp4 -o {d}/3:4.mp4 --blur --model {m}", 0, "", (film("a.mp4"), renamed("a.mp4", "1:2.mp4"))
    ),
    Row("segment.py {d}/p -o {d}/o --blur --model {m}", USAGE, "p: holds no photo", (folder("p"),)),
    Row("segment.py {d}/a.heic -o {d}/o.png --blur --model {m}", USAGE, "is no photo", (text("a.heic"),)),
    Row(
        "segment.py {d}/a.jpg -o {d}/o.png --blur --model {m}",
        USAGE,
        "is a named pipe",
        (photo("a.jpg"), pipe("o.png")),
    ),
    Row("segment.py {d}/a.jpg -o {d}/a.jpg --blur --model {m}", USAGE, "is the photo itself", (photo("a.jpg"),)),
    Row("segment.py {d}/a.mp4 -o {d}/o.mp4 --blur --model {m} --runtime nope", USAGE, "'nope' is none of", FILM),
    # train.py
    Row("train.py", USAGE, "required"),
    Row("train.py nobody --data {d} --out {d}/out", USAGE, "nobody"),
    Row(TRAIN, NOT_MEASURED, "another training writes into", (held("out/run.lock"),)),
    Row(f"{TRAIN} --batch 0", USAGE, "--batch goes from 1 to 4,096, and is 0"),
    Row(f"{TRAIN} --batch 1000000000", USAGE, "--batch goes from"),
    Row(f"{TRAIN} --samples {10**30}", USAGE, "--samples goes from"),
    Row(f"{TRAIN} --size 0", USAGE, "--size goes from"),
    Row(f"{TRAIN} --size 4096", USAGE, "--size goes from"),
    Row(f"{TRAIN} --frames 1000000", USAGE, "--frames goes from"),
    Row(f"{TRAIN} --minutes nan", USAGE, "--minutes goes from"),
    Row(f"{TRAIN} --save-every nan", USAGE, "--save-every goes from"),
    Row(f"{TRAIN} --rate inf", USAGE, "not negative"),
    Row(f"{TRAIN} --workers -1", USAGE, "--workers goes from"),
    Row(f"{TRAIN} --threads 1000", USAGE, "this machine has"),
    Row(f"{TRAIN} --seed -1", USAGE, "--seed goes from"),
    Row("train.py s32-noskip-plain --data {d} --out {d}/file", USAGE, "is a file", (text("file"),)),
    Row("train.py s32-noskip-plain --pack {d}/pipe --out {d}/out", USAGE, "there is no such file", (pipe("pipe"),)),
    Row(f"{TRAIN} --init {{d}}/pipe", USAGE, "is a named pipe", (pipe("pipe"),)),
    Row(f"{TRAIN} --teacher none", USAGE, "nothing to train on"),
]

PROCESSES = [
    Row("bench.py --threads 4096 --dry-run", USAGE, "this machine has"),
    Row(EVALUATE, 0, "The person takes", DATA, 120),
    Row("segment.py {d}/pipe -o {d}/out.mp4 --blur --model {m}", USAGE, "is a named pipe", (pipe("pipe"),)),
    Row("train.py s32-noskip-plain --data {d} --out {d}/out --batch 0", USAGE, "--batch goes from"),
]


def invert(root: Path) -> None:
    for path in (root / "data/masks").iterdir():
        Image.fromarray(255 - np.asarray(Image.open(path))).save(path)


# How they are run.


def network(path: Path, last: str) -> Path:
    """An ONNX model whose mask is a function of how red a pixel is."""
    import onnx
    from onnx import TensorProto, helper

    def tensor(name: str, channels: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, 32, 64])

    weights = helper.make_tensor("weights", TensorProto.FLOAT, [1, 4, 1, 1], [20.0, -20.0, -20.0, 0.0])
    nodes = [
        helper.make_node("Concat", ["frame", "prev_mask"], ["both"], axis=1),
        helper.make_node("Conv", ["both", "weights"], ["redness"]),
        helper.make_node(last, ["redness"], ["mask"]),
    ]
    inputs = [tensor("frame", 3), tensor("prev_mask", 1)]
    graph = helper.make_graph(nodes, "red", inputs, [tensor("mask", 1)], [weights])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """`m` works; `nan` gives a number for a blank frame, and none for a picture with something blue in it."""
    import torch  # noqa: F401 - which takes longer than any row on a busy machine

    folder = tmp_path_factory.mktemp("models")
    return {"m": network(folder / "red.onnx", "Sigmoid"), "nan": network(folder / "nan.onnx", "Sqrt")}


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """TimeoutError in this thread when the block takes longer, also where it waits for a file."""

    def late(*_: object) -> None:
        raise TimeoutError(f"took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def words_of(row: Row, root: Path, models: dict[str, Path]) -> list[str]:
    for make in row.make:
        make(root)
    return [word.format(d=root, **models) for word in shlex.split(row.command)]


def check(row: Row, code: object, out: str, err: str) -> None:
    assert "Traceback" not in err, err
    assert (code or 0) == row.code, err
    assert row.words in err
    assert row.out in out


COMMANDS: dict[str, Callable[[], object]] = {"bench.py": bench.main, "segment.py": segment.main, "train.py": train.main}


@pytest.mark.parametrize("row", ROWS, ids=[f"{i}: {row.command[:70]}" for i, row in enumerate(ROWS)])
def test_a_command(row, models, tmp_path, monkeypatch, capsys):
    words = words_of(row, tmp_path, models)
    monkeypatch.setattr(sys, "argv", words)
    monkeypatch.chdir(tmp_path)
    interrupts = signal.getsignal(signal.SIGINT)
    code: object
    try:
        with within(row.seconds):
            code = COMMANDS[words[0]]()
    except SystemExit as ended:
        code = ended.code
    finally:
        signal.signal(signal.SIGINT, interrupts)
    check(row, code, *capsys.readouterr())


@pytest.mark.parametrize("row", PROCESSES, ids=[row.command[:70] for row in PROCESSES])
def test_a_process(row, models, tmp_path):
    script, *rest = words_of(row, tmp_path, models)
    command = [sys.executable, str(ROOT / script), *rest]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=row.seconds, check=False)
    check(row, done.returncode, done.stdout, done.stderr)


def test_the_table_is_long():
    assert len(ROWS) + len(PROCESSES) >= 60

"""The file beside a model that says how it is used, `mine.onnx.toml`, and the TOML of such a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from models.files import read_toml
from models.reference import UNWRITTEN, BadReferenceModel, ReferenceModel, hash_of

LICENCE = "not stated"


def beside(model: Path) -> Path:
    """Where the description of a model file is."""
    return model.with_name(f"{model.name}.toml")


def read_fields(path: Path) -> dict[str, Any]:
    """The fields that a description states; {} where there is no such file. ValueError when it is no TOML."""
    if not path.exists():
        return {}
    return read_toml(path)


def is_whole(stated: Mapping[str, Any]) -> bool:
    """Whether a description leaves nothing to be found out."""
    return {"resolution", "layout", "output", "output_layout"} <= stated.keys()


def of_fields(name: str, model: Path, stated: Mapping[str, Any], origin: str) -> ReferenceModel:
    """The description of the file `model` by its fields; its hash is computed. BadReferenceModel for a wrong field."""
    if model.suffix == ".xml" and not model.with_suffix(".bin").is_file():
        raise BadReferenceModel(name, "file", f"is {model.name}, and there is no {model.stem}.bin beside it", origin)
    values = {"licence": LICENCE, "role": "own", "sha256": hash_of(model), **stated}
    return ReferenceModel.from_dict(values | {"name": name, "file": str(model.absolute()), "origin": origin})


def check(name: str, stated: Mapping[str, Any], origin: str) -> None:
    """BadReferenceModel, one sentence, for a field that no description has, or whose value is not one of its."""
    stands_for_the_rest = {"file": f"{name}.onnx", "sha256": "0" * 64, "licence": LICENCE} | PLACEHOLDERS
    if given := sorted({"file", "sha256", *UNWRITTEN} & stated.keys()):
        raise BadReferenceModel(name, given[0], "is no field of a description", origin)
    ReferenceModel.from_dict(stands_for_the_rest | dict(stated) | {"name": name, "origin": origin})


PLACEHOLDERS = {"resolution": [1, 1], "output": "probabilities"}
"""Stand for what a description does not state, so that its other fields can be checked."""


def text(model: ReferenceModel) -> str:
    """The description as a TOML file: every field that differs from its default. The file's hash is not among them."""
    kept = {
        f.name: getattr(model, f.name)
        for f in fields(model)
        if f.name not in (*UNWRITTEN, "file", "sha256")
        and (f.default is MISSING or getattr(model, f.name) != f.default or f.name in ("role", "layout", "mean", "std"))
    }
    return HEAD.format(model=Path(model.file).name) + "\n" + lines(kept)


def lines(stated: Mapping[str, Any]) -> str:
    """Fields of a description as TOML, a line each."""
    return "".join(f"{name} = {_value(name, value)}\n" for name, value in stated.items())


HEAD = """\
# How {model} is used. Written by `bench.py describe`; mend what is wrong. Fields: docs/your-network.md.
# role: "own" is on the Pareto front and can be recommended, "reference" is shown for comparison."""


def _value(name: str, value: Any) -> str:
    if name in ("states", "constants", "labels"):
        return "{ " + ", ".join(f"{json.dumps(key)} = {json.dumps(one)}" for key, one in dict(value).items()) + " }"
    if name in ("assumed", "unsure"):
        return "[\n" + "".join(f"    {json.dumps(one, ensure_ascii=False)},\n" for one in value) + "]"
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)

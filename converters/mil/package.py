"""What a .mlpackage on disk holds, read back from its files alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from converters.mil.quiet import coremltools

Program = Any
"""coremltools' `mil.Program`."""
Model = Any
"""The `Model` message of the saved specification."""


class NotAPackage(ValueError):
    """A path that holds no ML program; its text is one sentence."""


def specification(path: Path) -> Model:
    """The saved specification, its weights left on disk. NotAPackage when there is no ML program at `path`."""
    if not (path / "Manifest.json").is_file():
        raise NotAPackage(f"{path} is not a Core ML package: it has no Manifest.json")
    try:
        spec = coremltools().utils.load_spec(str(path))
    except Exception as error:  # a C++ reader and protobuf throw each their own
        raise NotAPackage(f"{path} is a damaged Core ML package: {error}") from error
    if spec.WhichOneof("Type") != "mlProgram":
        raise NotAPackage(f"{path} holds a {spec.WhichOneof('Type')}, not an ML program")
    return spec


def specification_file(path: Path) -> Path:
    """The file in the package that `specification` reads, as its manifest names it."""
    coremltools()
    from coremltools.libmodelpackage import ModelPackage

    return Path(ModelPackage(str(path)).getRootModel().path())


def read(path: Path) -> Program:
    """The program with its constants, through coremltools' milproto frontend."""
    spec = specification(path)
    from coremltools.converters.mil.frontend.milproto.load import load

    weights = specification_file(path).parent / "weights"
    try:
        return load(spec, spec.specificationVersion, str(weights))
    except Exception as error:  # the frontend reports an unknown operation or a short file as whatever it meets
        raise NotAPackage(f"{path} holds a program that coremltools cannot read: {error}") from error


def operations(path: Path) -> list[str]:
    """The type of every operation of the saved program in order, without constants."""
    main = specification(path).mlProgram.functions["main"]
    return [op.type for op in main.block_specializations[main.opset].operations if op.type != "const"]

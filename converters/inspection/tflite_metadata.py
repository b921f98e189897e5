"""How a TFLite file's own metadata says that its pictures are scaled.

MediaPipe's and TensorFlow Lite's tools write a table "TFLITE_METADATA" into a model: ModelMetadata of
https://github.com/tensorflow/tflite-support/blob/master/tensorflow_lite_support/metadata/metadata_schema.fbs
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

KEY = b"TFLITE_METADATA"

# Places of the fields in that schema's tables; a union has its type in the place before its value.
SUBGRAPHS = 3  # ModelMetadata.subgraph_metadata
INPUTS = 2  # SubGraphMetadata.input_tensor_metadata
UNITS = 4  # TensorMetadata.process_units
KIND, OPTIONS = 0, 1  # ProcessUnit.options
NORMALIZATION = 1  # ProcessUnitOptions.NormalizationOptions
MEAN, STD = 0, 1  # NormalizationOptions

Scaling = tuple[tuple[float, ...], tuple[float, ...]]


def normalisations(data: bytes) -> list[Scaling | None]:
    """(mean, std) of pixels from 0 to 255 for each input of the first subgraph, in its order; [] without metadata."""
    from flatbuffers import encode
    from flatbuffers.number_types import UOffsetTFlags
    from flatbuffers.table import Table

    root = Table(data, encode.Get(UOffsetTFlags.packer_type, data, 0))
    return [_scaling(tensor) for graph in list(_tables(root, SUBGRAPHS))[:1] for tensor in _tables(graph, INPUTS)]


def _scaling(tensor: Any) -> Scaling | None:
    """What the first normalisation of a TensorMetadata says."""
    from flatbuffers.number_types import Uint8Flags
    from flatbuffers.table import Table

    for unit in _tables(tensor, UNITS):
        kind, at = _place(unit, KIND), _place(unit, OPTIONS)
        if kind and at and unit.Get(Uint8Flags, unit.Pos + kind) == NORMALIZATION:
            options = Table(unit.Bytes, unit.Indirect(unit.Pos + at))
            mean, std = _floats(options, MEAN), _floats(options, STD)
            if mean and std and all(std):
                return mean, std
    return None


def _place(table: Any, field: int) -> int:
    """Where a field is behind the table's own position; 0 where it is missing."""
    return int(table.Offset(4 + 2 * field))


def _tables(table: Any, field: int) -> Iterator[Any]:
    """The tables in a field that is a vector of them."""
    from flatbuffers.table import Table

    if at := _place(table, field):
        start = table.Vector(at)
        yield from (Table(table.Bytes, table.Indirect(start + 4 * i)) for i in range(table.VectorLen(at)))


def _floats(table: Any, field: int) -> tuple[float, ...]:
    from flatbuffers.number_types import Float32Flags

    if not (at := _place(table, field)):
        return ()
    start = table.Vector(at)
    return tuple(float(table.Get(Float32Flags, start + 4 * i)) for i in range(table.VectorLen(at)))

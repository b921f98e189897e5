"""What a TFLite file's own metadata says is obeyed."""

from __future__ import annotations

from pathlib import Path

import flatbuffers
import numpy as np
import pytest

from converters.inspection.describe import describe
from converters.inspection.tflite_metadata import KEY, normalisations
from models.reference import REFERENCES
from tests.converters.inspection.graphs import people


def metadata(*scalings: tuple[list[float], list[float]] | None) -> bytes:
    """A ModelMetadata with one subgraph; an input without a scaling has another process unit."""
    builder = flatbuffers.Builder(0)

    def floats(numbers: list[float]) -> int:
        builder.StartVector(4, len(numbers), 4)
        for number in reversed(numbers):
            builder.PrependFloat32(number)
        return builder.EndVector()

    def table(fields: int, **at: int) -> int:
        builder.StartObject(fields)
        for name, offset in at.items():
            builder.PrependUOffsetTRelativeSlot(int(name[1:]), offset, 0)
        return builder.EndObject()

    def vector(tables: list[int]) -> int:
        builder.StartVector(4, len(tables), 4)
        for one in reversed(tables):
            builder.PrependUOffsetTRelative(one)
        return builder.EndVector()

    def unit(kind: int, options: int) -> int:
        builder.StartObject(2)
        builder.PrependUint8Slot(0, kind, 0)
        builder.PrependUOffsetTRelativeSlot(1, options, 0)
        return builder.EndObject()

    tensors = []
    for scaling in scalings:
        if scaling:
            mean, std = map(floats, scaling)
            units = [unit(1, table(2, _0=mean, _1=std))]
        else:
            units = [unit(3, table(1))]
        tensors.append(table(7, _4=vector(units)))
    graph = table(8, _2=vector(tensors))
    builder.Finish(table(8, _3=vector([graph])))
    return bytes(builder.Output())


def test_the_scalings_of_all_inputs_are_read():
    data = metadata(([127.5], [127.5]), None, ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0]))
    assert normalisations(data) == [((127.5,), (127.5,)), None, ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))]
    assert normalisations(metadata()) == []


@pytest.mark.parametrize(
    ("scaling", "mean", "std", "words"),
    [
        (([127.5], [127.5]), 0.5, 0.5, "colours are -1 to 1: input_1's metadata says so"),
        (([25.5], [51.0]), 0.1, 0.2, "colours are as its metadata says: input_1's metadata says so"),
    ],
)
def test_they_come_before_what_pictures_would_tell(tmp_path: Path, scaling, mean, std, words):
    """MediaPipe's network, which wants 0 to 1 and is made to say something else."""
    from ai_edge_litert import schema_py_generated as schema

    shipped = REFERENCES.parent / "models/references/mediapipe-selfie/selfie_segmentation.tflite"
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(shipped.read_bytes(), 0))
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(metadata(scaling), np.uint8)
    entry.name, entry.buffer = KEY, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [entry]
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")
    path = tmp_path / "mine.tflite"
    path.write_bytes(builder.Output())
    described = describe(path, dataset=people(number=4))
    assert described.mean == pytest.approx((mean,) * 3)
    assert described.std == pytest.approx((std,) * 3)
    assert words in described.assumed

"""Weights that lie behind a TFLite model's flatbuffer, brought inside it.

The quantiser writes models of 256 KB and more that way. LiteRT 1.4.0's C API, which runs on the device, does not find
such weights ("Input tensor lacks data"), as older TensorFlow Lite does not.
"""

from __future__ import annotations

import numpy as np


def inside(model: bytes) -> bytes:
    """The same model with every buffer inside its flatbuffer; the very same bytes where that is so already."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    root = schema.Model.GetRootAs(model, 0)
    if not any(root.Buffers(i).Offset() for i in range(root.BuffersLength())):
        return model
    read = flatbuffer_utils.read_model_from_bytearray(model)
    for buffer in read.buffers:
        if isinstance(buffer.data, bytes | bytearray):  # An array is written at once, bytes one by one.
            buffer.data = np.frombuffer(buffer.data, np.uint8)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(read))

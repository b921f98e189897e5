"""The files beside an ONNX model that hold its large tensors: the model itself names them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.protobuf.message import Message


def locations(path: Path) -> list[str]:
    """Names relative to the model's folder, sorted; none of a file that is no ONNX model.

    ValueError, one sentence, for one outside of the folder.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(path, load_external_data=False)
    except DecodeError:
        return []
    found = sorted(set(_external_data(model)))
    for location in found:
        if Path(location).is_absolute() or ".." in Path(location).parts:
            raise ValueError(f"{path}: its external data {location!r} is outside of its folder")
    return found


def _external_data(message: Message) -> Iterator[str]:
    """The location of each tensor, wherever it is in the model, that has its values in another file."""
    from onnx import TensorProto
    from onnx.external_data_helper import ExternalDataInfo, uses_external_data

    if isinstance(message, TensorProto):
        if uses_external_data(message):
            yield ExternalDataInfo(message).location
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for one in value if field.is_repeated else (value,):
                yield from _external_data(one)

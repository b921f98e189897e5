"""Where a model really ran, as its runtime tells: partial placement is a finding, not a footnote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from converters.session import Session


def placement(session: Session) -> dict[str, Any]:
    """The session's own facts and, as far as its runtime tells, who took the operators.

    LiteRT: `delegated` of `ops` operators run in XNNPACK. ONNX Runtime: the providers in use. OpenVINO: the devices,
    and how many layers compute in which type.
    """
    # The session of a described model keeps its runtime's session in an attribute.
    loaded = getattr(session, "runtime", session)
    told = TOLD.get(type(loaded).__name__)
    return {**session.facts, **(told(loaded) if told else {})}


def delegated(ops: Iterable[Mapping[str, Any]], outputs: Sequence[int]) -> tuple[int, int]:
    """(operators a delegate took, all operators) of a graph after delegation.

    `ops` are {"op_name", "inputs", "outputs"} with tensor numbers. LiteRT keeps the operators a delegate replaced in
    the list, beside its DELEGATE nodes; what `outputs` no longer need once those nodes are there was replaced.
    """
    nodes = list(ops)
    # Delegates are appended to the list, so they win a tensor that an operator they replaced also makes.
    maker = {int(tensor): i for i, node in enumerate(nodes) for tensor in node["outputs"]}
    needed: set[int] = set()
    wanted = [int(tensor) for tensor in outputs]
    while wanted:
        made_by = maker.get(wanted.pop())
        if made_by is not None and made_by not in needed:
            needed.add(made_by)
            wanted += [int(tensor) for tensor in nodes[made_by]["inputs"]]
    total = sum(node["op_name"] != "DELEGATE" for node in nodes)
    kept = sum(nodes[i]["op_name"] != "DELEGATE" for i in needed)
    return total - kept, total


def _litert(session: Any) -> dict[str, Any]:
    interpreter = session.interpreter
    outputs = [details["index"] for details in interpreter.get_output_details()]
    taken, total = delegated(interpreter._get_ops_details(), outputs)
    actual = "XNNPACK" if taken == total else "XNNPACK and LiteRT's own kernels" if taken else "LiteRT's own kernels"
    return {"actual": actual, "delegated": taken, "ops": total}


def _onnx(session: Any) -> dict[str, Any]:
    return {"actual": ", ".join(session.session.get_providers())}


def _openvino(session: Any) -> dict[str, Any]:
    compiled = session.request.get_compiled_model()
    layers = [node.get_rt_info() for node in compiled.get_runtime_model().get_ops()]
    types = Counter(layer["runtimePrecision"].astype(str) for layer in layers if "runtimePrecision" in layer)
    return {
        "actual": ", ".join(compiled.get_property("EXECUTION_DEVICES")),
        "ops": len(layers),
        "layer_types": dict(types.most_common()),
    }


TOLD = {
    "TfliteSession": _litert,
    "LiteRt": _litert,
    "OnnxSession": _onnx,
    "OnnxRuntime": _onnx,
    "OpenVinoSession": _openvino,
    "OpenVino": _openvino,
}

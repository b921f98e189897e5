"""A model that never ends is given up, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.conftest import ROOT

SHORT = "import sys, bench, converters.patience as p; p.SECONDS = 2.0; sys.argv = sys.argv[1:]; bench.main()"


def endless(path: Path) -> Path:
    """A model whose loop has no end: picture (1, 3, 32, 32) -> mask."""
    picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, 32, 32])
    mask = helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1, 1, 32, 32])
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Identity", ["was"], ["is"])],
        "body",
        [
            helper.make_tensor_value_info("count", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("was", TensorProto.FLOAT, [1, 3, 32, 32]),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("is", TensorProto.FLOAT, [1, 3, 32, 32]),
        ],
    )
    constants = [
        numpy_helper.from_array(np.array(True), "always"),
        numpy_helper.from_array(np.array([1], np.int64), "channels"),
    ]
    nodes = [
        helper.make_node("Loop", ["", "always", "picture"], ["at last"], body=body),
        helper.make_node("ReduceMean", ["at last", "channels"], ["mask"], keepdims=1),
    ]
    graph = helper.make_graph(nodes, "endless", [picture], [mask], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


def test_a_model_that_never_answers_ends_the_command_in_a_sentence(tmp_path: Path) -> None:
    model = endless(tmp_path / "endless.onnx")
    command = [sys.executable, "-c", SHORT, "bench.py", "describe", str(model)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1] == f"bench.py: {model}: did not answer within 2 s and is given up."
    assert not (tmp_path / "endless.onnx.toml").exists()

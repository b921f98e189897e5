"""Which files an artifact consists of: hashing, size, copying and the cache take all of them, as the format says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converters import cache
from converters.cache import Cache
from tests.devices.test_paired import network


def external(path: Path, location: str, values: np.ndarray | None = None) -> Path:
    """An ONNX model at `path` whose one weight lies in the file `location` beside it."""
    weight = numpy_helper.from_array(np.ones(256, np.float32) if values is None else values, "weight")
    y, x = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [256]) for name in "yx")
    graph = helper.make_graph([helper.make_node("Mul", ["x", "weight"], ["y"])], "one", [x], [y], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path, save_as_external_data=True, location=location, size_threshold=0)
    return path


def test_external_data_belongs_to_an_onnx_model(tmp_path: Path) -> None:
    path = external(tmp_path / "model.onnx", "model.onnx.data")
    assert cache.files(path) == [path, tmp_path / "model.onnx.data"]
    assert cache.size(path) == path.stat().st_size + 1024
    before = cache.sha256(path)
    (tmp_path / "model.onnx.data").write_bytes(bytes(1024))
    assert cache.sha256(path) != before


def test_external_data_in_a_subgraph_and_in_an_attribute_is_found(tmp_path: Path) -> None:
    constant = numpy_helper.from_array(np.ones(64, np.float32), "inner")
    onnx.external_data_helper.set_external_data(constant, "deep.bin")
    constant.ClearField("raw_data")
    inner = helper.make_graph([helper.make_node("Constant", [], ["z"], value=constant)], "then", [], [])
    node = helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)
    graph = helper.make_graph([node], "one", [], [])
    path = tmp_path / "model.onnx"
    path.write_bytes(helper.make_model(graph).SerializeToString())
    (tmp_path / "deep.bin").write_bytes(bytes(256))
    assert cache.files(path) == [path, tmp_path / "deep.bin"]


@pytest.mark.parametrize("location", ["weights.bin", "model.bin", "model.onnx.data"])
def test_a_copy_under_another_name_still_runs(tmp_path: Path, location: str) -> None:
    import onnxruntime

    path = external(tmp_path / "model.onnx", location, np.full(256, 3, np.float32))
    out = tmp_path / "copy" / "other.onnx"
    cache.copy(path, out)
    assert {file.name for file in out.parent.iterdir()} == {"other.onnx", location}
    (y,) = onnxruntime.InferenceSession(out).run(None, {"x": np.ones(256, np.float32)})
    assert (y == 3).all()


def test_a_copy_of_an_openvino_model_renames_its_weights(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<net/>")
    (tmp_path / "a.bin").write_bytes(b"1")
    cache.copy(tmp_path / "a.xml", tmp_path / "b" / "c.xml")
    assert (tmp_path / "b" / "c.bin").read_bytes() == b"1"


@pytest.mark.parametrize("location", ["../model.onnx.data", "/etc/hostname"])
def test_external_data_outside_of_the_folder_is_refused(tmp_path: Path, location: str) -> None:
    path = external(tmp_path / "model.onnx", "model.onnx.data")
    model = onnx.load(path, load_external_data=False)
    model.graph.initializer[0].external_data[0].value = location
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match="is outside of its folder"):
        cache.files(path)


def test_a_part_that_is_gone_is_said_by_name(tmp_path: Path) -> None:
    path = external(tmp_path / "model.onnx", "model.onnx.data")
    (tmp_path / "model.onnx.data").unlink()
    with pytest.raises(ValueError, match=r"'model\.onnx\.data', which belongs to it, is not there"):
        cache.sha256(path)


def test_a_file_that_is_no_model_is_itself(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"not a network")
    assert cache.files(tmp_path / "model.onnx") == [tmp_path / "model.onnx"]
    assert cache.files(network(tmp_path / "plain.onnx", 0.5)) == [tmp_path / "plain.onnx"]


def test_a_job_gets_the_external_data_too(tmp_path: Path) -> None:
    from devices.job import _copy_model

    path = external(tmp_path / "model.onnx", "model.onnx.data")
    (tmp_path / "job").mkdir()
    copied = _copy_model(path, tmp_path / "job")
    assert cache.sha256(copied) == cache.sha256(path)


def test_a_cached_artifact_whose_external_data_is_zeros_is_absent(tmp_path: Path) -> None:
    from converters.artifact import Artifact, Spec

    store = Cache(tmp_path / "cache")
    spec = Spec("s16-skip-plain", tmp_path / "none", "", "onnx", "fp32", (256, 256))
    with store.workshop() as workshop:
        path = external(workshop / "model.onnx", "model.onnx.data")
        made = store.publish(workshop, Artifact(spec, "key", path, cache.size(path), cache.sha256(path)))
    assert store.find("key", spec) == made
    (made.path.parent / "model.onnx.data").write_bytes(bytes(1024))
    assert store.find("key", spec) is None

"""Core ML packages: what is on disk, what it computes, and what is refused."""

from __future__ import annotations

import gc
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from converters import cache, coreml, network
from converters.artifact import PRECISIONS, Precision, Spec
from converters.coreml import Emulated, Native, NoCoreML
from converters.mil import executor, package
from converters.mil.operations import Refused
from converters.mil.package import NotAPackage
from converters.mil.quiet import coremltools
from evaluation.iou import iou
from models.hourglass import Hourglass
from models.labels import person
from models.variant import VARIANTS, Variant
from tests.conftest import ROOT, need_coreml

Floats = NDArray[np.float32]
SIZE = (64, 96)
SMALL = Variant(squeeze=4, stem=8, widths=(32, 64, 64), depths=(0, 0, 1), decoder=(16, 8, 8))


LAST_LAYERS = {"dense": "final", "subpixel": "logits", "dense-separable": "logits"}


def trained(variant: Variant, seed: int = 0) -> Hourglass:
    """A network in which every part counts: batch normalisation and dense head as if training had moved them."""
    torch.manual_seed(seed)
    net = Hourglass(variant).eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.7, 1.3)
            nn.init.normal_(module.bias, std=0.2)
            nn.init.normal_(module.running_mean, std=0.2)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 1.5)  # type: ignore[arg-type]
    with torch.no_grad():
        if variant.head == "dense":
            nn.init.normal_(net.head.final.weight, std=0.5)  # type: ignore[union-attr, arg-type]
        if variant.head == "dense-separable":
            for layer in net.head.final:  # type: ignore[union-attr]
                nn.init.normal_(layer.weight, std=0.1)  # type: ignore[union-attr, arg-type]
        picture, prev_mask = (torch.from_numpy(x.transpose(0, 3, 1, 2)) for x in (frames(1)[0], start() + 0.5))
        last = getattr(net.head, LAST_LAYERS.get(variant.head, "logit"))
        assert isinstance(last, nn.Conv2d)
        assert last.bias is not None
        # About half the picture is a person, and the mask fed back stays so.
        last.weight /= net.logits(picture, prev_mask).std()
        last.bias -= net.logits(picture, prev_mask).median()
    return net


def frames(count: int) -> list[Floats]:
    """Coarse noise with fine noise on it, so that neighbouring pixels are alike as they are in a picture."""
    rng = np.random.default_rng(0)
    coarse = rng.random((count, 1, 4, 6, 3), np.float32).repeat(16, 2).repeat(16, 3)
    return list((0.8 * coarse + 0.2 * rng.random((count, 1, *SIZE, 3), np.float32)).astype(np.float32))


def start() -> Floats:
    return np.zeros((1, *SIZE, 1), np.float32)


def spec(precision: Precision) -> Spec:
    return Spec("small", Path(), "", "coreml", precision, SIZE)


def save(net: Hourglass, precision: Precision, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return coreml.convert(network.fold(net), spec(precision), folder / "small.mlpackage", None)


def masks(step: Callable[[Floats, Floats], Floats], count: int = 6) -> Floats:
    """(N, H, W), the mask fed back; of a network with labels the person's."""
    made = [start()]
    for frame in frames(count):
        found = step(frame, made[-1])
        made.append(person(found) if found.shape[-1] > 1 else found)
    return np.concatenate(made[1:])[..., 0]


def eager(net: Hourglass) -> Callable[[Floats, Floats], Floats]:
    """The network as it was trained, not folded."""

    def step(frame: Floats, prev_mask: Floats) -> Floats:
        with torch.inference_mode():
            inputs = (torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2))) for x in (frame, prev_mask))
            return net(*inputs).numpy().transpose(0, 2, 3, 1)

    return step


@pytest.fixture(scope="module", autouse=True)
def _frozen() -> Iterator[None]:
    """coremltools collects garbage with each conversion, which all imported modules would make slow."""
    need_coreml()
    coremltools()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def net() -> Hourglass:
    return trained(SMALL)


@pytest.fixture(scope="module")
def packages(net: Hourglass, tmp_path_factory: pytest.TempPathFactory) -> dict[Precision, Path]:
    return {precision: save(net, precision, tmp_path_factory.mktemp(precision)) for precision in PRECISIONS}


@pytest.fixture
def copied(packages: dict[Precision, Path], tmp_path: Path) -> Path:
    """A float32 package to be tampered with."""
    return Path(shutil.copytree(packages["fp32"], tmp_path / "copy.mlpackage"))


def change(path: Path, edit: Callable[[Any], None]) -> None:
    """Apply `edit` to the saved operations, by type, and write the specification back."""
    model = package.specification(path)
    main = model.mlProgram.functions["main"]
    by_type: dict[str, list[Any]] = {}
    for op in main.block_specializations[main.opset].operations:
        by_type.setdefault(op.type, []).append(op)
    edit(by_type)
    package.specification_file(path).write_bytes(model.SerializeToString())


def test_float32_computes_the_checkpoints_masks(net: Hourglass, packages: dict[Precision, Path]) -> None:
    reference = masks(eager(net))
    assert reference.std() > 0.1, "a flat mask would prove nothing"
    np.testing.assert_allclose(masks(coreml.load(packages["fp32"])), reference, atol=1e-5)


def test_float16_is_near_and_is_not_float32(net: Hourglass, packages: dict[Precision, Path]) -> None:
    reference, half = masks(eager(net)), masks(coreml.load(packages["fp16"]))
    np.testing.assert_array_equal(half, half.astype(np.float16))
    assert 1e-5 < np.abs(half - reference).max() < 0.02


def test_int8_weights_keep_the_masks(net: Hourglass, packages: dict[Precision, Path]) -> None:
    reference, ours = masks(eager(net)), masks(coreml.load(packages["int8"]))
    labels = (reference > 0.5).astype(np.uint8)
    assert 0.1 < labels.mean() < 0.9
    assert np.mean([iou(o, label) for o, label in zip(ours, labels, strict=True)]) > 0.97
    assert np.abs(ours - masks(coreml.load(packages["fp16"]))).max() > 1e-4, "nothing was quantised"


def test_half_head_without_skips(tmp_path: Path) -> None:
    net = trained(replace(SMALL, head="half", skips=False))
    np.testing.assert_allclose(masks(coreml.load(save(net, "fp32", tmp_path))), masks(eager(net)), atol=1e-5)


def test_a_network_without_previous_mask_has_one_input(tmp_path: Path) -> None:
    net = trained(replace(SMALL, head="plain", previous_mask=False))
    path = save(net, "fp32", tmp_path)
    assert [i.name for i in package.specification(path).description.input] == ["frame"]
    np.testing.assert_allclose(masks(coreml.load(path)), masks(eager(net)), atol=1e-5)


@pytest.mark.parametrize(("precision", "version"), [("fp32", 6), ("fp16", 6), ("int8", 7)])
def test_the_contract_and_the_oldest_system(
    packages: dict[Precision, Path], precision: Precision, version: int
) -> None:
    """Specification 6 is iOS 15, where an iPhone 7 stops; 7 is iOS 16."""
    model = package.specification(packages[precision])
    assert model.specificationVersion == version
    seen = {
        f.name: (tuple(f.type.multiArrayType.shape), f.type.multiArrayType.dataType)
        for f in (*model.description.input, *model.description.output)
    }
    float32 = model.description.input[0].type.multiArrayType.FLOAT32
    assert seen == {
        "frame": ((1, 3, *SIZE), float32),
        "prev_mask": ((1, 1, *SIZE), float32),
        "mask": ((1, 1, *SIZE), float32),
    }


def test_weights_shrink_with_the_precision(packages: dict[Precision, Path]) -> None:
    weights = [(path / "Data/com.apple.CoreML/weights/weight.bin").stat().st_size for path in packages.values()]
    assert weights[1] < 0.6 * weights[0]
    assert weights[2] < 0.7 * weights[1]


def test_the_graph_holds_nothing_but_the_network(packages: dict[Precision, Path]) -> None:
    graph = coreml.inspect(packages["fp32"])
    assert set(graph["ops"]) == {"add", "avg_pool", "concat", "conv", "relu", "sigmoid", "upsample_bilinear"}
    assert graph["ops"]["avg_pool"] == 3
    assert set(graph["leftovers"].values()) == {0}
    assert coreml.inspect(packages["int8"])["ops"]["constexpr_affine_dequantize"] > 5


def test_equal_networks_give_equal_packages(net: Hourglass, packages: dict[Precision, Path], tmp_path: Path) -> None:
    assert cache.sha256(save(net, "int8", tmp_path)) == cache.sha256(packages["int8"])
    assert len({cache.sha256(path) for path in packages.values()}) == 3


def test_the_files_are_what_runs(packages: dict[Precision, Path], copied: Path) -> None:
    weights = copied / "Data/com.apple.CoreML/weights/weight.bin"
    data = bytearray(weights.read_bytes())
    data[128:4096] = bytes(4096 - 128)  # in the first weights, behind the file's header and their own
    weights.write_bytes(data)
    assert np.abs(masks(coreml.load(copied)) - masks(coreml.load(packages["fp32"]))).max() > 1e-3


def test_swapped_inputs_are_seen(net: Hourglass, copied: Path) -> None:
    def swap(ops: dict[str, list[Any]]) -> None:
        values = ops["concat"][0].inputs["values"].arguments
        assert [value.name for value in values] == ["frame", "prev_mask"]
        values[0].name, values[1].name = "prev_mask", "frame"

    change(copied, swap)
    assert np.abs(masks(coreml.load(copied)) - masks(eager(net))).max() > 0.01


def test_a_converter_that_swaps_channels_is_seen(net: Hourglass, tmp_path: Path) -> None:
    swapped = trained(SMALL)
    with torch.no_grad():
        first = swapped.stem[0].weight  # type: ignore[index, union-attr]
        first.copy_(first[:, [2, 1, 0, 3]])  # type: ignore[operator, index]
    assert np.abs(masks(coreml.load(save(swapped, "fp32", tmp_path))) - masks(eager(net))).max() > 0.01


def test_an_unknown_operation_in_a_package_is_refused_by_name(copied: Path) -> None:
    def edit(ops: dict[str, list[Any]]) -> None:
        ops["relu"][3].type = "tanh"

    change(copied, edit)
    with pytest.raises(Refused, match=r"operation tanh \(.+\): it is not among the operations"):
        coreml.load(copied)


def test_what_is_no_package_is_said_in_a_sentence(copied: Path, tmp_path: Path) -> None:
    with pytest.raises(NotAPackage, match="no Manifest"):
        coreml.load(tmp_path / "absent.mlpackage")
    (copied / "Data/com.apple.CoreML/weights/weight.bin").write_bytes(b"short")
    with pytest.raises(NotAPackage, match="cannot read"):
        coreml.load(copied)
    package.specification_file(copied).write_bytes(b"\xff" * 40)
    with pytest.raises(NotAPackage, match="damaged"):
        coreml.load(copied)


def test_the_session_says_how_it_ran(packages: dict[Precision, Path]) -> None:
    assert coreml.available() is None
    session = coreml.load(packages["fp16"], precision="fp16")
    assert session.resolution == SIZE
    assert session.facts["compute_precision"] == "fp16"
    assert coreml.load(packages["fp32"]).facts["compute_precision"] == "fp32"
    assert set(coreml.versions()) == {"torch", "coremltools"}


@pytest.mark.parametrize(("system", "evidence"), [("linux", "emulated"), ("darwin", "measured")])
def test_only_a_mac_measures(system: str, evidence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", system)
    assert coreml.evidence() == evidence


def test_no_mac_no_comparison(packages: dict[Precision, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coreml, "evidence", lambda: "emulated")
    with pytest.raises(NoCoreML, match="macOS only"):
        coreml.disagreement(packages["fp32"], frames(1))


def test_difference_finds_the_size_of_one(packages: dict[Precision, Path]) -> None:
    same = coreml.difference(Emulated(packages["fp32"]), Emulated(packages["fp32"]), frames(3))
    assert same == {"frames": 3, "max_difference": 0, "mean_difference": 0}
    other = coreml.difference(Emulated(packages["fp16"]), Emulated(packages["fp32"]), frames(3))
    assert 0 < other["mean_difference"] < other["max_difference"] < 0.02


def test_the_native_session_speaks_as_core_ml_is_documented_to(
    packages: dict[Precision, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`MLModel.predict` takes a dict of arrays as the specification describes them, and returns one."""
    from coremltools.models import MLModel

    plan = executor.compile(package.read(packages["fp32"]))

    def predict(model: Any, data: dict[str, Floats]) -> dict[str, Floats]:
        described = {i.name: tuple(i.type.multiArrayType.shape) for i in model.get_spec().description.input}
        assert {name: x.shape for name, x in data.items()} == described
        assert {x.dtype for x in data.values()} == {np.dtype(np.float32)}
        return {"mask": executor.run(plan, {k: torch.from_numpy(x) for k, x in data.items()})["mask"].numpy()}

    monkeypatch.setattr(MLModel, "predict", predict)
    monkeypatch.setattr(coreml, "evidence", lambda: "measured")
    assert isinstance(coreml.load(packages["fp32"]), Native)
    found = coreml.disagreement(packages["fp32"], frames(2))
    assert found["frames"] == 2
    assert found["max_difference"] < 1e-5, "another number of threads, nothing else"


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant(name: str, tmp_path: Path) -> None:
    net = trained(VARIANTS[name])
    np.testing.assert_allclose(masks(coreml.load(save(net, "fp32", tmp_path))), masks(eager(net)), atol=1e-5)


@pytest.mark.slow
def test_another_process_makes_the_same_package_without_a_word(packages: dict[Precision, Path], tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.converters import test_coreml as t;"
        "t.save(t.trained(t.SMALL), 'int8', Path(sys.argv[1]))"
    )
    said = subprocess.run([sys.executable, "-c", code, tmp_path], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout + said.stderr == ""
    assert cache.sha256(tmp_path / "small.mlpackage") == cache.sha256(packages["int8"])

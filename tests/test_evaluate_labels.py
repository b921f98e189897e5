"""`bench.py evaluate` of a network with nine labels.

Its weights are drawn from a seed and never trained: what is tested is what is judged and said, and no figure's size.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench import main
from models.labels import LABELS
from models.variant import VARIANTS

Told = tuple[int, str, str]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    from models.checkpoint import save
    from models.hourglass import Hourglass

    variant = replace(VARIANTS["live-parts"], resolution=(32, 32))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        state = Hourglass(variant).state_dict()
    path = tmp_path_factory.mktemp("labels") / "live-parts.safetensors"
    save(path, "live-parts", variant, state, {"note": "untrained"})
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two noisy pictures with ids of all nine labels, of any skin, and of what is not judged."""
    generator = np.random.default_rng(0)
    for part in ("images", "masks"):
        (tmp_path / "data" / part).mkdir(parents=True)
    for name in "ab":
        Image.fromarray(generator.integers(256, size=(40, 44, 3), dtype=np.uint8)).save(
            tmp_path / f"data/images/{name}.png"
        )
        ids = np.repeat(np.array([*range(10), 255], np.uint8), 4)[None].repeat(40, 0)
        Image.fromarray(ids).save(tmp_path / f"data/masks/{name}.png")
    return tmp_path / "data"


@pytest.fixture
def evaluate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    def run(*arguments: str | Path) -> Told:
        monkeypatch.setattr(sys, "argv", ["bench.py", "evaluate", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return run


def test_each_label_the_mean_and_the_confusion_table_are_told(evaluate, network, data):
    code, out, _ = evaluate(network, "--data", data, "--json")
    assert code == 0
    told = json.loads(out)
    assert 0 <= told["iou"] <= 1
    labels = told["labels"]
    assert set(labels["labels"]) == {*LABELS, "skin"}
    mean = np.mean([labels["labels"][name]["iou"] for name in LABELS[1:]])
    assert labels["mean_iou"] == pytest.approx(mean)
    assert labels["labels"]["hair"]["pictures"] == 2
    assert labels["labels"]["hair"]["pixels"] == 2 * 4 * 40
    assert sum(labels["confusion"]["hair"].values()) == 2 * 4 * 40
    assert "9 is skin, 255 is not judged" in labels["read"]
    code, out, _ = evaluate(network, "--data", data)
    assert code == 0
    assert "mean IOU of 8 labels: " in out
    assert len([line for line in out.splitlines() if line.startswith("  ")]) == 10


def test_masks_of_a_person_judge_the_person_and_no_label(evaluate, network, data):
    for path in (data / "masks").iterdir():
        ids = np.array(Image.open(path))
        Image.fromarray(np.where(ids > 0, 255, 0).astype(np.uint8)).save(path)
    code, out, _ = evaluate(network, "--data", data, "--json")
    assert code == 0
    assert json.loads(out)["iou"] >= 0
    assert "labels" not in json.loads(out)


def test_an_unknown_class_is_refused_in_one_sentence_and_a_map_mends_it(evaluate, network, data, tmp_path):
    names = {str(i): name for i, name in enumerate(LABELS)} | {"9": "moustache"}
    (data / "classes.json").write_text(json.dumps(names))
    code, out, said = evaluate(network, "--data", data)
    assert code == 64
    assert out == ""
    (refused,) = [line for line in said.splitlines() if line.startswith("bench.py:")]
    assert "the masks hold the class 9 (moustache), which is none of our labels" in refused
    code, out, _ = evaluate(network, "--data", data, "--labels", "moustache=face", "--json")
    assert code == 0
    assert json.loads(out)["labels"]["labels"]["face"]["pixels"] == 2 * 8 * 40
    for name, text in (("map.json", '{"moustache": "ignore"}'), ("map.toml", 'moustache = "ignore"')):
        (tmp_path / name).write_text(text)
        code, out, _ = evaluate(network, "--data", data, "--labels", tmp_path / name, "--json")
        assert code == 0
        assert json.loads(out)["labels"]["labels"]["face"]["pixels"] == 2 * 4 * 40
    code, out, _ = evaluate(network, "--data", data, "--labels", "none", "--json")
    assert code == 0
    assert "labels" not in json.loads(out)


@pytest.mark.parametrize(
    ("text", "words"), [("moustache=beard", "there are: background, hair"), ("shirt", "no map of labels")]
)
def test_a_map_that_is_none_is_wrong_usage(evaluate, network, data, text, words):
    code, _, said = evaluate(network, "--data", data, "--labels", text)
    assert code == 64
    assert words in " ".join(said.split())


def test_a_network_of_a_mask_is_not_judged_by_ids_that_nobody_named(evaluate, data):
    code, out, said = evaluate("live", "--data", data)
    assert code == 64
    assert out == ""
    assert "class ids need a classes.json that names them, or --labels" in said


def test_a_network_of_a_mask_is_judged_by_the_person_where_the_ids_are_mapped(evaluate, data):
    code, out, _ = evaluate("live", "--data", data, "--labels", "0=background,*=person", "--json")
    assert code == 0
    assert 0 <= json.loads(out)["iou"] <= 1

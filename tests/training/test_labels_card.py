"""The card's part on labels: what is judged, and what is shown of it."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from models import checkpoint
from models.hourglass import Hourglass
from models.labels import LABELS
from models.variant import get
from training import card, labels_card

CLOTHES = LABELS.index("clothes")


def test_what_changes_is_a_share_of_the_pixels():
    labels = np.zeros((3, 2, 5), np.int64)
    labels[1, 0, 0] = 3
    assert labels_card.changing(labels) == pytest.approx(10)
    assert labels_card.changing(labels[[0, 0]]) == 0
    with pytest.raises(ValueError, match="two frames"):
        labels_card.changing(labels[:1])


@pytest.fixture
def labelled(tmp_path):
    """Folders of a photo with labels and of a clip with a mask."""
    rng = np.random.default_rng(0)
    folders = {"photos": 1, "clips/walk": 3}
    for name, count in folders.items():
        for part in ("images", "masks"):
            (tmp_path / name / part).mkdir(parents=True)
        for i in range(count):
            mask = np.zeros((48, 48), np.uint8)
            mask[10:30, 10 + i : 30 + i] = CLOTHES if name == "photos" else 255
            cv2.imwrite(str(tmp_path / name / "images" / f"{i}.png"), rng.integers(0, 255, (48, 48, 3), np.uint8))
            cv2.imwrite(str(tmp_path / name / "masks" / f"{i}.png"), mask)
    (tmp_path / "photos" / "classes.json").write_text(json.dumps(dict(enumerate(LABELS))))
    return tmp_path


def test_labels_are_judged_into_the_checkpoint_and_shown(labelled, monkeypatch):
    small = {name: replace(get(name), resolution=(32, 32)) for name in ("live", "live-parts")}
    for name, variant in small.items():
        path = labelled / f"{name}.safetensors"
        checkpoint.save(path, name, variant, Hourglass(variant).state_dict(), {"note": "kept"})
    monkeypatch.setattr(checkpoint, "FOLDER", labelled)
    clips = ["--clips", str(labelled / "clips")]
    assert card.main(["labels", str(labelled / "photos"), *clips]) == 0
    found = checkpoint.load(labelled / "live-parts.safetensors")
    assert found.card["note"] == "kept"
    assert set(found.card["labels"]["photos"]["labels"]) == {"background", "clothes"}
    assert found.card["steadiness"]["walk"]["truth"] > 0
    assert card.main(["write"]) == 0
    written = (labelled / "MODEL_CARD.md").read_text()
    assert "## Labels of live-parts" in written
    iou = 100 * found.card["labels"]["photos"]["labels"]["clothes"]["iou"]
    assert f"| clothes | 80 | {iou:.1f} (" in written
    assert "| walk | " in written


def test_the_person_is_shown_beside_that_of_live(labelled):
    def made(name, iou):
        metrics = {"selfies": {"empty": {"iou": iou}}}
        figure = {"iou": 0.5, "iou_ci": [0.4, 0.6]}
        labels = {"photos": {"labels": {"hair": figure}, "mean_iou": 0.5, "mean_iou_ci": [0.4, 0.6], "images": 1}}
        judged = {"labels": labels} if name == "live-parts" else {}
        return checkpoint.Checkpoint(name, get(name), "", {}, {"metrics": metrics, **judged})

    shown = labels_card.section([made("live", 0.95), made("live-parts", 0.94)])
    assert "| selfies | 94.0 | 95.0 | -1.0 |" in shown
    assert "| hair | 85 | 50.0 (40.0–60.0) |" in shown
    assert labels_card.section([made("live", 0.95)]) == []


def test_the_person_of_labels_is_judged_as_a_mask():
    from training.evaluation import person_of

    step = person_of(lambda frame, previous: np.full((1, 2, 2, 9), 1 / 9, np.float32))
    assert step(np.zeros((1, 2, 2, 3), np.float32), np.zeros((1, 2, 2, 1), np.float32)) == pytest.approx(
        np.full((1, 2, 2, 1), 8 / 9)
    )


def test_a_mask_network_has_no_labels_to_judge(labelled, capsys):
    assert card.main(["labels", str(labelled / "photos"), "--variants", "live"]) != 0
    assert capsys.readouterr().err == "training.card: live gives a mask and no labels\n"

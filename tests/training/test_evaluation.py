"""Judging for the model card, on pictures drawn here and on networks whose answers are known."""

import json

import cv2
import numpy as np
import pytest

from evaluation.clip import Clip, Dataset
from models.arguments import WRONG_USAGE
from models.hourglass import Hourglass
from models.variant import Variant
from training import card, datasets, evaluation

SIZE = (32, 32)


def scene(index, shape=(40, 60)):
    """A white disc, the person, that moves over grey."""
    label = np.zeros(shape, np.uint8)
    cv2.circle(label, (20 + 2 * index, 20), 14, 1, -1)
    return np.where(label[..., None] == 1, 255, 90).astype(np.uint8).repeat(3, axis=2), label


@pytest.fixture
def footage():
    clip = Clip("moving", tuple(f"moving/{i}" for i in range(8)), scene)
    return Dataset("mixed", "", [Clip("still", ("still",), lambda _: scene(0)), clip])


def sees(frame, previous):
    """A network that finds white."""
    return (frame[..., :1] > 0.8).astype(np.float32)


def repeats(frame, previous):
    """A network that believes its previous mask, if there is one."""
    return np.where(previous.any(), previous, sees(frame, previous)).astype(np.float32)


def test_stills_and_clips_are_sets_of_their_own(footage):
    assert [(part.name, part.frames) for part in evaluation.sets(footage)] == [("mixed", 1), ("moving", 8)]


@pytest.mark.parametrize("size", [SIZE, (32, 48)])
def test_the_modes_tell_a_network_that_sees_from_one_that_repeats(footage, size):
    (clip,) = evaluation.sets(footage)[1:]
    good = evaluation.judge(sees, size, [clip])["metrics"]["moving"]
    lazy = evaluation.judge(repeats, size, [clip])["metrics"]["moving"]
    assert {mode: round(values["iou"], 1) for mode, values in good.items()} == dict.fromkeys(good, 1.0)
    assert lazy["empty"]["iou"] == good["empty"]["iou"]
    assert lazy["recurrent"]["iou"] < 0.7
    assert lazy["recurrent"]["dtssd"] > good["recurrent"]["dtssd"] + 5
    assert lazy["adversarial"]["iou"] < lazy["perturbed"]["iou"]
    assert lazy["recurrent"]["poor"] > 0


def test_without_a_previous_mask_there_is_one_mode(footage):
    judged = evaluation.judge(sees, SIZE, evaluation.sets(footage), previous_mask=False)
    assert [list(modes) for modes in judged["metrics"].values()] == [["empty"], ["empty"]]


def test_groups_are_told_by_the_picture_and_its_label():
    small, dark, several, others = evaluation.GROUPS
    picture, label = np.full((40, 40, 3), 200, np.uint8), np.zeros((40, 40), np.uint8)
    label[5:35, 5:35] = 1
    assert evaluation.groups(picture, label) == [others]
    assert evaluation.groups(picture // 4, label) == [dark]
    label[:] = 0
    label[:10, :10] = label[20:30, 20:30] = 1
    assert evaluation.groups(picture, label) == [small, several]
    label[20:30, 20:30] = 0
    label[30, 30] = 1
    assert evaluation.groups(picture, label) == [small]


def test_the_held_out_tenth_is_that_of_the_split(data, store):
    from training.split import split

    wanted = {store.entries[i].name for i in split(store).validation if store.entries[i].source == "portraits"}
    portraits, upper = evaluation.held_out(data)
    assert {clip.name for clip in portraits.clips} == wanted
    assert wanted
    assert {clip.name for clip in upper.clips} == {
        photo.name for photo in datasets.development(data, ("ccp-upper",)) if datasets.held_out(photo.group)
    }
    assert set(np.unique(portraits.clips[0].read(0)[1])) == {0, 1}


def figures(iou, **more):
    return {"iou": iou, "low": iou - 0.01, "high": iou + 0.01, **more}


def test_the_card_puts_reference_models_beside_ours_and_has_nothing_typed():
    from models.checkpoint import Checkpoint

    whole = {"boundary_f": 0.8, "boundary_low": 0.7, "boundary_high": 0.9, "images": 20, "poor": 0.05}
    clip = {**whole, "dtssd": 6.2, "dtssd_low": 6.0, "dtssd_high": 6.4}
    ours = {
        "selfies": {"empty": figures(0.951, **whole), "perturbed": figures(0.96), "adversarial": figures(0.9)},
        "office": {"empty": figures(0.97, **clip), "recurrent": figures(0.98, **{**clip, "dtssd": 4.1})},
    }
    group = {evaluation.GROUPS[0]: {**figures(0.7), "images": 9}}
    one = Checkpoint("net", Variant(), "", {}, {"metrics": ours, "groups": group})
    references = {"theirs": {"metrics": {"selfies": {"empty": figures(0.94, **whole)}}, "groups": {}}}
    text = card.render([one], references, "net")
    assert "### selfies, 20 pictures" in text
    assert "| net | 95.1 (94.1–96.1) | 96.0 (95.0–97.0) | 90.0 (89.0–91.0) | 80.0 (70.0–90.0) | 5 % |" in text
    assert "| *theirs* | 94.0 (93.0–95.0) | – | – | 80.0 (70.0–90.0) | 5 % |" in text
    assert "### office, 20 frames" in text
    assert "| 4.1 (6.0–6.4) | 6.2 (6.0–6.4) |" in text
    assert "the person fills under a fifth of the picture (9)" in text
    assert "![The worst frames of net](failures.png)" in text
    assert "failures.png" not in card.render([one], references)


def test_judged_writes_into_the_checkpoint_and_the_card_reads_it(tmp_path, monkeypatch, data):
    from models import checkpoint

    monkeypatch.setattr(checkpoint, "FOLDER", tmp_path)
    small = Variant(resolution=(32, 32))
    network = Hourglass(small)
    name = "s16-skip-dense"
    checkpoint.save(tmp_path / f"{name}.safetensors", name, small, network.state_dict(), {"note": "kept"})
    assert card.main(["judge", str(data / "portraits"), "--data", str(data), "--variants", name]) == 0
    kept = checkpoint.load(tmp_path / f"{name}.safetensors").card
    assert kept["note"] == "kept"
    assert set(kept["metrics"]) == {"portraits", "portraits, a tenth", "ccp-upper, a tenth"} - _empty(data)
    assert json.dumps(kept["groups"])
    assert card.main(["judge", "--embedded", "--variants", name]) == 0
    again = checkpoint.load(tmp_path / f"{name}.safetensors").card
    assert set(again["metrics"]) == {*kept["metrics"], "embedded sample"}
    assert again["groups"] == kept["groups"]
    assert card.main(["write"]) == 0
    assert "### portraits, 30 pictures" in (written := (tmp_path / "MODEL_CARD.md").read_text())
    assert "each idea" not in written
    (tmp_path / "ablation").mkdir()
    (tmp_path / "ablation" / "ablation.md").write_text("| with skip connections | 6 |\n")
    assert card.main(["write"]) == 0
    assert "| with skip connections | 6 |\n\n![" in (written := (tmp_path / "MODEL_CARD.md").read_text())
    assert "Ablation of the previous mask" not in written
    (tmp_path / "ablation" / "previous_mask.md").write_text("| flicker, % | 1.00 |\n")
    assert card.main(["write"]) == 0
    written = (tmp_path / "MODEL_CARD.md").read_text()
    order = ("Ablation of the previous mask", "| flicker, % | 1.00 |\n", "## Known")
    places = [written.index(words) for words in order]
    assert places == sorted(places)


def _empty(data):
    return {footage.name for footage in evaluation.held_out(data) if not footage.clips}


def test_a_mistake_is_a_sentence(capsys):
    assert card.main(["judge", "no/such/folder"]) == WRONG_USAGE
    assert capsys.readouterr().err == "training.card: no/such/folder: there is no such folder\n"
    assert card.main(["judge"]) == WRONG_USAGE
    assert "nothing to judge on" in capsys.readouterr().err

"""Networks beside a reference: times in pairs, IOU by picture."""

from dataclasses import replace

import numpy as np
import pytest

from converters.session import Session
from evaluation import folder
from evaluation.clip import Dataset
from models.arguments import WRONG_USAGE
from training import compare
from training.compare import Runner, Standing, markdown, standings
from training.quantise import Loss
from training.ratio import Ratio


class Left(Session):
    """Says that the left part of every picture is person."""

    layout = "NHWC"
    resolution = (32, 32)

    def __init__(self, columns: int) -> None:
        self.columns = columns

    def native(self, frame, prev_mask):
        mask = np.zeros((1, 32, 32, 1), np.float32)
        mask[:, :, : self.columns] = 1
        return mask


@pytest.fixture
def halves(tmp_path) -> Dataset:
    """Three pictures whose left half is person."""
    import cv2

    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    label = np.zeros((32, 32), np.uint8)
    label[:, :16] = 255
    for i in range(3):
        cv2.imwrite(str(tmp_path / "images" / f"{i}.png"), np.full((32, 32, 3), 50 * i, np.uint8))
        cv2.imwrite(str(tmp_path / "masks" / f"{i}.png"), label)
    return folder.read(tmp_path)


def test_who_is_ahead_and_by_how_much(halves):
    runners = [Runner("same", Left(16)), Runner("short", Left(12))]
    own, found = standings(runners, Runner("reference", Left(16)), [halves], pairs=3)
    assert own == [pytest.approx(100)]
    assert [(one.name, one.time.pairs) for one in found] == [("same", 3), ("short", 3)]
    assert [one.losses[0].points for one in found] == pytest.approx([0, 25])
    assert found[1].losses[0].interval == pytest.approx((25, 25))


def test_the_table_says_plus_for_ahead():
    time = Ratio(0.5, 0.4, 0.6, 10, 3.0)
    ahead = Standing("live", time, (Loss("live", "faces", 3, 90.0, 91.0, (-1.5, -0.5)),), (0.731, 0.549))
    assert markdown("peer", [90.0], [ahead], "Made-up CPU (AVX2)").splitlines() == [
        "| network | time on Made-up CPU (AVX2) | ARM instructions | faces (3) |",
        "|---|---|---|---|",
        "| live | 0.50 (0.40 to 0.60) | 0.73, 0.55 | +1.0 (+0.5 to +1.5) |",
        "| peer | 1 | 1 | 90.0 % |",
    ]
    assert "| not counted |" in markdown("peer", [90.0], [replace(ahead, instructions=())], "Made-up CPU")


def test_what_is_kept_has_the_keys_of_both_networks():
    time = Ratio(0.5, 0.4, 0.6, 10, 3.0)
    ahead = Standing("live", time, (Loss("live", "faces", 3, 90.0, 91.0, (-1.5, -0.5)),))
    runners = [Runner("live", Left(16), key="of live"), Runner("x.tflite", Left(16))]
    reference = Runner("mediapipe-selfie", Left(16), key="of its file")
    kept = compare.records(
        runners, reference, [ahead, replace(ahead, name="x.tflite")], "fp32", "Made-up CPU", "2026-01-02"
    )
    assert kept == [
        {
            "network": "live",
            "key": "of live",
            "reference": "mediapipe-selfie",
            "reference_key": "of its file",
            "precision": "fp32",
            "processor": "Made-up CPU",
            "date": "2026-01-02",
            "median": 0.5,
            "low": 0.4,
            "high": 0.6,
            "pairs": 10,
            "reference_ms": 3.0,
            "points": [{"data": "faces", "images": 3, "points": 1.0, "low": 0.5, "high": 1.5}],
        }
    ]
    assert compare.records(runners, replace(reference, key=""), [ahead, ahead], "fp32", "Made-up CPU", "") == []


def test_instructions_are_a_share_of_the_references(qemu: str, tmp_path):
    from devices.estimate.graph import Graph

    paths = []
    for width in (8, 16):
        graph = Graph(32, 32)
        paths.append(tmp_path / f"{width}.tflite")
        paths[-1].write_bytes(graph.tflite([graph.conv(graph.input, width, kernel=3)]))
    assert compare.shares(paths[0], paths[0]) == (1, 1)
    assert all(0.3 < share < 1 for share in compare.shares(*paths))
    assert compare.shares(None, paths[0]) == ()


def test_a_mistake_is_a_sentence(tmp_path, capsys):
    assert compare.main(["live", "--validation", str(tmp_path / "none")]) == WRONG_USAGE
    assert "there is no such folder" in capsys.readouterr().err
    (tmp_path / "images").mkdir()
    assert compare.main(["no-such", "--validation", str(tmp_path)]) == WRONG_USAGE
    assert capsys.readouterr().err.startswith("training.compare: ")

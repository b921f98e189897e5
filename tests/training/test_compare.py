"""Networks beside a reference: times in pairs, IOU by picture."""

from dataclasses import replace

import numpy as np
import pytest

from converters.session import Session
from devices.contract import Counts
from devices.desktop import copies, interleaved
from evaluation import folder
from evaluation.clip import Dataset
from models.arguments import WRONG_USAGE
from training import compare
from training.compare import Runner, Standing, Time, markdown, standings
from training.quantise import Loss


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


class Machine:
    """A clock, and networks of 2 and 5 ms on a machine that slows down by a microsecond with every inference."""

    def __init__(self) -> None:
        self.now = self.slower = 0

    def network(self, ms: float):
        machine = self

        class Loop:
            def prepare(self) -> None:
                pass

            def run(self) -> None:
                machine.slower += 1_000
                machine.now += int(ms * 1e6) + machine.slower

        return Loop()


def test_a_share_of_the_time_is_the_engines_ratio_upside_down():
    machine = Machine()
    counts = Counts(samples=1, seconds=0.5)
    found = interleaved.measure(
        machine.network(2), machine.network(5), 0.002, counts, lambda: machine.now, switches=lambda: 0
    )
    time = compare.share(found)
    # Both have the same growing part on top: a ratio of mere halves, first one and then the other, would drift away.
    added = machine.slower / 2e6
    assert time.median == pytest.approx((2 + added) / (5 + added), rel=0.01)
    assert time.median == pytest.approx(1 / found.ratio.times)
    assert time.low <= time.median <= time.high
    assert time.rounds == 10
    assert time.reference_ms == pytest.approx(5 + added, rel=0.1)


def test_a_disturbed_time_is_withheld_and_not_kept():
    machine = Machine()
    count = iter(range(10**9))
    found = interleaved.measure(
        machine.network(2), machine.network(5), 0.002, Counts(samples=1), lambda: machine.now, lambda: next(count)
    )
    assert compare.share(found) is None
    alone = Standing("live", None, (Loss("live", "faces", 3, 90.0, 91.0, (-1.5, -0.5)),))
    assert "| live | disturbed |" in markdown("theirs", [90.0], [alone], "Made-up CPU")
    runner = Runner("live", Left(16), key="of live")
    assert compare.records([runner], replace(runner, name="theirs"), [alone], "fp32", "Made-up CPU", "") == []


@pytest.mark.long
def test_sessions_are_timed_in_turns():
    opened: list[Left] = []

    def another() -> Left:
        opened.append(Left(16))
        return opened[-1]

    own = Runner("own", another(), open_one=another)
    found = compare.measure(own, Runner("reference", Left(12)), interleaved.ROUNDS)
    assert found is None or 0.2 < found.median < 5  # None beside other work
    assert len(opened) == copies.MOST


def test_who_is_ahead_and_by_how_much(halves, monkeypatch):
    times = {16: Time(1, 0.9, 1.1, 3, 5.0), 12: Time(0.5, 0.4, 0.6, 3, 5.0)}
    monkeypatch.setattr(compare, "measure", lambda own, reference, rounds: times[own.session.columns])
    runners = [Runner("same", Left(16)), Runner("short", Left(12))]
    own, found = standings(runners, Runner("reference", Left(16)), [halves], rounds=3)
    assert own == [pytest.approx(100)]
    assert [(one.name, one.time) for one in found] == [("same", times[16]), ("short", times[12])]
    assert [one.losses[0].points for one in found] == pytest.approx([0, 25])
    assert found[1].losses[0].interval == pytest.approx((25, 25))


def test_the_table_says_plus_for_ahead():
    time = Time(0.5, 0.4, 0.6, 10, 3.0)
    ahead = Standing("live", time, (Loss("live", "faces", 3, 90.0, 91.0, (-1.5, -0.5)),), (0.731, 0.549))
    assert markdown("theirs", [90.0], [ahead], "Made-up CPU (AVX2)").splitlines() == [
        "| network | time on Made-up CPU (AVX2) | ARM instructions | faces (3) |",
        "|---|---|---|---|",
        "| live | 0.50 (0.40 to 0.60) | 0.73, 0.55 | +1.0 (+0.5 to +1.5) |",
        "| theirs | 1 | 1 | 90.0 % |",
    ]
    assert "| not counted |" in markdown("theirs", [90.0], [replace(ahead, instructions=())], "Made-up CPU")


def test_what_is_kept_has_the_keys_of_both_networks():
    time = Time(0.5, 0.4, 0.6, 10, 3.0)
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
            "rounds": 10,
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

"""The ARM instructions of networks that nobody trained, of blocks and of operators."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from devices import emulator
from devices.instructions import SPREAD, CannotCount, cached
from models.arguments import WRONG_USAGE
from models.variant import Variant
from profiling import arm, profile
from profiling.arm import COLUMNS, cached_variant, count_variant, count_variants, counts_of
from profiling.blocks import TFLITE, Block, litert

SMALL = Variant(stem=8, widths=(16, 16, 16), depths=(0, 1, 0), decoder=(8, 8, 8), head="plain", resolution=(64, 64))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda _: tmp_path / "cache")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Two convolutions, a skip around the second, and a sigmoid."""
    torch.manual_seed(0)

    class Skip(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = torch.nn.Conv2d(3, 8, 1), torch.nn.Conv2d(8, 8, 3, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.one(x)
            return torch.sigmoid(x + self.two(x))

    folder = tmp_path_factory.mktemp("skip")
    litert(Block("skip", Skip().eval(), (torch.rand(1, 3, 32, 32),)), folder)
    return (folder / TFLITE).read_bytes()


def test_one_more_convolution_raises_the_count(qemu: str, model: bytes) -> None:
    one, two = counts_of([profile.cut(model, 1), profile.cut(model, 2)], print)
    assert one
    assert two
    # The second has 24 times the first's multiply-accumulates; four lanes do at least as many at once.
    assert two > one + 32 * 32 * 8 * 8 * 9 / 8


def test_the_operators_add_up_to_the_whole(qemu: str, model: bytes) -> None:
    told = profile.arm(model, print)
    assert told
    steps, whole = told
    assert len(steps) == 4
    assert all(step > 0 for step in steps)
    assert max(steps) == steps[1], "the 3x3 convolution is the dearest"
    assert sum(steps) == pytest.approx(whole, rel=0.03)


def test_a_variant_is_counted_untrained_once_and_its_weights_play_no_part(
    qemu: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert cached_variant(SMALL) is None
    counts = count_variants(SMALL, SMALL.resolution, COLUMNS.values())
    assert counts[2] < counts[1], "dot products spare instructions"
    again = [cached_variant(SMALL, None, *pair) for pair in COLUMNS.values()]
    assert again == counts

    # Other weights, the same instructions.
    seeded = torch.manual_seed
    monkeypatch.setattr(torch, "manual_seed", lambda _: seeded(7))
    other = arm.untrained(SMALL)
    assert cached(other) is None, "these weights are new"
    (found,) = counts_of([other], print)
    assert found == pytest.approx(counts[0], rel=SPREAD)

    monkeypatch.setattr(arm, "untrained", None)  # nothing is exported twice
    assert count_variant(SMALL) == counts[0]


def test_a_larger_picture_is_another_count(qemu: str) -> None:
    assert arm._key(SMALL, (64, 64), "fp32") != arm._key(SMALL, (64, 96), "fp32")
    assert arm._key(SMALL, (64, 64), "fp32") != arm._key(replace(SMALL, squeeze=4), (64, 64), "fp32")


def test_without_the_emulator_nothing_is_exported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(emulator, "QEMU", "qemu-absent")
    monkeypatch.setattr(arm, "untrained", None)
    with pytest.raises(CannotCount, match="qemu-absent is missing"):
        count_variant(SMALL)
    assert counts_of([b"", b""], print) == [None, None]
    assert capsys.readouterr().out.count("qemu-absent is missing") == 1
    assert profile.arm(b"", print) is None
    assert arm.main(["live"]) == 1
    assert capsys.readouterr().err.startswith("profiling.arm: ARM instructions are not counted: qemu-absent")


def test_a_mistake_is_a_sentence(qemu: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert arm.main(["s5"]) == WRONG_USAGE
    assert capsys.readouterr().err.startswith("profiling.arm: no variant 's5'")
    assert arm.main(["live", "--resolution", "30x32"]) == WRONG_USAGE
    assert "multiples of 16" in capsys.readouterr().err

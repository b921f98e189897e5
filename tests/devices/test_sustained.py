"""Bins of ten seconds, the first and the last minute, and energy from a counter."""

from __future__ import annotations

from pathlib import Path

import pytest

from devices import sustained
from devices.desktop import energy
from devices.sustained import Bin, kept


class Machine:
    """A clock, and a loop that takes `milliseconds` a frame at first and `slower` times that after `until` seconds."""

    def __init__(self, milliseconds: float, slower: float = 1.0, until: float = 0.0) -> None:
        self.now, self.milliseconds, self.slower, self.until = 0, milliseconds, slower, until

    def clock(self) -> int:
        return self.now

    def prepare(self) -> None:
        self.now += 1_000_000

    def run(self) -> None:
        warm = self.now >= self.until * 1e9
        self.now += round(self.milliseconds * 1e6 * (self.slower if warm else 1))


def test_a_machine_that_slows_down_when_warm_keeps_a_share() -> None:
    machine = Machine(10, slower=1.25, until=90)
    bins = sustained.run(machine, 3, lambda: {"temperature_c": 50.0}, machine.clock)
    assert len(bins) == 18
    found = kept(bins)
    assert found
    assert found.first == pytest.approx(100)
    assert found.last == pytest.approx(80)
    assert found.share == pytest.approx(0.8)
    assert bins[0].facts == {"temperature_c": 50.0}
    assert bins[0].start == 0
    assert bins[-1].start == pytest.approx(170, abs=1)


def test_a_short_run_has_no_last_minute() -> None:
    machine = Machine(10)
    assert kept(sustained.run(machine, 1, clock=machine.clock)) is None


def test_bins_come_back_as_they_were() -> None:
    bins = (Bin(0.0, 100, 1.5, {"frequency_mhz": 2400}), Bin(10.001, 90, 1.5))
    assert sustained.from_json(sustained.to_json(bins)) == bins


def package(root: Path, name: str, microjoules: int) -> Path:
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    (folder / "max_energy_range_uj").write_text("1000000\n")
    return folder


def test_energy_is_of_whole_packages_and_a_counter_may_begin_anew(tmp_path: Path) -> None:
    first, second = package(tmp_path, "intel-rapl:0", 900_000), package(tmp_path, "intel-rapl:1", 10)
    package(tmp_path, "intel-rapl:0:0", 5)
    before = energy.counters(tmp_path)
    assert set(before) == {first, second}
    package(tmp_path, "intel-rapl:0", 100_000)
    package(tmp_path, "intel-rapl:1", 60)
    assert energy.used(before, energy.counters(tmp_path)) == 200_000 + 50
    assert energy.used(before, {first: 1}) is None


def test_energy_of_a_frame(tmp_path: Path) -> None:
    machine = Machine(9)
    package(tmp_path, "intel-rapl:0", 0)

    class Counted:
        frames = 0

        def prepare(self) -> None:
            machine.prepare()

        def run(self) -> None:
            machine.run()
            self.frames += 1
            package(tmp_path, "intel-rapl:0", 2000 * self.frames)

    found = energy.measure(Counted(), 1, tmp_path, machine.clock)
    assert found == {"millijoules": 2.0, "watts": 0.2, "frames": 100, "source": energy.SOURCE}
    assert energy.measure(machine, 1, tmp_path / "none", machine.clock) is None

"""Energy of a frame by the phone's battery: by files laid down on the stand-in, and by readings as functions."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from devices.android import battery
from devices.android.adb import Adb
from devices.android.battery import Sample, energy, samples
from devices.android.home import Limits
from devices.android.runner import AndroidPhone
from devices.contract import Job
from devices.sustained import BIN_SECONDS, Bin
from tests.devices.android.adbd import Adbd
from tests.devices.android.conftest import transcript

BINS = (Bin(0.0, 500, 9.0), Bin(10.0, 500, 9.0))


def readings(seconds: int, amperes: float | None, start: float = 3e6, idle: int = 0) -> list[Sample]:
    """One a second at 4 V: a steady current, and a charge counter of 0.5 A. `idle`: as many before the load."""
    micro = None if amperes is None else 1e6 * amperes
    return [
        Sample(100.0 + i, 0.0 if i < idle and micro else micro, 4e6, start - 500_000 * i / 3600)
        for i in range(seconds + idle + 1)
    ]


@pytest.mark.parametrize("sign", [1, -1])
def test_current_and_voltage_over_the_load_alone(sign: int) -> None:
    found = energy(readings(20, sign * 0.5, idle=30), BINS)
    assert found == {
        "millijoules": pytest.approx(40.0),  # 2 W over 20 s, 1000 frames
        "watts": pytest.approx(2.0),
        "frames": 1000,
        "source": "battery's current and voltage, whole phone, not verified on a phone",
    }


def test_the_charge_counter_where_there_is_no_current() -> None:
    found = energy(readings(20, None), BINS)
    assert found
    assert (found["millijoules"], found["watts"]) == (pytest.approx(40.0), pytest.approx(2.0))
    assert found["source"].startswith("battery's charge counter")


@pytest.mark.parametrize(
    "read",
    [
        [],
        readings(20, 0.5)[:1],
        readings(20, 0.5e-3),  # milliamperes where microamperes should be
        [replace(one, microvolts=None) for one in readings(20, 0.5)],
        [replace(one, microampere_hours=None) for one in readings(20, None)],
        [replace(one, microampere_hours=3e6) for one in readings(20, None)],  # a counter that does not move
        [replace(one, microampere_hours=3e6 + i) for i, one in enumerate(readings(20, None))],  # it charges
    ],
)
def test_what_a_phone_does_not_tell_or_cannot_be_is_no_energy(read: list[Sample]) -> None:
    assert energy(read, BINS) is None
    assert energy(readings(20, 0.5), ()) is None


def test_lines_that_are_cut_short_are_left_out() -> None:
    text = "10.5 -500000 4000000 3000000\n11.5 - 4000000 -\nnonsense\n12.5 -5000"
    assert samples(text) == [Sample(10.5, -500000, 4000000, 3000000), Sample(11.5, None, 4000000, None)]


def watch(folder: Path, seconds: str, path: str = "") -> list[Sample]:
    command = f"{path}({battery.watching(str(folder))}) & watcher=$!; sleep {seconds}; kill $watcher"
    return samples(
        subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=False).stdout
    )


def test_files_that_are_missing_or_locked_are_told_by_dumpsys(tmp_path: Path) -> None:
    (tmp_path / "dumpsys").write_text("#!/bin/sh\necho '  voltage: 4123'; echo '  Charge counter: 2345000'\n")
    (tmp_path / "dumpsys").chmod(0o755)
    (one,) = watch(tmp_path / "none", "1", f"PATH={tmp_path}:$PATH; ")
    assert replace(one, at=0) == Sample(0, None, 4_123_000, 2_345_000)
    (tmp_path / "voltage_now").write_text("4000000\n")
    first, *_ = watch(tmp_path, "1")
    assert replace(first, at=0) == Sample(0, None, 4_000_000, None)


def lay(phone: Adbd, **values: int) -> str:
    folder = "/data/local/tmp/battery"
    phone.path(folder).mkdir(parents=True)
    for name, value in values.items():
        (phone.path(folder) / name).write_text(f"{value}\n")
    return folder


@pytest.fixture
def android(adb: Adb, phone: Adbd, qemu: str) -> AndroidPhone:
    folder = lay(phone, current_now=-500_000, voltage_now=4_000_000, charge_counter=3_000_000)
    return AndroidPhone(adb, limits=Limits(nominal=0, come_back=5), power_supply=folder, energy_seconds=1)


@pytest.mark.slow  # two bins of ten seconds
def test_minutes_of_load_bring_the_energy_of_a_frame(android: AndroidPhone, phone: Adbd, job: Job) -> None:
    unplugged = transcript("pixel2.battery").replace("powered: true", "powered: false")
    phone.command("dumpsys", unplugged, "battery")
    told = android.run(replace(job, counts=replace(job.counts, sustained=0.02))).energy
    assert told["source"] == "battery's current and voltage, whole phone, not verified on a phone"
    assert told["watts"] == pytest.approx(2.0)
    assert told["millijoules"] == pytest.approx(2000 * BIN_SECONDS / told["frames"], rel=1e-3)


def test_a_phone_that_charges_tells_nothing(android: AndroidPhone, job: Job) -> None:
    result = android.run(replace(job, counts=replace(job.counts, sustained=0.02)))
    assert result.energy == {}
    assert result.environment.facts["energy_not_measured"] == "the phone is plugged in (USB): reach it over Wi-Fi"
    assert len(result.sustained) == 1

"""What a phone tells of itself, understood; the hazards that follow; waiting for it to cool."""

from __future__ import annotations

from itertools import chain, repeat

import pytest

from devices.android import probe
from devices.android.probe import AndroidProbe, big_cores, environment, facts, merge, wait_for_nominal
from devices.contract import Environment
from devices.transport import Unreachable
from tests.devices.android.conftest import transcript


def told(
    getprop: str = "pixel2.getprop",
    battery: str = "pixel2.battery",
    thermal: str = "pixel2.thermal",
    clocks: str = "pixel2.clocks",
    low_power: str = "0\n",
) -> str:
    """What the probe's script prints on a phone of these transcripts."""
    parts = {
        "getprop": transcript(getprop),
        "battery": transcript(battery),
        "thermal": transcript(thermal),
        "low_power": low_power,
        "clocks": transcript(clocks),
        "end": "",
    }
    return "".join(f"== {name}\n{text}" for name, text in parts.items())


def test_a_cool_pixel2() -> None:
    found = facts(told())
    assert (
        found
        | {
            "manufacturer": "Google",
            "model": "Pixel 2",
            "product": "walleye",
            "soc": "msm8998",
            "android": "11",
            "abi": "arm64-v8a",
            "debuggable": False,
            "emulator": False,
            "low_power": False,
            "battery": 84,
            "battery_c": 28.7,
            "plugged": "USB",
            "thermal_status": "none",
            "governor": "schedutil",
            "capped_cpus": [],
        }
        == found
    )
    assert found["skin_c"] == 31.1, "the skin as it is now, not as it was cached"
    assert found["max_khz"][0] == 1900800
    assert found["max_khz"][7] == 2457600
    assert found["current_khz"][7] == 576000
    assert environment(found).hazards == ()


@pytest.mark.parametrize(
    ("changes", "hazards"),
    [
        ({"thermal": "hot.thermal"}, ("thermal",)),
        ({"clocks": "hot.clocks"}, ("throttled-clock",)),
        ({"battery": "low.battery"}, ("battery",)),
        ({"low_power": "1\n"}, ("low-power-mode",)),
        ({"getprop": "emulator.getprop"}, ("debuggable-build", "emulator")),
        ({"thermal": "hot.thermal", "battery": "low.battery"}, ("thermal", "battery")),
        ({"low_power": "null\n", "thermal": "old.thermal"}, ()),
    ],
)
def test_hazards_have_names(changes: dict[str, str], hazards: tuple[str, ...]) -> None:
    assert environment(facts(told(**changes))).hazards == hazards


def test_before_android_10_a_hot_battery_stands_for_the_thermal_service() -> None:
    said = told(thermal="old.thermal").replace("temperature: 287", "temperature: 415")
    assert environment(facts(said)).hazards == ("thermal",)
    assert environment(facts(told().replace("temperature: 287", "temperature: 415"))).hazards == ()


def test_capped_cores_are_named() -> None:
    assert facts(told(clocks="hot.clocks"))["capped_cpus"] == [4, 5, 6, 7]


def test_a_phone_that_tells_nothing_has_no_facts_and_no_hazards() -> None:
    silent = "".join(f"== {name}\n" for name in ("getprop", "battery", "thermal", "low_power", "clocks", "end"))
    assert facts(silent) == {}
    assert environment({}).hazards == ()


def test_what_a_phone_tells_in_no_known_form_is_left_out() -> None:
    said = """== battery
  level: full
  scale: 0
  temperature: 31.5
  AC powered: true
== thermal
Temperature{mValue=-, mType=3, mName=skin}
== clocks
/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq:<unsupported>
/sys/devices/system/cpu/cpu1/cpufreq/cpuinfo_max_freq:1900800
/sys/devices/system/cpu/cpu1/cpufreq/scaling_max_freq:<unknown>
== end
"""
    told = facts(said)
    assert (told["plugged"], told["max_khz"], told["capped_cpus"]) == ("AC", {1: 1900800}, [])
    assert not {"battery", "battery_c", "skin_c"} & set(told)


def test_a_fact_of_another_kind_shows_no_hazard() -> None:
    assert environment({"battery": "full", "battery_c": None, "capped_cpus": 0}).hazards == ()


def test_carriage_returns_of_an_old_shell_do_no_harm() -> None:
    assert facts(told().replace("\n", "\r\n")) == facts(told())


class Says:
    """A transport whose phone prints one text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def run(self, command: str, limit: float) -> str:
        assert command == probe.SCRIPT
        return self.text

    push = pull = wait = None


def test_an_answer_cut_short_is_not_believed() -> None:
    with pytest.raises(Unreachable):
        AndroidProbe(Says(told()[:-8])).read()  # type: ignore[arg-type]
    assert AndroidProbe(Says(told())).read().facts["model"] == "Pixel 2"  # type: ignore[arg-type]


class Clock:
    """Time that passes only by sleeping."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize(
    ("hot_readings", "limit", "waited", "left"),
    [
        (0, 600, 0, ()),
        (3, 600, 30, ()),
        (99, 600, 600, ("thermal",)),
        (99, 0, 0, ("thermal",)),
        (1, 9, 0, ("thermal",)),
    ],
)
def test_it_waits_until_the_phone_is_cool_but_not_for_ever(
    hot_readings: int, limit: float, waited: int, left: tuple[str, ...]
) -> None:
    hot, cool = Environment(hazards=("thermal",)), Environment()
    readings = chain(repeat(hot, hot_readings), repeat(cool))
    clock = Clock()
    end = wait_for_nominal(lambda: next(readings), limit, clock=clock, sleep=clock.sleep)
    assert end.facts["waited_s"] == waited
    assert end.hazards == left


def test_it_does_not_wait_for_what_does_not_pass() -> None:
    clock = Clock()
    end = wait_for_nominal(lambda: Environment(hazards=("battery",)), 600, clock=clock, sleep=clock.sleep)
    assert clock.now == 0
    assert end.hazards == ("battery",)


def test_before_and_after_are_both_told() -> None:
    both = merge(environment(facts(told())), environment(facts(told(thermal="hot.thermal"))))
    assert both.facts["thermal_status"] == "none"
    assert both.facts["after_thermal_status"] == "moderate"
    assert "after_model" not in both.facts
    assert both.hazards == ("thermal",)


@pytest.mark.parametrize(
    ("clocks", "threads", "mask"),
    [
        ([19, 19, 19, 19, 25, 25, 25, 25], 1, 0xF0),
        ([18, 18, 18, 18, 22, 22, 28, 28], 1, 0xC0),
        ([18, 18, 18, 18, 22, 22, 28, 28], 3, 0xF0),
        ([20, 20, 20, 28, 28, 28, 28, 32], 2, 0xF8),
        ([20, 20], 4, 0x3),
        ([], 1, 0),
    ],
)
def test_the_fastest_clusters_are_taken(clocks: list[int], threads: int, mask: int) -> None:
    assert big_cores(dict(enumerate(clocks)), threads) == mask

"""Hazards by name, and readings of the machine that the tests run on."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from converters import processor
from devices.desktop import environment
from devices.desktop.environment import HAZARDS, MACHINE, NOW, DesktopProbe, Others, Watch, choose_cpus, hazards

CALM = {"cores": 4, "others_cores": 0.05, "load_1m": 0.9, "waited_share": 0.001, "stolen_share": 0.0, "pinned": True}


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("busy-machine", {"others_cores": 0.4}),
        ("busy-machine", {"load_1m": 5.0}),
        ("preempted", {"waited_share": 0.1}),
        ("disturbed", {"disturbed": True}),
        ("stolen-time", {"stolen_share": 0.1}),
        ("not-pinned", {"pinned": False}),
        ("power-saving-governor", {"governor": "powersave"}),
        ("throttled-clock", {"throttle_events": 1}),
        ("thermal", {"temperature_c": 95.0}),
        ("battery", {"on_battery": True}),
        ("virtual-machine", {"virtual": True}),
    ],
)
def test_each_hazard_has_a_fact_that_shows_it(name: str, facts: dict[str, object]) -> None:
    assert hazards({**CALM, **facts}) == (name,)


def test_every_hazard_is_tested_above() -> None:
    marks = test_each_hazard_has_a_fact_that_shows_it.pytestmark  # type: ignore[attr-defined]
    assert {case[0] for case in marks[0].args[1]} == set(HAZARDS)


def test_a_calm_machine_and_an_unreadable_one_have_none() -> None:
    assert hazards(CALM) == ()
    assert hazards({}) == ()
    assert hazards({"governor": "performance", "temperature_c": 45.0, "on_battery": False, "throttle_events": 0}) == ()


def test_processors_far_from_the_first_are_chosen() -> None:
    assert choose_cpus([0, 1, 2, 3], 1, {}, {}) == [3]
    assert choose_cpus([0, 1, 2, 3], 2, {}, {}) == [2, 3]


def test_each_thread_gets_a_physical_core_before_any_is_shared() -> None:
    core_of = {0: 0, 1: 0, 2: 2, 3: 2}
    assert choose_cpus([0, 1, 2, 3], 2, core_of, {}) == [1, 3]
    assert choose_cpus([0, 1, 2, 3], 3, core_of, {}) == [1, 2, 3]


def test_fast_cores_are_chosen_before_slow_ones() -> None:
    speed = {0: 5000, 1: 5000, 2: 3000, 3: 3000}
    assert choose_cpus([0, 1, 2, 3], 1, {}, speed) == [1]


def test_only_allowed_processors_are_chosen() -> None:
    assert choose_cpus([5], 4, {}, {}) == [5]


def test_the_probe_reads_this_machine() -> None:
    told = DesktopProbe(look_seconds=0.01).read()
    assert told.facts["cores"] == os.cpu_count()
    assert told.facts["memory_bytes"] > 2**28
    assert told.facts["python"]
    assert set(told.hazards) <= set(HAZARDS)


def test_a_process_that_works_for_us_is_none_of_the_others() -> None:
    """Other work of the machine is in both figures."""
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        every, others = Others(), Others(busy.pid)
        time.sleep(1.0)
        with_it, without = every.cores(), others.cores()
        worked = psutil.Process(busy.pid).cpu_times().user
    finally:
        busy.kill()
        busy.wait()
    assert with_it - without == pytest.approx(worked, abs=0.3)
    assert worked > 0.1


def test_a_look_of_no_seconds_is_none() -> None:
    assert "others_cores" not in DesktopProbe(look_seconds=0).read().facts


FAULTS = (
    OSError("no /sys"),
    FileNotFoundError(2, "No such file or directory", "/sys/class/power_supply"),
    PermissionError("no"),
    NotImplementedError("can't find current frequency file"),
    RuntimeError("host_statistics failed"),
    AttributeError("no sensors_battery"),
    ValueError("could not convert"),
)


def raising(fault: Exception) -> Callable[..., Any]:
    def probe(*arguments: Any, **options: Any) -> Any:
        raise fault

    return probe


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
@pytest.mark.parametrize("fact", [*MACHINE, *NOW])
def test_a_fact_that_cannot_be_read_is_left_out_and_the_others_stay(
    monkeypatch: pytest.MonkeyPatch, fact: str, fault: Exception
) -> None:
    """The other probes return fixed values; the test is of how facts are collected."""
    for table in (MACHINE, NOW):
        for name in table:
            monkeypatch.setitem(table, name, raising(fault) if name == fact else lambda: 1)
    monkeypatch.setattr(environment, "others_cores", lambda seconds: 0.0)
    assert set(DesktopProbe().read().facts) == {*MACHINE, *NOW, "others_cores"} - {fact}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_a_system_that_tells_nothing_ends_no_run(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    """Whatever psutil, os, platform and the kernel's files would tell raises, underneath the probes themselves."""
    broken = raising(fault)
    for name in ("cpu_count", "virtual_memory", "getloadavg", "cpu_freq", "cpu_times"):
        monkeypatch.setattr(psutil, name, broken)
    for name in ("sensors_temperatures", "sensors_battery"):
        monkeypatch.setattr(psutil, name, broken, raising=False)
    for name in ("sched_getaffinity", "sched_setaffinity"):
        monkeypatch.setattr(os, name, broken, raising=False)
    for name in ("os", "machine", "python"):
        monkeypatch.setitem(MACHINE, name, broken)
    monkeypatch.setattr(platform, "processor", broken)
    monkeypatch.setattr(Path, "read_text", broken)
    monkeypatch.setattr(Path, "glob", broken)
    told = DesktopProbe(look_seconds=0.01).read()
    assert not told.hazards
    assert not {"cores", "load_1m", "temperature_c", "on_battery", "allowed_cpus", "virtual"} & set(told.facts)
    assert environment.pin(1) is None
    assert Watch([0]).facts() == {}
    if sys.platform == "linux":
        assert environment.peak_memory_bytes() is None


def test_a_battery_that_does_not_say_whether_it_is_charged_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def told(plugged: bool | None) -> object:
        battery = SimpleNamespace(power_plugged=plugged)
        monkeypatch.setattr(psutil, "sensors_battery", lambda: battery, raising=False)
        return DesktopProbe(look_seconds=0.0).read().facts.get("on_battery")

    assert [told(plugged) for plugged in (None, True, False)] == [None, False, True]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not bind processes to processors")
def test_a_process_that_may_not_be_bound_is_measured_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_setaffinity", raising(PermissionError("seccomp")))
    assert environment.pin(1) is None


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not bind processes to processors")
def test_a_pinned_process_stays_where_it_is_told() -> None:
    code = (
        "import os; from devices.desktop.environment import pin;"
        " print(pin(1) == sorted(os.sched_getaffinity(0)), pin(1))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.startswith("True [")


@pytest.mark.skipif(sys.platform != "linux", reason="these counters are of Linux's kernel")
def test_waiting_for_a_processor_is_seen() -> None:
    """Two processes bound to one processor each wait half of the time; alone, hardly."""
    code = (
        "import os, time; from devices.desktop.environment import Watch\n"
        "one = {min(os.sched_getaffinity(0))}; os.sched_setaffinity(0, one); child = os.fork()\n"
        "watch = Watch(one); end = time.perf_counter() + 0.3\n"
        "while time.perf_counter() < end: pass\n"
        "if child: print(watch.facts()['waited_share']); os.waitpid(child, 0)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(told.stdout) > 0.2


@pytest.mark.skipif(sys.platform != "linux", reason="these counters are of Linux's kernel")
def test_sleeping_is_not_waiting() -> None:
    import time

    def waited() -> float:
        watch = Watch([0])
        time.sleep(0.1)
        return float(watch.facts()["waited_share"])

    # On a busy machine this process may really have waited after one sleep, but not after each of ten.
    assert min(waited() for _ in range(10)) < 0.5


def test_peak_memory_remembers_what_was_given_back() -> None:
    code = (
        "from devices.desktop.environment import peak_memory_bytes as peak\n"
        "before = peak(); block = bytearray(b'x') * 100_000_000; del block; print(peak() - before)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 90_000_000 < int(told.stdout) < 130_000_000


def test_a_speed_names_its_processor_and_the_extensions_that_decide_int8() -> None:
    facts = DesktopProbe(look_seconds=0).read().facts
    here = processor.here()
    assert facts.get("cpu", processor.UNKNOWN) == here.model
    assert facts.get("cpu_extensions", "") == ", ".join(here.extensions)

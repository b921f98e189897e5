"""What is known of each phone follows from the counts and the times in the repository, and the README says the same."""

from __future__ import annotations

import json

import pytest

from devices import instructions
from devices.catalog import phones as catalog
from devices.estimate.counts import COUNTS, core, kept, missing, wanted
from devices.estimate.networks import tflite
from devices.estimate.phone import faster_since, known, pooled
from devices.estimate.published import phones, published
from devices.estimate.table import covered, table
from tests.conftest import ROOT, need


def test_every_published_time_has_its_count() -> None:
    assert set(kept()) == set(wanted())


def test_the_counts_are_of_todays_kit() -> None:
    assert missing() == [], "python -m devices.estimate.counts counts anew"


@pytest.fixture
def need_emulator() -> None:
    need(instructions.available())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "precision", "on"),
    [
        ("mobilenet-v1-0.25-224", "fp32", instructions.PLAIN),
        ("paddle-v3-small-1-224", "int8", instructions.PLAIN),
        ("paddle-v3-small-1-224", "int8", instructions.DOT),
    ],
)
def test_a_network_counted_anew_has_the_same_count(need_emulator: None, name: str, precision: str, on: str) -> None:
    assert instructions.fresh(tflite(name, precision), on) == pytest.approx(kept()[name, precision, on], rel=1e-3)


def test_the_table_in_the_readme_is_what_the_code_says() -> None:
    assert table() in (ROOT / "devices" / "estimate" / "README.md").read_text()


def test_leave_one_out_misses_the_public_networks_by_at_most_15_percent_in_the_median() -> None:
    errors = [abs(e) for times in published() if (k := known(times.phone, times.precision)) for e in k.errors.values()]
    assert sorted(errors)[len(errors) // 2] < 0.15


def test_a_range_holds_at_least_the_share_that_it_says() -> None:
    inside, tried = covered()
    assert tried > 100
    assert inside >= 0.95 * tried


def test_the_core_is_the_phones() -> None:
    assert core(catalog()["pixel2"], "int8") == instructions.PLAIN
    assert core(catalog()["pixel4"], "int8") == instructions.DOT
    assert core(catalog()["pixel4"], "fp32") == instructions.PLAIN, "no float32 kernel has dot products"
    assert {name for name in phones() if catalog()[name].dot_products} == {
        "pixel4", "oppo-reno3", "mi9", "mi10", "mate20", "mate30", "iphone11-pro",
    }  # fmt: skip


def test_int8_takes_fewer_instructions_with_dot_products() -> None:
    counts = json.loads(COUNTS.read_text())["counts"]["mobilenet-v1-1-224"]
    assert counts["int8"][instructions.DOT] < counts["fp32"][instructions.PLAIN]
    assert counts["int8"][instructions.DOT] < 0.7 * counts["int8"][instructions.PLAIN]


def test_an_estimate_is_the_phones_rate_times_the_count() -> None:
    pixel = known("pixel2", "fp32")
    assert pixel
    assert pixel.faster_since == 1
    assert pixel.rates["mobilenet-v1-1-224"] == pytest.approx(86 / 198.95, rel=1e-3)
    found = pixel.estimate(kept()["mobilenet-v2-1-224", "fp32", instructions.PLAIN])
    assert found.low < 53 < found.high, "the published time of that network"
    assert known("pixel4", "int8") is None


def test_an_older_runtime_widens_the_range_below() -> None:
    old = known("pixel3", "fp32")
    assert old
    assert not old.times.runtime.current
    assert old.faster_since == faster_since(old.times.runtime, "fp32")
    assert 1.2 < old.faster_since < 2.5
    found = old.estimate(10**7)
    assert found.milliseconds / found.low == pytest.approx(old.faster_since * found.high / found.milliseconds)


def test_spreads_are_those_of_networks_not_of_noise() -> None:
    assert 0.03 < pooled("fp32") < 0.3

"""Published times: each has a source and a phone of the catalog."""

from __future__ import annotations

import pytest

from devices.catalog import phones as catalog
from devices.estimate.published import nearest, parse, phones, published


def test_every_published_time_names_where_it_stands() -> None:
    assert {"pixel", "pixel2", "pixel3", "pixel3a", "pixel4", "mi10", "iphone7"} <= set(phones()) <= set(catalog())
    for times in published():
        assert len(times.milliseconds) >= 2, "one network leaves no error"
        assert times.precision in ("fp32", "int8")
        assert times.source.link.startswith("https://github.com/")
        assert times.source.says


def test_figures_are_those_of_their_sources() -> None:
    def read(phone: str, precision: str, name: str) -> float:
        times = nearest(phone, precision)
        assert times
        return times.milliseconds[name]

    assert read("pixel2", "fp32", "mobilenet-v1-1-224") == 86
    assert read("pixel4", "fp32", "mobilenet-v3-small-1-224") == 5.58
    assert read("mi9", "int8", "paddle-v2-1-224") == 11.38
    assert read("iphone7", "fp32", "posenet-0.75-353x257") == 51.68


def test_the_runtime_nearest_to_todays_comes_first() -> None:
    names = [times.runtime.name for times in published() if (times.phone, times.precision) == ("pixel2", "fp32")]
    assert [name.split()[0] for name in names] == ["XNNPACK", "TensorFlow", "TensorFlow", "TensorFlow"]
    assert names[-1].startswith("TensorFlow Lite of 2018")
    assert nearest("pixel2", "fp32") == next(times for times in published() if times.phone == "pixel2")
    assert nearest("pixel4", "int8") is None


def test_a_figure_without_its_source_is_refused() -> None:
    times = {"phone": "pixel2", "runtime": "r", "precision": "fp32", "source": "hearsay", "milliseconds": {"a": 1}}
    tables = {"sources": {}, "runtimes": {"r": {"name": "R", "current": True}}, "times": [times]}
    with pytest.raises(KeyError, match="hearsay"):
        parse(tables)

"""The plan, a pure function of options and checkpoints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cli.measuring import show
from devices.contract import FULL, QUICK, Config
from devices.plan import (
    BASELINE,
    CELL_FORMATS,
    CORNERS,
    Options,
    Weights,
    identity,
    make,
    make_default,
    seconds,
    shuffled,
)
from models.variant import REFERENCE, VARIANTS

TRAINED = {name: Weights(Path(f"{name}.safetensors"), name * 2) for name in REFERENCE}


def test_a_network_is_measured_at_its_own_resolution_unless_another_is_asked_for(monkeypatch):
    small = replace(VARIANTS["s4-skip-plain"], resolution=(64, 96))
    monkeypatch.setitem(VARIANTS, "s4-skip-plain", small)
    asked = Options(variants="s4-skip-plain,s16-skip-plain", formats=("onnx",))
    own = VARIANTS["s16-skip-plain"].resolution
    assert [task.config.resolution for task in make(asked, {}).tasks] == [(64, 96), own]
    other = make(replace(asked, resolution=(32, 32)), {})
    assert {task.config.resolution for task in other.tasks} == {(32, 32)}


def test_the_default_is_every_reference_variant_in_every_format_and_the_baseline() -> None:
    plan = make(Options(), TRAINED)
    assert {(t.config.variant, t.config.format) for t in plan.tasks} == {
        (v, f) for v in REFERENCE for f in CELL_FORMATS
    }
    assert len(plan.tasks) == 60
    assert len(plan.specs) == 48
    assert all(t.config.precision == "fp32" for t in plan.tasks)


@pytest.mark.parametrize(
    ("device", "formats", "count"),
    [
        ("desktop", CELL_FORMATS, 2 * 3 * 2 + 12 + 4 * 3),  # two recommended networks have a checkpoint
        ("pixel2", ("tflite",), 2 * 2 + 12),
        ("web", ("tflite", "onnx"), 2 * 2 * 2 + 12 + 4),
        ("iphone7", ("coreml",), 2 * 2 + 12),
    ],
)
def test_a_run_that_names_nothing_measures_what_is_recommended_first(
    device: str, formats: tuple[str, ...], count: int
) -> None:
    weights = {name: Weights(Path(name), name) for name in ("live", "live-fast", *REFERENCE)}
    plan = make_default(Options(device=device, formats=formats), weights)
    configs = [task.config for task in plan.tasks]
    assert len(configs) == len(set(configs)) == count
    assert {(c.variant, c.precision) for c in configs[:4]} >= {("live", "fp32"), ("live", "int8")}
    assert {c.variant for c in configs} == {"live", "live-fast", *REFERENCE}
    assert {c.precision for c in configs if c.variant in REFERENCE} == {"fp32"}
    assert all({c.format for c in configs if c.variant == name} == {*formats} - {BASELINE} for name in CORNERS)
    shares = [make_default(Options(device=device, formats=formats, shard=(i, 2)), weights).tasks for i in (1, 2)]
    assert {*shares[0], *shares[1]} == {*plan.tasks}
    assert not {*shares[0]} & {*shares[1]}


def test_a_spec_says_what_its_configuration_measures() -> None:
    options = Options(variants="s4-skip-plain", formats=("tflite",), precisions=("int8",), resolution=(128, 256))
    (task,) = make(options, TRAINED).tasks
    assert task.spec is not None
    assert (task.spec.variant, task.spec.format, task.spec.precision) == ("s4-skip-plain", "tflite", "int8")
    assert task.spec.resolution == task.config.resolution == (128, 256)
    assert task.spec.checkpoint_sha == task.source_sha == "s4-skip-plain" * 2


def test_the_baseline_is_float32_once_whatever_precisions_are_asked_for() -> None:
    plan = make(Options(variants="s4-skip-plain", precisions=("fp16", "int8")), TRAINED)
    baseline = [t for t in plan.tasks if t.config.format == "pytorch"]
    assert [(t.config.precision, t.spec) for t in baseline] == [("fp32", None)]
    assert len(plan.specs) == 8


def test_a_variant_without_checkpoint_keeps_its_configurations_and_needs_no_conversion() -> None:
    plan = make(Options(variants="s4-skip-*"), {"s4-skip-plain": TRAINED["s4-skip-plain"]})
    absent = [t for t in plan.tasks if t.config.variant == "s4-skip-dense"]
    assert len(absent) == len(CELL_FORMATS)
    assert all(t.weights is None and t.spec is None for t in absent)
    assert {s.variant for s in plan.specs} == {"s4-skip-plain"}


def test_shares_are_disjoint_and_together_the_whole() -> None:
    whole = make(Options(), TRAINED).tasks
    shares = [make(Options(shard=(i, 7)), TRAINED).tasks for i in range(1, 8)]
    assert sorted(t.config.name for share in shares for t in share) == sorted(t.config.name for t in whole)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_the_order_is_random_and_the_seed_gives_it_again() -> None:
    tasks = make(Options(), TRAINED).tasks
    once, twice, other = shuffled(tasks, 5), shuffled(tasks, 5), shuffled(tasks, 6)
    assert once == twice
    assert once != other != list(tasks)
    assert set(once) == set(other) == set(tasks)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (Options(variants="s5-*"), "no variant matches"),
        (Options(resolution=(250, 256)), "multiples of 32"),
        (Options(threads=0), "threads start at 1"),
        (Options(shard=(3, 2)), "i from 1 to n"),
        (Options(shard=(0, 2)), "i from 1 to n"),
    ],
)
def test_options_that_mean_nothing_are_refused_in_a_sentence(options: Options, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make(options, TRAINED)


def test_every_ingredient_of_a_measurement_is_in_its_identity() -> None:
    counts = {"samples": 64, "seconds": 0.7}
    config = Config("any", "onnx")
    same = ("key", config, counts, "data")
    others = [
        ("yek", *same[1:]),
        (same[0], replace(config, format="tflite"), *same[2:]),
        (same[0], replace(config, device="pixel2"), *same[2:]),
        (same[0], replace(config, unit="gpu"), *same[2:]),
        (same[0], replace(config, threads=2), *same[2:]),
        (same[0], replace(config, resolution=(256, 128)), *same[2:]),
        (*same[:2], counts | {"seconds": 0.8}, same[3]),
        (*same[:3], "other data"),
    ]
    identities = [identity(*arguments) for arguments in (same, *others)]  # type: ignore[arg-type]
    assert len(set(identities)) == len(identities)
    assert identity("key", config, dict(reversed(counts.items())), "data") == identities[0]


def test_the_estimate_grows_with_what_is_asked_for() -> None:
    default = Options()
    quick, full = (sum(seconds(make(replace(default, counts=c), TRAINED))) for c in (QUICK, FULL))
    few = sum(seconds(make(replace(default, variants="s4-skip-plain"), TRAINED)))
    assert few < quick < full
    assert seconds(make(default, TRAINED), converted=make(default, TRAINED).specs)[0] == 0


@pytest.mark.parametrize(("device", "told"), [("desktop", False), ("pixel2", True)])
def test_minutes_are_said_to_be_a_desktops(device: str, told: bool, capsys: pytest.CaptureFixture[str]) -> None:
    show([make(Options(device=device, variants="s16-skip-plain", formats=("tflite",)), {})], as_json=False)
    assert (f"how long {device} takes is not known" in capsys.readouterr().out) == told

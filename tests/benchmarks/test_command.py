"""What the command may cost, against its bars. `make benchmarks` runs these; none is a pass or a failure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from converters.artifact import FORMATS
from converters.build import build
from converters.cache import Cache
from devices.plan import Options, Weights, make
from models.checkpoint import find, sha256
from models.variant import REFERENCE
from tests.conftest import ROOT


def bench(*arguments: str | Path, cache: Path | None = None) -> None:
    environment = os.environ | ({"XDG_CACHE_HOME": str(cache)} if cache else {})
    subprocess.run(
        [sys.executable, str(ROOT / "bench.py"), *map(str, arguments)], check=True, capture_output=True, env=environment
    )


def test_help(benchmark: BenchmarkFixture) -> None:
    """Bar: 0.3 s."""
    benchmark.pedantic(bench, ("--help",), rounds=10, warmup_rounds=1)


@pytest.mark.parametrize("format", FORMATS)
def test_one_conversion(benchmark: BenchmarkFixture, tmp_path: Path, format: str) -> None:
    """One artifact from nothing: the imports of its format, the conversion, parity over 30 frames."""
    plan = make(Options(variants="s16-skip-plain", formats=(format,)), shipped("s16-skip-plain"))
    benchmark.pedantic(build, (plan.specs,), {"cache": Cache(tmp_path)}, rounds=1)


@pytest.mark.slow
def test_all_conversions(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """The 48 float32 artifacts of the reference set. Bar: 5 minutes on two cores."""
    plan = make(Options(), shipped(*REFERENCE))
    benchmark.pedantic(build, (plan.specs,), {"cache": Cache(tmp_path)}, rounds=1)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.slow
def test_the_default_run_from_nothing(benchmark: BenchmarkFixture, tmp_path: Path, cache: Path) -> None:
    """`python bench.py` with an empty cache. Bar: 12 minutes on two cores."""
    benchmark.pedantic(bench, ("--out", tmp_path), {"cache": cache}, rounds=1)


@pytest.mark.slow
def test_the_default_run_with_the_cache(benchmark: BenchmarkFixture, tmp_path: Path, cache: Path) -> None:
    """The same again, with the artifacts that the one before it left. Bar: 4 minutes on two cores."""
    benchmark.pedantic(bench, ("--out", tmp_path), {"cache": cache}, rounds=1)


def shipped(*names: str) -> dict[str, Weights]:
    """Checkpoints of the repository; the benchmark is skipped, in words, when one is not there."""
    paths = {name: find(name) for name in names}
    if absent := [name for name, path in paths.items() if path is None]:
        pytest.skip(f"no checkpoint of {', '.join(absent)}")
    return {name: Weights(path, sha256(path)) for name, path in paths.items() if path}

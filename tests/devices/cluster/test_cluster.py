"""The whole command on a cluster of real raylets on this machine, with stand-in phones on two of them."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from devices.android.adb import binary
from tests.conftest import ROOT
from tests.devices.android.adbd import Adbd
from tests.devices.android.conftest import transcript
from tests.test_bench import bench, command, pictures, rows_in

__all__ = ["pictures"]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed: the extra [cluster]"),
]

VARIANTS = ("s16-skip-plain", "s32-skip-plain", "s16-noskip-plain")
RUNS = "./runner"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints of networks that were never trained."""
    import torch

    from models.checkpoint import save
    from models.hourglass import Hourglass
    from models.variant import REFERENCE

    folder = tmp_path_factory.mktemp("checkpoints")
    torch.manual_seed(0)
    for name in VARIANTS:
        save(folder / f"{name}.safetensors", name, REFERENCE[name], Hourglass(REFERENCE[name]).state_dict(), {})
    return folder


@contextmanager
def phone(folder: Path) -> Iterator[tuple[Adbd, dict[str, str]]]:
    """A Pixel 2 attached to an adb server of its own, and the variables that lead to that server."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        variables = {"ANDROID_ADB_SERVER_PORT": str(free.getsockname()[1])}
    made = Adbd(folder)
    made.command("getprop", transcript("pixel2.getprop"))
    made.command("dumpsys", transcript("pixel2.battery"), "battery")
    made.command("dumpsys", transcript("pixel2.thermal"), "thermalservice")
    made.command("settings", "0\n")
    made.command("grep", transcript("pixel2.clocks"))

    def adb(*words: str) -> None:
        subprocess.run([binary(), *words], env=os.environ | variables, capture_output=True, timeout=60, check=True)

    adb("connect", made.serial)
    try:
        yield made, variables
    finally:
        adb("kill-server")
        made.close()


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty cluster. A busy machine starts its processes slowly."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_worker_niceness", "0")
    monkeypatch.setenv("RAY_gcs_server_request_timeout_seconds", "300")
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    monkeypatch.setenv("PYTHONPATH", path)
    from ray.cluster_utils import Cluster

    made = Cluster()
    yield made
    made.shutdown()


def add(cluster: Any, name: str, cache: Path, resources: Any = None, variables: dict[str, str] | None = None) -> Any:
    """A host of one processor with a cache of its own."""
    return cluster.add_node(
        node_name=name,
        num_cpus=1,
        resources=resources or {},
        object_store_memory=80_000_000,
        include_dashboard=False,
        env_vars={"XDG_CACHE_HOME": str(cache)} | (variables or {}),
    )


def cache(folder: Path, name: str) -> Path:
    """A cache folder of its own."""
    return folder / f"cache-{name}"


def judged(out: Path) -> dict[str, tuple[Any, ...]]:
    """What two runs have in common: of each configuration its hashes and how it was judged."""
    return {
        row["cell"]: (
            row["status"],
            row["checkpoint"],
            row["artifact"]["key"],
            row["artifact"]["sha256"],
            row["accuracy"]["data_sha256"],
            row["accuracy"]["iou"],
            row["accuracy"]["per_image"],
        )
        for row in rows_in(out)
    }


def wait_for_rows(out: Path, count: int, driver: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 400
    while not ((out / "rows.jsonl").exists() and len(rows_in(out)) >= count):
        assert driver.poll() is None, driver.communicate()[1]
        assert time.monotonic() < end, "no row in time"
        time.sleep(0.2)


def test_a_host_dies_and_the_driver_too_and_every_row_is_there_once_as_of_a_local_run(
    cluster: Any, qemu: str, weights: Path, pictures: Path, tmp_path: Path
) -> None:
    shape = ("--variants", ",".join(VARIANTS), "--resolution", "64x64", "--quick", "--device", "pixel2")
    asked = (*shape, "--checkpoints", weights, "--data", pictures)
    with ExitStack() as stack:
        _, at_b = stack.enter_context(phone(tmp_path / "phone-b"))
        stuck, at_c = stack.enter_context(phone(tmp_path / "phone-c"))
        stuck.faults.stuck_on = RUNS
        other = tmp_path / "other" / "onnxruntime-0.1.dist-info"
        other.mkdir(parents=True)
        (other / "METADATA").write_text("Metadata-Version: 2.1\nName: onnxruntime\nVersion: 0.1\n")
        path = os.pathsep.join([str(other.parent), os.environ["PYTHONPATH"]])

        add(cluster, "head", cache(tmp_path, "head"))
        add(cluster, "host-b", cache(tmp_path, "b"), {"pixel2": 1}, at_b)
        c = add(cluster, "host-c", cache(tmp_path, "c"), {"pixel2": 1}, at_c)
        out = tmp_path / "cluster"
        environment = os.environ | {"XDG_CACHE_HOME": str(cache(tmp_path, "driver"))}

        def drive() -> subprocess.Popen[str]:
            arguments = command("--cluster", cluster.address, *asked, "--out", out)
            return subprocess.Popen(
                arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
            )

        first = drive()
        wait_for_rows(out, 1, first)
        first.kill()
        first.communicate()
        before = (out / "rows.jsonl").read_text()

        add(cluster, "host-d", cache(tmp_path, "d"), variables={"PYTHONPATH": path})
        second = drive()
        end = time.monotonic() + 400
        seen = len(stuck.commands)
        while not any(RUNS in said for said in stuck.commands[seen:]):
            assert second.poll() is None, second.communicate()[1]
            assert time.monotonic() < end, "host-c was given nothing"
            time.sleep(0.2)
        cluster.remove_node(c, allow_graceful=False)
        _, said = second.communicate(timeout=500)
        assert second.returncode == 0, said
        assert "Traceback" not in said
        assert "host-d is not used: it has onnxruntime 0.1 in place of" in said
        assert "Kept from before, not measured again: " in said
        assert "converted" not in said, "the artifacts were in the driver's cache"

        assert (out / "rows.jsonl").read_text().startswith(before)
        rows = rows_in(out)
        assert Counter(row["variant"] for row in rows) == Counter(VARIANTS), "a row is lost or doubled"
        assert {row["environment"]["host"] for row in rows} == {"host-b"}
        assert all(row["environment"]["host_cpu"] for row in rows)

        os.environ |= at_b
        local = bench(*asked, "--out", tmp_path / "local", XDG_CACHE_HOME=str(cache(tmp_path, "local")))
        assert local.returncode == 0, local.stderr
        assert judged(out) == judged(tmp_path / "local")


def test_two_hosts_convert_and_the_desktop_is_timed_on_one(
    cluster: Any, weights: Path, pictures: Path, tmp_path: Path
) -> None:
    add(cluster, "head", cache(tmp_path, "head"), resources={"desktop-cpu": 1})
    add(cluster, "host-b", cache(tmp_path, "b"))
    listed = bench("devices", "--cluster", "--json", RAY_ADDRESS=cluster.address)
    assert [(h["host"], h["devices"]) for h in json.loads(listed.stdout)] == [("head", ["desktop"]), ("host-b", [])]
    done = bench(
        *("--cluster", cluster.address, "--variants", ",".join(VARIANTS), "--formats", "pytorch,onnx", "--quick"),
        *("--resolution", "64x64", "--references", "none", "--checkpoints", weights, "--data", pictures),
        *("--out", tmp_path / "out"),
        XDG_CACHE_HOME=str(cache(tmp_path, "driver")),
    )
    assert done.returncode == 0, done.stderr
    assert {line.rpartition(" on ")[2] for line in done.stderr.splitlines() if "] converted" in line} == {
        "head",
        "host-b",
    }
    rows = rows_in(tmp_path / "out")
    assert len(rows) == 2 * len(VARIANTS)
    assert {row["environment"]["host"] for row in rows} == {"head"}
    assert all(row["status"] == "ok" for row in rows)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    done = bench("--cluster", "127.0.0.1:1", "--out", tmp_path, RAY_USAGE_STATS_ENABLED="0")
    assert done.returncode == 3
    assert "no cluster of Ray at 127.0.0.1:1: Connection refused" in done.stderr
    assert len(done.stderr.splitlines()) == 1, "Ray itself tries for minutes and says so each time"

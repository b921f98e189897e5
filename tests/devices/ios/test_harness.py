"""The app's sources and project, as far as they can be checked without Xcode: syntax, and that both sides agree."""

from __future__ import annotations

import json
import os
import plistlib
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from devices import job as jobs
from devices.contract import Config, Counts, Job, Result
from devices.desktop import timing
from devices.ios import link
from models.labels import BACKGROUND, LABELS
from tests.conftest import need

ROOT = Path(link.__file__).parent
SOURCES = sorted((ROOT / "Harness").glob("*.swift"))


def broken(source: bytes) -> list[str]:
    """The places of a Swift source that are not Swift."""
    try:
        import tree_sitter
        import tree_sitter_swift
    except ImportError as missing:
        need(f"{missing.name} is not installed (pip install tree-sitter tree-sitter-swift)")
    tree = tree_sitter.Parser(tree_sitter.Language(tree_sitter_swift.language())).parse(source)
    found, nodes = [], [tree.root_node]
    while nodes:
        node = nodes.pop()
        nodes += node.children
        if node.is_error or node.is_missing:
            found.append(f"line {node.start_point[0] + 1}: {source[node.start_byte : node.end_byte][:60]!r}")
    return found


def swift(name: str) -> str:
    return (ROOT / "Harness" / name).read_text()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_every_source_is_swift(path: Path) -> None:
    assert broken(path.read_bytes()) == []


@pytest.mark.parametrize("wrong", ["func f( {", "struct S { let x: Int", "let x = = 1"])
def test_what_is_not_swift_is_seen(wrong: str) -> None:
    assert broken(wrong.encode())


def project() -> dict[str, Any]:
    """project.pbxproj, an old-style property list, as a dictionary."""
    text = re.sub(r"/\*.*?\*/|^//.*$", "", (ROOT / "Harness.xcodeproj" / "project.pbxproj").read_text(), flags=re.M)
    text = re.sub(r'("[^"]*")|([\w./]+)', lambda word: word[1] or f'"{word[2]}"', text)
    signs = {"=": ":", ";": ",", "(": "[", ")": "]"}
    text = re.sub(r'"[^"]*"|[=;()]', lambda found: signs.get(found[0], found[0]), text)
    return json.loads(re.sub(r",(\s*[}\]])", r"\1", text).strip().rstrip(","))


def test_the_project_builds_every_source_for_ios_15() -> None:
    whole = project()
    objects = whole["objects"]
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for values in objects.values():
        by_kind.setdefault(values["isa"], []).append(values)
    (phase,) = by_kind["PBXSourcesBuildPhase"]
    built = {objects[objects[file]["fileRef"]]["path"] for file in phase["files"]}
    assert built == {path.name for path in SOURCES}
    (target,) = by_kind["PBXNativeTarget"]
    assert set(target["buildPhases"]) <= set(objects)
    assert objects[whole["rootObject"]]["targets"] == [key for key, v in objects.items() if v is target]
    settings = {
        v["name"]: v["buildSettings"] for v in by_kind["XCBuildConfiguration"] if "SDKROOT" in v["buildSettings"]
    }
    assert settings["Release"]["IPHONEOS_DEPLOYMENT_TARGET"] == "15.0"
    assert settings["Release"]["SWIFT_OPTIMIZATION_LEVEL"] == "-O"
    assert settings["Debug"]["SWIFT_ACTIVE_COMPILATION_CONDITIONS"] == "DEBUG"
    referred = {word for values in objects.values() for word in re.findall(r"\b\d{24}\b", json.dumps(values))}
    assert referred <= set(objects), "something refers to nothing"
    scheme = (ROOT / "Harness.xcodeproj/xcshareddata/xcschemes/Harness.xcscheme").read_text()
    assert set(re.findall(r'BlueprintIdentifier = "(\d+)"', scheme)) == set(objects[whole["rootObject"]]["targets"])
    assert 'LaunchAction buildConfiguration = "Release"' in scheme


def test_the_computer_may_open_the_apps_documents() -> None:
    values = plistlib.loads((ROOT / "Harness" / "Info.plist").read_bytes())
    assert values["UIFileSharingEnabled"] is True
    assert f"$(BUNDLE_PREFIX){link.SUFFIX}" in (ROOT / "Harness" / "Signing.xcconfig").read_text()


def test_the_app_reads_what_the_host_writes() -> None:
    text = swift("Job.swift")
    counts, job, go = (
        set(re.findall(r"^ +let (\w+):", text[text.index(start) :].split("}")[0], re.MULTILINE))
        for start in ("struct Counts", "let model: String", "struct Go")
    )
    # Minutes of load and repeats are not asked of an iPhone (devices.select).
    assert counts == {field.name for field in fields(Counts)} - {"sustained", "repeat"}
    told = {field.name for kind in (Config, Job) for field in fields(kind)}
    assert {"resolution", "sequences", "unit", "counts"} < job <= told
    assert go == set(re.findall(r'"(\w+)":', re.search(r"go\.write_text\(.*", Path(ROOT / "runner.py").read_text())[0]))  # type: ignore[index]


def test_the_app_writes_what_the_host_reads() -> None:
    text = swift("Answer.swift")
    written = set(re.findall(r'^ {12}"(\w+)":', text, re.MULTILINE))
    known = {field.name for field in fields(Result)}
    assert {"evidence", "model_ns", "pipeline_ns", "load_ns", "first_ns", "warm_up", "placement"} < written <= known
    assert text.index('\\"end\\":\\"done\\"') > text.index("JSONSerialization.data(withJSONObject: result")
    phases = set(re.findall(r'phase == "(\w+)"', (ROOT / "runner.py").read_text()))
    said = "".join(path.read_text() for path in SOURCES)
    assert phases == {"done", "failed", "interrupted", "timing"}
    assert all(re.search(rf'(say|status)\("{phase}"', said) for phase in phases)


def test_both_sides_mean_the_same_labels() -> None:
    network = swift("Network.swift")
    assert f"static let labels = {len(LABELS)}\n" in network
    # The app takes the person to be what the first channel, where an output begins, leaves.
    assert BACKGROUND == 0
    assert "= 1 - source[y * down + x * right]" in network
    assert f'var labels: URL {{ file("{jobs.LABELS_FILE}") }}' in swift("Answer.swift")


def test_the_app_names_its_facts_as_the_host_asks_for_them() -> None:
    told = set(re.findall(r'"(\w+)":', swift("Phone.swift"))) | {"battery"}
    asked = set(re.findall(r'facts\.get\("(\w+)"', (ROOT / "probe.py").read_text()))
    assert asked <= told
    assert 'facts["battery"]' in swift("Phone.swift")


def test_both_sides_warm_up_by_the_same_rule() -> None:
    values = dict(re.findall(r"static let (\w+) = ([\d.]+)", swift("Timing.swift")))
    assert {name: float(value) for name, value in values.items()} == {
        "fastShare": timing.FAST,
        "slowShare": timing.SLOW,
        "tolerance": timing.TOLERANCE,
        "similarLeast": timing.SIMILAR,
    }


def test_nothing_imports_the_gpl() -> None:
    for path in ROOT.rglob("*.py"):
        assert not re.search(r"^\s*(import|from) pymobiledevice3", path.read_text(), re.MULTILINE), os.fspath(path)

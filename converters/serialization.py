"""Specs and artifacts as JSON values, between processes and on disk."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from converters.artifact import Artifact, Parity, Spec


def encode_spec(spec: Spec) -> dict[str, Any]:
    return asdict(spec) | {"checkpoint": str(spec.checkpoint)}


def spec_of(values: dict[str, Any]) -> Spec:
    height, width = values["resolution"]
    return Spec(**values | {"checkpoint": Path(values["checkpoint"]), "resolution": (height, width)})


def encode_artifact(artifact: Artifact) -> dict[str, Any]:
    return asdict(artifact) | {"spec": encode_spec(artifact.spec), "path": str(artifact.path)}


def artifact_of(values: dict[str, Any]) -> Artifact:
    parity = Parity.from_dict(values["parity"]) if values["parity"] else None
    return Artifact(**values | {"spec": spec_of(values["spec"]), "path": Path(values["path"]), "parity": parity})

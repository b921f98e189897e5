"""A network with labels in a browser: nine channels as this machine makes them, the person judged and fed back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from converters import tflite
from converters.artifact import Artifact, Format, Spec
from converters.network import fold
from converters.registry import converter
from devices.contract import Job, MeasurementFailed, Result, Unit
from devices.data import Data, prepare
from devices.desktop.runner import Desktop
from devices.plan import Options, Plan, Weights, make
from devices.run import Outcome, measure
from devices.web import answer, described
from devices.web.app import Site
from devices.web.scheduler import Scheduler
from devices.web.serve import serving
from evaluation.clip import Clip, Dataset
from evaluation.labels import shares
from evaluation.sample import embedded
from evaluation.score import predict_labels
from models import checkpoint
from models.labels import LABELS, person
from models.reference import ReferenceModel
from reports.record import Run, record
from tests.devices.shallow import COUNTS, RESOLUTION, configured
from tests.devices.web.conftest import SOFTWARE_GPU
from tests.devices.web.test_chromium import measure as measure_in
from tests.devices.web.test_chromium import taken_by, the_result
from tests.devices.web.test_site import ANSWER, Page, outcome

NAME = "live-parts"


@pytest.mark.usefixtures("packages")
@pytest.mark.parametrize(("format", "unit"), [("tflite", "cpu"), ("onnx", "cpu"), ("tflite", "gpu")])
def test_labels_are_this_machines_and_the_person_is_fed_back(
    open_browser: Callable, ask: Callable[..., Job], parts, frames: np.ndarray, format: Format, unit: Unit
) -> None:
    job = configured(ask(parts[format], format, unit=unit), variant=NAME)
    result = the_result(measure_in(open_browser(*(SOFTWARE_GPU if unit == "gpu" else ())), [job]))
    session = converter(format).load(job.model)
    masks, labels = predict_labels(session, frames, job.sequences)
    alone, _ = predict_labels(session, frames, job.sequences, prev="empty")
    assert result.labels is not None
    assert result.labels.shape == (3, *RESOLUTION, 9)
    assert np.abs(result.labels.astype(int) - labels.astype(int)).max() <= 1
    assert np.ptp(labels, axis=-1).max() > 20, "labels that are all alike would agree in any order"
    assert np.abs(result.masks - masks).max() < (1e-4 if unit == "gpu" else 1e-5)
    assert np.abs(result.masks[1] - alone[1]).max() > 1e-3, "the person is not fed back"
    assert len(result.model_ns) >= 3
    assert len(result.pipeline_ns) >= 3


@pytest.fixture(scope="module")
def people() -> Dataset:
    """The beginning of a clip, and a still; of each person the top counts as hair, then face, and clothes below."""
    clips = {clip.name: clip for clip in embedded().clips}
    walk = replace(clips["walk"], frame_names=clips["walk"].frame_names[:3])
    return Dataset("people", "Two people in bands.", [banded(walk), banded(clips["astronaut-close"])])


def banded(clip: Clip) -> Clip:
    def truth(index: int) -> np.ndarray:
        label = clip.label(index)
        rows = np.flatnonzero((label == 1).any(axis=1))
        depth = (np.arange(len(label)) - rows[0]) / np.ptp(rows)
        band = np.select(
            [depth < 0.15, depth < 0.4], [LABELS.index("hair"), LABELS.index("face")], LABELS.index("clothes")
        )
        return np.where(label == 1, band[:, None], label).astype(np.uint8)

    return replace(clip, read_truth=truth)


@pytest.fixture(scope="module")
def plan_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Plan, dict[Spec, Artifact]]]:
    """The plan of a run on a device that measures the trained network, and its artifact, which is converted once."""
    path = checkpoint.FOLDER / f"{NAME}.safetensors"
    weights = {NAME: Weights(path, checkpoint.sha256(path))}
    out = tmp_path_factory.mktemp("trained") / f"{NAME}.tflite"

    def plan(device: str) -> tuple[Plan, dict[Spec, Artifact]]:
        made = make(Options(device=device, variants=NAME, formats=("tflite",), counts=COUNTS), weights)
        (spec,) = made.specs
        if not out.exists():
            tflite.convert(fold(checkpoint.load(path).network()), spec, out, None)
        return made, {spec: Artifact(spec, "key", out, out.stat().st_size, "0")}

    return plan


def outcomes(plan: Plan, made, runner, data: Data) -> Iterator[Outcome]:
    return (event for event in measure(plan.tasks, plan, made, runner, data) if isinstance(event, Outcome))


@pytest.mark.usefixtures("packages")
def test_the_browsers_row_judges_person_and_labels_as_the_desktops_does(browser, people: Dataset, plan_of) -> None:
    plan, made = plan_of("desktop")
    data = prepare(people, plan.tasks)
    (here,) = (record(one, COUNTS, data, Run("r", 0)) for one in outcomes(plan, made, Desktop(), data))
    plan, made = plan_of("web")
    (there,) = (
        record(one, COUNTS, data, Run("r", 0))
        for one in taken_by(browser, lambda fleet: outcomes(plan, made, fleet, data))
    )
    assert (here.status, there.status) == ("ok", "ok"), (here.reason, there.reason)
    assert there.device.startswith("web:")
    assert here.accuracy["iou"] > 0.8
    assert there.accuracy["iou"] == pytest.approx(here.accuracy["iou"], abs=1e-3)
    figures = {name: one["iou"] for name, one in here.accuracy["labels"]["labels"].items()}
    assert {"hair", "face", "clothes"} <= set(figures)
    assert len({round(iou, 2) for iou in figures.values()}) > 2, "figures that are all alike say nothing"
    found = {name: one["iou"] for name, one in there.accuracy["labels"]["labels"].items()}
    assert found == pytest.approx(figures, abs=1e-3)
    assert there.network["labels"] == list(LABELS)
    assert all(example["labels_jpeg"] for example in there.examples)


def given(job: Job) -> tuple[np.ndarray, np.ndarray]:
    """Labels of no network for a job, as shares, and the masks that go with them."""
    height, width = job.config.resolution
    drawn = np.random.default_rng(0).dirichlet(np.ones(9), (sum(job.sequences), height, width)).astype(np.float32)
    return shares(drawn), person(drawn)[..., 0]


@pytest.fixture
def labelled(ask: Callable[..., Job], tmp_path: Path) -> Job:
    model = tmp_path / "model.tflite"
    model.write_bytes(b"the model")
    return configured(ask(model, "tflite"), variant=NAME)


@pytest.fixture
def site(labelled: Job) -> Site:
    return Site([labelled], Scheduler([60.0]))


@pytest.fixture
def page(site: Site) -> Iterator[Page]:
    with serving(site) as places:
        yield Page(places.local)


def test_labels_and_their_masks_become_a_result(site: Site, page: Page, labelled: Job) -> None:
    labels, masks = given(labelled)
    path = page.begin()
    assert page.ask("PUT", f"{path}/masks", masks.tobytes())[0] == 204
    assert page.ask("PUT", f"{path}/labels", labels.tobytes())[0] == 204
    assert page.ask("PUT", f"{path}/result", ANSWER)[0] == 204
    result = outcome(site)
    assert isinstance(result, Result), result
    assert result.labels is not None
    assert np.array_equal(result.labels, labels)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda labels: None, "the page left no labels"),
        (lambda labels: labels[:1], r"labels\.u8 holds 36864 bytes where 3 frames take 110592"),
        (lambda labels: labels[..., ::-1], "the answer's masks are not the person in its labels"),
        (lambda labels: labels[::-1], "the answer's masks are not the person in its labels"),
    ],
)
def test_labels_that_do_not_go_with_the_masks_cost_the_configuration(
    site: Site, page: Page, labelled: Job, change: Callable, reason: str
) -> None:
    labels, masks = given(labelled)
    path = page.begin()
    page.ask("PUT", f"{path}/masks", masks.tobytes())
    if (sent := change(labels)) is not None:
        assert page.ask("PUT", f"{path}/labels", np.ascontiguousarray(sent).tobytes())[0] == 204
    assert page.ask("PUT", f"{path}/result", ANSWER)[0] == 422
    failure = outcome(site)
    assert isinstance(failure, MeasurementFailed)
    with pytest.raises(MeasurementFailed, match=reason):
        raise failure


def test_labels_have_a_limit_and_nobody_asks_a_mask_network_for_any(site: Site, page: Page, labelled: Job) -> None:
    path = page.begin()
    assert page.ask("PUT", f"{path}/labels", bytes(answer.labels_bytes(labelled) + 1))[0] == 413
    site.asked = [configured(labelled, variant="s16-skip-plain")]
    assert page.ask("PUT", f"{path}/labels", b"1")[0] == 404


def test_labels_of_other_peoples_networks_are_refused_in_a_sentence(labelled: Job) -> None:
    theirs = ReferenceModel("six", "six.tflite", "0" * 64, "CC0", RESOLUTION, "class-logits")
    plain = described.told(replace(labelled, reference=theirs))
    assert plain
    assert plain["refused"] is None
    told = described.told(replace(labelled, reference=replace(theirs, labels=(("hair", 1),))))
    assert told
    assert told["refused"] == "a browser takes labels of our own networks alone, not those of six"

"""The exported page: its folder, and in a real browser what it measures and what it saves."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import numpy as np
import pytest
from typer.testing import CliRunner

from bench import app
from cli.ending import NOT_MEASURED
from converters.artifact import Artifact, Failure
from converters.references import bring
from devices.contract import Config
from devices.data import prepare
from devices.open_model import inspected, open_model
from devices.plan import Options, Task, Weights, spec_of
from devices.web.export import folder, networks, sample
from evaluation.clip import Clip, Dataset, Label, Picture
from evaluation.score import predict, score
from models import reference as references
from models.reference import ReferenceModel
from reports import contributed, rows
from reports.rows import Row
from reports.statistics import round_effect
from tests.devices.shallow import COUNTS, RESOLUTION
from tests.devices.web.conftest import SOFTWARE_GPU
from tests.devices.web.test_chromium import wait_for

pytestmark = pytest.mark.usefixtures("packages")
PLACE = "some/path"
"""Under which the folder is served."""
ROUNDS = folder.Rounds(rounds=4, samples=2, seconds=30)


def scene(index: int, size: tuple[int, int]) -> tuple[Picture, Label]:
    """A bright disc that moves; around it a band that is not judged, in a corner a larger area."""
    height, width = size
    y, x = np.mgrid[:height, :width]
    distance = np.hypot(y - height / 2, x - width * (0.4 + 0.03 * index))
    label = (distance < height / 4).astype(np.uint8)
    label[abs(distance - height / 4) < 2] = 255
    label[: height // 5, : width // 4] = 255
    waves = 128 + 60 * np.sin(x / 9 + index)[..., None] * np.cos(y / 7)[..., None] * [1, 0.5, 0.8]
    return np.where(distance[..., None] < height / 4, 230, waves).astype(np.uint8), label


def clip(name: str, length: int, size: tuple[int, int]) -> Clip:
    names = (name,) if length == 1 else tuple(f"{name}/{i:03}" for i in range(length))
    return Clip(name, names, lambda index: scene(index, size))


@pytest.fixture(scope="module")
def pictures() -> Dataset:
    clips = [clip("moves", 7, (90, 120)), clip("turned", 4, (120, 90)), clip("still", 1, (100, 100))]
    return sample.excerpt(Dataset("discs", "A disc.", clips))


DESCRIPTION = """
licence = "of the user's"
resolution = [64, 64]
layout = "NHWC"
output = "probabilities"
output_layout = "NHWC"
previous_mask = "serving_default_prev_mask"
"""


def mine(model: Path, parent: Path) -> ReferenceModel:
    """The small network as a user's model, with its description file."""
    path = parent / "mine.tflite"
    path.write_bytes(model.read_bytes())
    path.with_name("mine.tflite.toml").write_text(DESCRIPTION)
    return inspected(path, None)


@pytest.fixture(scope="module")
def exported(pictures: Dataset, shallow_tflite: Path, packages: None, tmp_path_factory) -> Path:
    """The folder of a page with a small network of random weights beside MediaPipe's; its root is what is served."""
    config = Config("s16-skip-plain", "tflite", resolution=RESOLUTION, device="web")
    weights = Weights(shallow_tflite, "0" * 64)
    own = Task(config, weights, spec=spec_of(config, weights))
    reference = networks.described_task(references.read()["mediapipe-selfie"])
    assert own.spec
    root = tmp_path_factory.mktemp("root")
    yours = networks.described_task(mine(shallow_tflite, root.parent))
    made: dict[Task, Artifact | Failure] = {own: Artifact(own.spec, "key", shallow_tflite, 1, "0")}
    for task in (yours, reference):
        assert task.reference
        assert task.spec
        made[task] = bring(task.reference, task.spec)
    data = prepare(pictures, list(made))
    found = [networks.network_of(task, artifact, data.for_task(task)) for task, artifact in made.items()]
    folder.write(root / PLACE, found, pictures, COUNTS, ROUNDS, "0123456789abcdef")
    return root


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def served(root: Path) -> Iterator[int]:
    """The port of Python's own web server, which sets no headers."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


@pytest.fixture(scope="module")
def port(exported: Path) -> Iterator[int]:
    with served(exported) as port:
        yield port


def ready(browser, address: str) -> None:
    browser.get(address)
    wait_for(
        browser,
        "return document.querySelectorAll('#units input').length > 0 && !document.getElementById('start').disabled",
    )


def saved(browser) -> dict[str, Any]:
    """The file of rows, once the page is done."""
    wait_for(browser, "return document.body.dataset.state !== 'running'")
    assert browser.execute_script("return document.body.dataset.state") == "done", browser.page_source
    fetched = "fetch(document.getElementById('save').href).then((r) => r.json()).then(arguments[0])"
    return browser.execute_async_script(fetched)


def known(exported: Path) -> contributed.Known:
    from cli.importing import from_manifest

    return from_manifest(exported / PLACE)


def believed(values: dict[str, Any], exported: Path):
    found, refused = contributed.rows(values, known(exported), datetime.now(UTC))
    assert refused == []
    return found


def test_a_plain_file_server_under_a_sub_path_gives_a_page_that_measures_with_threads(
    browser, port: int, exported: Path, tmp_path: Path
) -> None:
    ready(browser, f"http://localhost:{port}/{PLACE}/")
    assert browser.execute_script("return crossOriginIsolated")
    browser.find_element("id", "start").click()
    values = saved(browser)
    manifest = folder.read(exported / PLACE)

    expected = {one["variant"]: one["expected"] for one in manifest["networks"]}
    assert {(one["network"]["variant"], one["threads"]) for one in values["configurations"]} >= {
        ("s16-skip-plain", 1),
        ("mediapipe-selfie", 1),
    }
    for one in values["configurations"]:
        assert one["status"] == "ok", one
        assert one["network"]["verified"] is True
        assert len(one["result"]["model_ns"]) >= COUNTS.samples
        theirs, ours = one["accuracy"], expected[one["network"]["variant"]]
        for figure in ("iou", "boundary_f"):
            assert theirs[figure] == pytest.approx(ours[figure], abs=1e-3)
        assert theirs["dtssd"] == pytest.approx(ours["dtssd"], abs=1e-3)
        for (name, *figures), (other, *others) in zip(theirs["per_image"], ours["per_image"], strict=True):
            assert name == other
            assert figures == pytest.approx(others, abs=1e-3)
        if one["network"]["variant"] == "s16-skip-plain":
            assert len(one["rounds"]["rounds"]) == ROUNDS.rounds
            assert all(len(r["own"]) >= 2 * ROUNDS.samples for r in one["rounds"]["rounds"])
    assert {one["network"]["variant"] for one in values["configurations"]} == {*expected}
    assert expected["mine"] == expected["s16-skip-plain"]  # the same file, described
    assert 0.05 < expected["s16-skip-plain"]["iou"] < 0.95  # so that equal means something

    asked = browser.execute_script("return performance.getEntriesByType('resource').map((one) => one.name)")
    assert {urlparse(url).hostname for url in asked if not url.startswith("blob:")} == {"localhost"}
    text = browser.find_element("tag name", "main").text
    assert "headless" in text
    assert "times as fast as mediapipe-selfie" in text
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")

    row_of_the_code(browser, exported, values, tmp_path)

    file, out = tmp_path / "rows.json", tmp_path / "out"
    file.write_text(json.dumps(values))
    command = ["import", str(file), "--export", str(exported / PLACE), "--out", str(out)]
    told = CliRunner().invoke(app, command)
    assert told.exit_code == 0, told.output
    assert f"{len(values['configurations'])} rows added" in told.stdout
    html = (out / "report.html").read_text()
    assert 'id="contributed"' in html
    assert 'id="measured"' not in html
    assert "Headless Chrome" in html
    assert "mine" in html
    assert str(exported.parent) not in json.dumps(manifest)  # no path of the machine that exported
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 0
    assert "0 rows added" in again.stdout

    values["configurations"][0]["network"]["sha256"] = "0" * 64
    file.write_text(json.dumps(values | {"id": "f" * 16}))
    told = CliRunner().invoke(app, command)
    assert told.exit_code == NOT_MEASURED
    assert "has another hash than the one known here" in told.stderr
    assert f"{len(values['configurations']) - 1} rows added" in told.stdout


def effects(row: Row) -> list[float]:
    return [round_effect(one["own"], one["reference"]) for one in row.timing["compared"]["rounds"]]


def row_of_the_code(browser, exported: Path, values: dict[str, Any], folder: Path) -> None:
    """The QR code that the page shows, photographed, read by OpenCV and imported: the row of the whole file."""
    details = browser.find_element("css selector", ".code")
    details.find_element("tag name", "summary").click()
    wait_for(browser, "return document.querySelector('.code p').textContent !== ''")
    canvas = details.find_element("tag name", "canvas")
    browser.execute_script("arguments[0].scrollIntoView({ block: 'center' })", canvas)
    photo, out = folder / "code.png", folder / "scanned"
    photo.write_bytes(canvas.screenshot_as_png)
    command = ["import", "--export", str(exported / PLACE), "--out", str(out)]
    told = CliRunner().invoke(app, [*command, str(photo)])
    assert told.exit_code == 0, told.output
    (row,), _ = rows.read(out / "rows.jsonl")
    (whole,) = [
        one
        for one in believed(values, exported)
        if one.variant == row.variant and one.threads == row.threads and one.unit == row.unit
    ]
    assert (row.run, row.cell, row.device) == (whole.run, whole.cell, whole.device)
    assert set(row.hazards) == set(whole.hazards)
    assert row.accuracy["iou"] == pytest.approx(whole.accuracy["iou"], abs=1e-4)
    assert {round(ns, -3) for ns in whole.timing["model_ns"]} >= set(row.timing["model_ns"])
    assert row.environment["page_samples_measured"] == len(whole.timing["model_ns"])
    assert effects(row) == pytest.approx(effects(whole), abs=0.01)
    text = canvas.get_attribute("data-text")
    told = CliRunner().invoke(app, [*command, f"https://example.org/#{text}"])
    assert told.exit_code == 0, told.output
    assert "1 of its rows are there already" in told.stderr


@pytest.fixture(scope="module")
def elsewhere(open_browser: Callable):
    """A browser for which this machine is some host of the network, without https."""
    return open_browser("--host-resolver-rules=MAP bench.test 127.0.0.1")


def test_of_a_network_with_labels_the_person_is_fed_back_and_judged(
    browser, parts, pictures: Dataset, tmp_path: Path
) -> None:
    model = parts["tflite"]
    config = Config("live-parts", "tflite", resolution=RESOLUTION, device="web")
    weights = Weights(model, "0" * 64)
    task = Task(config, weights, spec=spec_of(config, weights))
    assert task.spec
    data = prepare(pictures, [task])
    network = networks.network_of(task, Artifact(task.spec, "key", model, 1, "0"), data)
    folder.write(tmp_path / PLACE, [network], pictures, COUNTS, ROUNDS)
    with served(tmp_path) as port:
        ready(browser, f"http://localhost:{port}/{PLACE}/")
        browser.find_element("id", "start").click()
        values = saved(browser)
    alone = score(predict(open_model(model)[0], data.frames, data.sequences, prev="empty"), pictures)
    for one in values["configurations"]:
        assert one["status"] == "ok", one
        for figure in ("iou", "boundary_f", "dtssd"):
            assert one["accuracy"][figure] == pytest.approx(network.expected[figure], abs=1e-3)
        assert one["accuracy"]["dtssd"] != pytest.approx(alone.dtssd, abs=0.05), "the person is not fed back"
    assert len(values["configurations"]) >= 1


def test_without_https_there_is_one_thread_and_the_page_and_the_row_say_so(
    elsewhere, port: int, exported: Path
) -> None:
    ready(elsewhere, f"http://bench.test:{port}/{PLACE}/")
    assert "not isolated" in elsewhere.find_element("id", "isolation").text
    elsewhere.execute_script(
        "const m = document.getElementById('minutes'); m.options[1].value = 0.05; m.selectedIndex = 1"
    )
    elsewhere.find_element("id", "start").click()
    rows = believed(saved(elsewhere), exported)
    assert {row.threads for row in rows} == {1}
    loaded = [row for row in rows if "sustained" in row.timing]
    assert [row.variant in ("s16-skip-plain", "mine") for row in loaded] == [True]
    assert [bin["frames"] > 0 and 5 < bin["busy"] < 11 for bin in loaded[0].timing["sustained"]] == [True]
    assert all("not-isolated" in row.hazards for row in rows)
    assert "not-isolated" in elsewhere.find_element("id", "hazards").text


def test_cancelling_keeps_what_was_measured(browser, port: int, exported: Path) -> None:
    ready(browser, f"http://localhost:{port}/{PLACE}/")
    browser.find_element("id", "start").click()
    wait_for(browser, "return document.querySelectorAll('#results tr').length > 0")
    assert "left" in browser.find_element("id", "count").text
    # Chromium shares files on phones alone: what the page would hand over is looked at.
    browser.execute_script(
        "navigator.canShare = ({ files }) => files.length === 1;"
        "navigator.share = async ({ files }) => { window.shared = await files[0].text(); };"
    )
    browser.find_element("id", "cancel").click()
    values = saved(browser)
    assert values["cancelled"] is True
    browser.find_element("id", "share").click()
    wait_for(browser, "return window.shared !== undefined")
    assert json.loads(browser.execute_script("return shared")) == values
    assert len(values["configurations"]) > 0
    assert "Cancelled" in browser.find_element("id", "end").text


def test_the_share_that_is_kept_under_load_is_of_whole_minutes(browser, port: int) -> None:
    browser.get(f"http://localhost:{port}/{PLACE}/")
    script = """
      const [done] = arguments;
      const bench = (name) => import(new URL(`bench/${name}`, document.baseURI));
      (async () => {
        const { kept } = await bench("sustained.js");
        const bins = [..."2".repeat(6), ..."1".repeat(6)].map((frames) => ({ frames: Number(frames), busy: 1 }));
        return { kept: kept(bins), short: kept(bins.slice(0, 11)) };
      })().then(done, (error) => done(String(error)));
    """
    told = browser.execute_async_script(script)
    assert told == {"kept": {"first": 2, "last": 1, "share": 0.5}, "short": None}


def test_every_control_has_a_name_and_takes_the_focus(browser, port: int) -> None:
    ready(browser, f"http://localhost:{port}/{PLACE}/")
    for control in browser.find_elements("css selector", "button, input, select, a[id], summary"):
        if control.is_displayed() and control.is_enabled():
            assert control.accessible_name, control.get_attribute("outerHTML")
            browser.execute_script("arguments[0].focus()", control)
            assert browser.execute_script("return document.activeElement === arguments[0]", control)
    paints = browser.execute_script("return performance.getEntriesByName('first-contentful-paint')[0].startTime")
    assert paints < 2000


def test_the_figures_in_the_page_are_pythons(browser, port: int, pictures: Dataset) -> None:
    """Masks with holes, empty ones, full ones; labels with unjudged bands and areas, of several sizes."""
    browser.get(f"http://localhost:{port}/{PLACE}/")
    random = np.random.default_rng(1)
    labels = [clip.label(i) for clip in pictures.clips for i in range(len(clip))]
    masks = np.stack([np.kron(random.random((8, 7)), np.ones((6, 6))) for _ in labels]).astype(np.float32)
    masks[1], masks[2] = 0, 1
    found = score(masks, pictures)
    truth = sample.truth(pictures)
    script = """
      const [masks, size, codes, sizes, sequences, done] = arguments;
      const truth = codes.map((one, n) => ({ size: sizes[n], codes: Uint8Array.from(one) }));
      import(new URL("bench/metrics.js", document.baseURI)).then(({ score }) =>
        done(score(Float32Array.from(masks), size, truth, sequences)), (error) => done(String(error)));
    """
    told = browser.execute_async_script(
        script,
        masks.ravel().tolist(),
        list(masks.shape[1:]),
        [sample.codes(label).ravel().tolist() for label in labels],
        truth.sizes,
        [len(clip) for clip in pictures.clips],
    )
    assert told["iou"] == pytest.approx(found.iou, abs=1e-3)
    assert told["boundary_f"] == pytest.approx(found.boundary_f, abs=1e-3)
    assert told["dtssd"] == pytest.approx(found.dtssd, abs=1e-3)
    for one, (_, iou, boundary) in zip(told["frames"], found.per_image, strict=True):
        assert (one["iou"], one["boundary_f"]) == pytest.approx((iou, boundary), abs=1e-3)


@pytest.fixture(scope="module")
def filming(open_browser: Callable):
    """A browser with a camera, which Chromium makes up."""
    return open_browser("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", *SOFTWARE_GPU)


def test_the_camera_of_the_exported_page_shows_frames_and_saves_one(filming, port: int) -> None:
    filming.get(f"http://localhost:{port}/{PLACE}/{folder.CAMERA}")
    wait_for(filming, "return !document.getElementById('start').disabled")
    assert filming.execute_script("return crossOriginIsolated")
    assert "s16-skip-plain" in filming.find_element("id", "network").text
    filming.find_element("id", "start").click()
    wait_for(filming, "return Number(document.getElementById('fps').textContent) > 0")
    spy = "HTMLAnchorElement.prototype.click = function () { window.saved = [this.download, this.href]; }"
    filming.execute_script(spy)
    filming.execute_script("document.getElementById('snapshot').click()")
    wait_for(filming, "return window.saved !== undefined")
    size = filming.execute_async_script(
        "const [done] = arguments; const image = new Image();"
        "image.onload = () => done([saved[0], image.width, image.height]); image.src = saved[1];"
    )
    assert size[0] == "snapshot.png"
    assert size[1:] == filming.execute_script(
        "const c = document.getElementById('picture'); return [c.width, c.height]"
    )


def test_a_camera_that_was_refused_is_said(browser, port: int) -> None:
    browser.get(f"http://localhost:{port}/{PLACE}/{folder.CAMERA}")
    wait_for(browser, "return !document.getElementById('start').disabled")
    browser.find_element("id", "start").click()
    wait_for(browser, "return document.getElementById('reason').textContent !== ''")
    assert "camera" in browser.find_element("id", "reason").text


def test_the_manifest_has_the_hash_of_every_file(exported: Path) -> None:
    manifest = folder.read(exported / PLACE)
    files = {p.relative_to(exported / PLACE).as_posix(): p for p in (exported / PLACE).rglob("*") if p.is_file()}
    assert set(manifest["files"]) == set(files) - {folder.MANIFEST}
    assert all(hashlib.sha256(files[n].read_bytes()).hexdigest() == digest for n, digest in manifest["files"].items())
    assert sum(path.stat().st_size for path in files.values()) <= folder.LIMIT


def test_an_excerpt_has_the_middles_of_clips_and_says_what_it_is(pictures: Dataset) -> None:
    assert [len(clip) for clip in pictures.clips] == [5, 4, 1]
    assert pictures.clips[0].frame_names == tuple(f"moves/{i:03}" for i in range(1, 6))
    assert np.array_equal(pictures.clips[0].read(0)[0], scene(1, (90, 120))[0])
    assert pictures.name == "discs, 10 of 12 frames for the web"


def test_too_much_for_a_page_is_said_and_leaves_what_was_there(
    exported: Path, pictures: Dataset, tmp_path: Path
) -> None:
    before = sorted(tmp_path.iterdir())
    with pytest.raises(networks.NotExportable, match=r"would take \d+\.\d MB and 0 MB are the limit \(\w+ "):
        folder.write(tmp_path / "page", [], pictures, limit=1000)
    assert sorted(tmp_path.iterdir()) == before


def test_a_model_of_yours_is_put_on_a_page_by_the_command(shallow_tflite: Path, tmp_path: Path) -> None:
    described = mine(shallow_tflite, tmp_path)
    out = tmp_path / "site"
    command = ["web", "export", str(out), "--variants", "none", "--references", "none", "--models", described.file]
    told = CliRunner().invoke(app, command)
    assert told.exit_code == 0, told.output
    manifest = folder.read(out)
    (network,) = manifest["networks"]
    assert (network["variant"], network["reference"], network["sha256"]) == ("mine", None, described.sha256)
    assert network["described"]["previous_mask"] == "serving_default_prev_mask"
    assert manifest["files"][network["file"]] == described.sha256


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ('colour = "BGR"', "a page gives RGB in [0, 1]"),
        ("mean = [0.5, 0.5, 0.5]", "a page gives RGB in [0, 1]"),
        ("inverted = true", "a page feeds the picture, and the previous mask"),
        ('role = "reference"', "a page has one reference model"),
    ],
)
def test_a_model_of_yours_that_a_page_cannot_feed_is_refused(
    field: str, reason: str, shallow_tflite: Path, tmp_path: Path
) -> None:
    described = mine(shallow_tflite, tmp_path)
    Path(f"{described.file}.toml").write_text(f"{DESCRIPTION}{field}\n")
    told = CliRunner().invoke(app, ["web", "export", str(tmp_path / "site"), "--models", described.file])
    assert told.exit_code != 0
    assert reason in str(told.exception or told.output)
    assert not (tmp_path / "site").exists()


def test_a_folder_of_something_else_is_left_alone(pictures: Dataset, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("the only copy")
    with pytest.raises(networks.NotExportable, match="holds something else"):
        folder.write(tmp_path, [], pictures)
    assert (tmp_path / "thesis.txt").exists()


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"formats": ("openvino",)}, "a browser runs tflite and onnx, not openvino"),
        ({"precisions": ("int8",)}, "LiteRT.js takes no int8 tensors"),
        ({}, "s16-skip-plain has no checkpoint yet"),
    ],
)
def test_what_no_page_can_run_is_refused(asked: dict[str, Any], reason: str) -> None:
    options = Options(**{"device": "web", "variants": "s16-skip-plain", "formats": ("tflite",)} | asked)
    with pytest.raises(networks.NotExportable, match=reason):
        networks.tasks(options, [], {})


def test_a_reference_model_that_a_page_cannot_feed_is_refused() -> None:
    options = Options(device="web", variants="s16-skip-plain", formats=("tflite",))
    for name in ("deeplabv3-mobilenetv3", "mediapipe-selfie-int8"):
        with pytest.raises(networks.NotExportable, match=f"{name} cannot be on a page"):
            networks.tasks(options, [references.read()[name]], {})

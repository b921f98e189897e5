"""The page in a real browser: what it computes, what it sends, what it shows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from converters.artifact import Format, Precision
from converters.inspection.describe import describe
from converters.inspection.told import Told
from converters.references import fetch, open_reference
from devices import sustained
from devices.contract import Job, MeasurementFailed, Result, Unit
from devices.fleet import DeviceJoined, JobEnded, JobStarted
from devices.web.runner import Browsers
from evaluation.sample import embedded
from evaluation.score import predict
from models.reference import ReferenceModel
from models.reference import read as read_references
from models.segmenter import stretch
from tests.conftest import need
from tests.converters.inspection import graphs
from tests.devices.shallow import convert
from tests.devices.web.conftest import SOFTWARE_GPU

pytestmark = pytest.mark.usefixtures("packages")
SECONDS = 240.0
NO_SIMD = "const validate = WebAssembly.validate; WebAssembly.validate = (b) => b.length !== 28 && validate(b);"
"""A browser that finds the page's SIMD probe, of 28 bytes, invalid."""


def measure(browser, asked: list[Job], *, secure: bool = False, look: Callable | None = None) -> list:
    """What a run tells whose page `browser` opens; `look(browser)` is called again and again meanwhile."""
    return taken_by(browser, lambda fleet: fleet.run_all(asked), secure=secure, look=look)


def taken_by(
    browser, run: Callable[[Browsers], Iterable], *, secure: bool = False, look: Callable | None = None
) -> list:
    """All that `run` gives of a fleet whose page `browser` opens."""
    events: list = []
    addresses: list[str] = []

    def serve() -> None:
        events.extend(run(Browsers(usb=False, say=addresses.append, patience=SECONDS)))

    serving = threading.Thread(target=serve, daemon=True)
    serving.start()
    begin = "On any phone" if secure else "On this machine"
    while not (said := [words for words in addresses if words.startswith(begin)]):
        assert serving.is_alive(), "nothing was served"
        time.sleep(0.05)
    browser.get(said[0].split()[-1])
    wait_for(browser, "return document.body.dataset.state === 'ready' && !document.getElementById('start').disabled")
    browser.find_element("id", "start").click()
    end = time.monotonic() + SECONDS
    while serving.is_alive():
        assert time.monotonic() < end, browser.find_element("tag name", "body").text
        if look:
            look(browser)
        time.sleep(0.05)
    wait_for(browser, "return document.body.dataset.state === 'done'")
    return events


def wait_for(browser, script: str) -> None:
    end = time.monotonic() + SECONDS
    while not browser.execute_script(script):
        assert time.monotonic() < end, browser.find_element("tag name", "body").text
        time.sleep(0.05)


def wanted(job: Job, frames: np.ndarray, prev: str = "recurrent") -> np.ndarray:
    """The masks this machine makes of the same job."""
    from converters.registry import converter
    from evaluation.score import predict

    return predict(converter(job.config.format).load(job.model), frames, job.sequences, prev=prev)  # type: ignore[arg-type]


def the_result(events: list) -> Result:
    assert [type(event) for event in events] == [DeviceJoined, JobStarted, JobEnded]
    outcome = events[-1].outcome
    assert isinstance(outcome, Result), outcome
    return outcome


@pytest.mark.slow  # a bin of ten seconds
def test_minutes_of_load_come_in_bins_and_leave_the_masks_alone(browser, ask, models, frames) -> None:
    job = ask(models["tflite"], "tflite")
    job = replace(job, counts=replace(job.counts, sustained=0.02))
    result = the_result(measure(browser, [job]))
    (one,) = sustained.from_json(result.sustained)
    assert one.frames > 0
    assert one.busy == pytest.approx(sustained.BIN_SECONDS, rel=0.5), "all but laying out the frames"
    assert np.abs(result.masks - wanted(job, frames)).max() < 1e-3


@pytest.mark.parametrize(("format", "threads"), [("tflite", 1), ("tflite", 2), ("onnx", 2)])
def test_the_masks_are_the_desktops(browser, ask, models, frames, format: Format, threads: int) -> None:
    job = ask(models[format], format, threads=threads)
    result = the_result(measure(browser, [job]))
    assert np.abs(result.masks - wanted(job, frames)).max() < 1e-5
    assert np.abs(wanted(job, frames, prev="empty") - wanted(job, frames)).max() > 1e-3  # so feeding back is seen
    assert result.evidence == "measured"
    assert len(result.model_ns) >= 3
    assert min(result.model_ns) > 0
    assert len(result.pipeline_ns) >= 3
    assert result.placement["threads"] == threads
    assert result.placement["runtime"].startswith("LiteRT.js" if format == "tflite" else "ONNX Runtime Web 1.30")
    assert "headless" in result.environment.hazards
    assert result.environment.facts["isolated"] is True


@pytest.fixture(scope="session")
def gpu_browser(open_browser: Callable) -> Iterator:
    return open_browser(*SOFTWARE_GPU)


@pytest.mark.parametrize("format", ["tflite", pytest.param("onnx", marks=pytest.mark.slow)])
def test_webgpu_makes_the_same_masks(gpu_browser, ask, models, frames, format: Format) -> None:
    job = ask(models[format], format, unit="gpu")
    result = the_result(measure(gpu_browser, [job]))
    assert np.abs(result.masks - wanted(job, frames)).max() < 1e-4
    assert result.placement["actual"].startswith("WebGPU")
    assert "software-gpu" in result.environment.hazards


def test_a_browser_without_simd_runs_onnx_by_the_plain_build_and_says_why_not_tflite(
    open_browser, ask, models, frames
) -> None:
    browser = open_browser()
    browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": NO_SIMD})
    asked = [ask(models["onnx"], "onnx"), ask(models["tflite"], "tflite")]
    events = [event for event in measure(browser, asked) if isinstance(event, JobEnded)]
    assert isinstance(events[0].outcome, Result), events[0].outcome
    assert np.abs(events[0].outcome.masks - wanted(asked[0], frames)).max() < 1e-5
    assert events[0].outcome.placement["runtime"] == "ONNX Runtime Web 1.18.0"
    assert str(events[1].outcome) == "this browser has no WebAssembly SIMD, which LiteRT.js needs"


@pytest.mark.parametrize(
    ("unit", "why"), [("gpu", "finds no graphics processor"), ("npu", "browsers give no access to the NPU")]
)
def test_a_unit_that_is_missing_is_explained_on_the_page_and_in_the_row(
    browser, ask, models, unit: Unit, why: str
) -> None:
    events = measure(browser, [ask(models["onnx"], "onnx", unit=unit)])
    assert isinstance(events[-1].outcome, MeasurementFailed)
    assert why in str(events[-1].outcome)
    assert why in browser.find_element("id", "results").text


def test_what_litert_js_does_not_take_is_told_on_the_page_and_in_the_row_and_the_rest_is_measured(
    browser, ask, models
) -> None:
    job = ask(models["tflite"], "tflite")
    other = ReferenceModel("other", job.model.name, "0" * 64, "CC0", job.config.resolution, "probabilities")
    recurrent = replace(other, states=(("r1i", "r1o"),))
    refused = {
        "LiteRT.js 2.5.3 takes no int8 tensors": ask(models["tflite"], "tflite", precision="int8"),
        "a browser gives a model one picture and nothing else; other has states": replace(job, reference=recurrent),
    }
    events = measure(browser, [*refused.values(), job])
    *ended, last = [event.outcome for event in events if isinstance(event, JobEnded)]
    assert [str(outcome) for outcome in ended] == list(refused)
    assert isinstance(last, Result), last
    shown = browser.find_element("id", "results").text
    assert all(why in shown for why in refused)
    assert "3 of 3 done, 2 of them failed." in browser.find_element("tag name", "main").text


def test_models_of_others_give_the_masks_that_their_descriptions_give_here(browser, ask, frames, tmp_path) -> None:
    """Layouts, scales and orders of colours, classes and halved sides; MediaPipe's network in LiteRT.js."""
    graphs_of = {"mixed": graphs.mixed, "ids": graphs.ids64, "flat": graphs.flat, "half": graphs.halved}
    job = ask(tmp_path / "none", "onnx")
    red = np.random.default_rng(0).integers(0, 256, (sum(job.sequences), *graphs.SIZE, 3), np.uint8)
    red.tofile(tmp_path / "red.u8")
    asked = []
    for name, make in graphs_of.items():
        path = make(tmp_path / f"{name}.onnx")
        model = described(path)
        config = replace(job.config, resolution=graphs.SIZE)
        asked.append(replace(job, config=config, model=path, frames=tmp_path / "red.u8", reference=model))
    mediapipe = read_references()["mediapipe-selfie"]
    person = stretch(embedded().clips[0].read(0)[0], mediapipe.resolution)
    large = np.stack([np.roll(person, 20 * i, axis=1) for i in range(sum(job.sequences))])
    large.tofile(tmp_path / "large.u8")
    config = replace(job.config, format="tflite", resolution=mediapipe.resolution)
    asked.append(replace(job, config=config, model=fetch(mediapipe), frames=tmp_path / "large.u8", reference=mediapipe))
    outcomes = [event.outcome for event in measure(browser, asked) if isinstance(event, JobEnded)]
    for one, outcome in zip(asked, outcomes, strict=True):
        assert isinstance(outcome, Result), (one.reference, outcome)
        assert one.reference
        pictures = large if one.config.format == "tflite" else red
        here = predict(open_reference(one.reference, one.model), pictures, one.sequences)
        assert np.ptp(here) > 0.3
        assert np.abs(outcome.masks - here).max() < 1e-4, one.reference.name


def described(path: Path) -> ReferenceModel:
    """What an inspection finds in `path`, for colours in BGR from -1 to 1."""
    told = Told(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), colour="BGR", person_classes=())
    return describe(path, told, graphs.people())


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_onnx_of_other_precisions_gives_the_desktops_masks(
    browser, ask, frames, tmp_path, precision: Precision
) -> None:
    job = ask(convert(tmp_path, "onnx", precision), "onnx", precision=precision)
    result = the_result(measure(browser, [job]))
    # A quantised value may be rounded the other way, and no tighter bound holds for all of them.
    assert np.abs(result.masks - wanted(job, frames)).mean() < (1e-2 if precision == "int8" else 1e-3)


@pytest.mark.slow
def test_litert_js_does_take_no_int8_tensors(browser, ask, tmp_path) -> None:
    """The network called float32, so that it is tried. When this fails, LiteRT.js has learnt it: page/runtime.js."""
    (*_, end) = measure(browser, [ask(convert(tmp_path, "tflite", "int8"), "tflite")])
    assert isinstance(end.outcome, MeasurementFailed)
    assert "INT8 is not supported" in str(end.outcome)


def test_the_page_shows_speed_mask_and_a_clear_end(browser, ask, models) -> None:
    seen: dict[str, str] = {}

    def look(browser) -> None:
        fps = browser.execute_script("return document.getElementById('fps').textContent")
        if fps not in ("–", ""):
            seen["fps"] = fps
        seen["painted"] = seen.get("painted") or browser.execute_script(
            "const c = document.getElementById('preview');"
            "return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v, i) => i % 4 === 3 && v > 0)"
        )

    measure(browser, [ask(models["tflite"], "tflite")], look=look)
    assert float(seen["fps"]) > 0
    assert seen["painted"]
    text = browser.find_element("tag name", "main").text
    assert "that was all" in text
    assert "1 of 1 done" in text
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")


def test_https_on_the_network_gives_threads_too(open_browser, ask, models, frames) -> None:
    from devices.web import address

    need(None if address.lan() else "this machine has no address but its loopback")
    browser = open_browser("--ignore-certificate-errors")
    job = ask(models["onnx"], "onnx", threads=2)
    result = the_result(measure(browser, [job], secure=True))
    assert np.abs(result.masks - wanted(job, frames)).max() < 1e-5


def test_a_page_that_is_loaded_again_goes_on_and_the_retry_is_counted(browser, ask, models) -> None:
    reloaded = threading.Event()

    def look(browser) -> None:
        if not reloaded.is_set() and browser.execute_script("return document.body.dataset.state === 'running'"):
            reloaded.set()
            browser.refresh()

    events = measure(browser, [ask(models["onnx"], "onnx")], look=look)
    assert [type(event) for event in events] == [DeviceJoined, JobStarted, JobStarted, JobEnded]
    assert events[-1].outcome.retries == 1

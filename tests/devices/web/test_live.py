"""The camera's page in a real browser whose camera plays a clip: what is fed and shown, and that nothing leaves."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from devices.web.live import Live, show
from devices.web.serve import serving
from evaluation.sample import CLIPS, render
from models.labels import LABELS
from models.segmenter import Segmenter, glance, is_cut, stretch
from tests.devices.web.conftest import SOFTWARE_GPU
from tests.devices.web.test_chromium import wait_for
from video.parts import COLOURS, PALETTE
from video.recolour import recoloured, tones

pytestmark = pytest.mark.usefixtures("packages")

RESOLUTION = (64, 96)
SIZE = (120, 160)
COLOUR = "#28c850"
CAMERA = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", "--enable-unsafe-swiftshader")

SPY = """
window.spied = { pairs: [] };
const post = Worker.prototype.postMessage;
Worker.prototype.postMessage = function (question, ...rest) {
  const copy = question.frame && { frame: question.frame.slice(), previous: question.previous.slice() };
  const note = ({ data }) => spied.pairs.push({ ...copy, mask: data.answer.slice() });
  if (copy) this.addEventListener("message", note, { once: true });
  return post.call(this, question, ...rest);
};
const context = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, options) {
  return context.call(this, kind, { ...options, preserveDrawingBuffer: true });
};
"""
"""Notes what the network is asked and answers, and lets a canvas be read at any time."""

Bytes = NDArray[np.uint8]


@dataclass
class Page:
    """The page in a browser, and every request that its site was asked."""

    browser: Any
    site: Recorded

    def start(self) -> Page:
        self.run("document.getElementById('start').click()")
        self.frames(2)
        return self

    def run(self, script: str, *arguments: Any) -> Any:
        return self.browser.execute_script(script, *arguments)

    def set(self, id: str, on: bool) -> None:
        if self.run(f"return document.getElementById('{id}').checked") != on:
            self.run(f"document.getElementById('{id}').click()")

    def frames(self, count: int) -> list[dict[str, NDArray]]:
        """The next frames that are whole on the page, each {frame, previous, mask}."""
        already = self.run("return spied.pairs.length")
        wait_for(self.browser, f"return spied.pairs.length > {already + count}")
        # The last may not be drawn yet.
        return self.told("spied.pairs.slice(arguments[0], arguments[0] + arguments[1])", already, count)

    def told(self, pairs: str, *arguments: int) -> list[dict[str, NDArray]]:
        script = f"return {pairs}.map(({{ frame, previous, mask }}) => [[...frame], [...previous], [...mask]])"
        height, width = RESOLUTION
        return [
            {
                "frame": np.array(frame, np.uint8).reshape(height, width, 4)[..., :3],
                "previous": np.array(previous, np.float32).reshape(height, width),
                # (H, W), or (H, W, 9) of a network with labels.
                "mask": np.array(mask, np.float32).reshape(height, width, -1).squeeze(),
            }
            for frame, previous, mask in self.run(script, *arguments)
        ]

    def beginnings(self) -> int:
        """How often the network was given an empty previous mask."""
        return int(self.run("return spied.pairs.filter(({ previous }) => previous.every((one) => one === 0)).length"))

    def picture(self) -> Bytes:
        """What the canvas shows, (H, W, 3)."""
        return decoded(self.run("return document.getElementById('picture').toDataURL()"))

    def camera(self) -> Bytes:
        """What the camera sees, (H, W, 3)."""
        return decoded(
            self.run(
                "const video = document.getElementById('camera'), canvas = document.createElement('canvas');"
                "[canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];"
                "canvas.getContext('2d').drawImage(video, 0, 0); return canvas.toDataURL()"
            )
        )

    def text(self) -> str:
        return self.browser.find_element("tag name", "main").text


def decoded(url: str) -> Bytes:
    png = np.frombuffer(base64.b64decode(url.partition(",")[2]), np.uint8)
    return np.asarray(cv2.imdecode(png, cv2.IMREAD_COLOR), np.uint8)[..., ::-1]


class Recorded(Live):
    """The site, keeping what was asked of it."""

    def app(self) -> Any:
        inner = super().app()
        self.asked: list[tuple[str, str, bytes, bytes]] = []

        async def recording(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                sent = dict(scope["headers"]).get(b"content-length", b"0")
                path = scope["path"].removeprefix(f"/{self.token}")
                self.asked.append((scope["method"], path, scope["query_string"], sent))
            await inner(scope, receive, send)

        return recording


RED = (210, 40, 30)


def scene() -> Bytes:
    """A red disc, left of the middle, before a wall of blue and green waves."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    wall = np.stack([0 * x + 30, 90 + 40 * np.sin(x / 9), 150 + 60 * np.cos(y / 1.5)], -1)
    disc = np.hypot(y - 60, x - 55) < 36
    return np.where(disc[..., None], RED, wall).astype(np.uint8)


def soft_scene() -> Bytes:
    """A red disc with a soft edge, before a wall of one blue."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    cover = np.clip((36 - np.hypot(y - 60, x - 55)) / 8 + 0.5, 0, 1)[..., None]
    return (cover * RED + (1 - cover) * (30, 110, 200)).astype(np.uint8)


def write_clip(path: Path, frames: list[Bytes]) -> Path:
    """Y4M, which Chromium's camera plays again and again."""
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{SIZE[1]} H{SIZE[0]} F15:1 Ip A1:1 C420jpeg\n".encode())
        for frame in frames:
            file.write(b"FRAME\n" + cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420).tobytes())
    return path


@pytest.fixture(scope="session")
def red(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TFLite network of the contract for which red is a person, and the more so what was one a frame before."""
    import torch

    from converters import tflite
    from converters.artifact import Spec
    from models.hourglass import Hourglass
    from models.variant import Variant

    class Red(Hourglass):
        def forward(self, frame: torch.Tensor, prev_mask: torch.Tensor | None = None) -> torch.Tensor:
            # Joined, as Nhwc hands them over.
            red, green, _, before = frame.unbind(1)
            return torch.sigmoid(40 * (red - green) - 10 + 3 * before)[:, None]

    folder = tmp_path_factory.mktemp("red")
    network = Red(Variant(depths=(0, 0, 0))).eval()
    spec = Spec("red", folder, "", "tflite", "fp32", RESOLUTION)
    return tflite.convert(network, spec, folder / "red.tflite", None)


@pytest.fixture(scope="session")
def red_hair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TFLite network with the nine labels, for which red is hair and the rest background."""
    import torch

    from converters import tflite
    from converters.artifact import Spec
    from models.hourglass import Hourglass
    from models.variant import Variant

    class RedHair(Hourglass):
        def forward(self, frame: torch.Tensor, prev_mask: torch.Tensor | None = None) -> torch.Tensor:
            red, green, _, before = frame.unbind(1)
            hair = 40 * (red - green) - 10 + 3 * before
            never = torch.full_like(red, -30)
            return torch.softmax(torch.stack([0 * red, hair, *[never] * 7], 1), 1)

    folder = tmp_path_factory.mktemp("red-hair")
    network = RedHair(Variant(depths=(0, 0, 0))).eval()
    spec = Spec("red-hair", folder, "", "tflite", "fp32", RESOLUTION)
    return tflite.convert(network, spec, folder / "red-hair.tflite", None)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "camera.y4m", [scene()] * 2)


@pytest.fixture(scope="session")
def filmed(open_browser: Callable, clip: Path) -> Any:
    return with_spy(open_browser(*CAMERA, f"--use-file-for-fake-video-capture={clip}"))


def with_spy(browser: Any) -> Any:
    browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": SPY})
    return browser


@pytest.fixture
def open_page(red: Path) -> Iterator[Callable[[Any], Page]]:
    with opening(red) as make:
        yield make


@contextmanager
def opening(network: Path) -> Iterator[Callable[[Any], Page]]:
    site, browsers = Recorded(network, network.stem), []
    with serving(site) as places:

        def make(browser: Any) -> Page:
            browsers.append(browser)
            browser.get(places.local)
            wait_for(browser, "return !document.getElementById('start').disabled")
            return Page(browser, site)

        yield make
        # A page that films on takes the processors from every later test.
        for browser in browsers:
            browser.get("about:blank")


@pytest.fixture
def page(open_page: Callable[[Any], Page], filmed: Any) -> Page:
    return open_page(filmed)


def test_the_network_sees_what_the_desktops_would_and_answers_alike(page: Page, red: Path) -> None:
    from devices.open_model import open_model

    page.start().set("feedback", False)
    pair = page.frames(3)[-1]
    small = stretch(page.camera(), RESOLUTION)
    assert np.abs(pair["frame"].astype(int) - small).max() <= 2
    session, resolution = open_model(red)
    assert resolution == RESOLUTION
    desktop = Segmenter(session, resolution)
    assert np.abs(pair["mask"] - desktop.mask(pair["frame"])).max() < 1e-5
    assert ((pair["mask"] > 0.5) != (desktop.mask(small) > 0.5)).mean() < 0.002
    assert 0.1 < (pair["mask"] > 0.5).mean() < 0.4


def test_the_previous_mask_is_fed_back_and_its_switch_stops_that(page: Page) -> None:
    page.start()
    first = page.told("spied.pairs.slice(0, 2)")
    assert not first[0]["previous"].any()
    assert np.array_equal(first[1]["previous"], first[0]["mask"])
    fed = page.frames(3)
    for before, after in pairwise(fed):
        assert np.array_equal(after["previous"], before["mask"])
        assert before["mask"].max() > 0.5
    page.set("feedback", False)
    alone = page.frames(3)[-1]
    assert not alone["previous"].any()
    assert np.abs(alone["mask"] - fed[-1]["mask"]).max() > 0.01


def waves(height: float, phase: float) -> Bytes:
    """One wave from left to right about a grey, at a phase in degrees."""
    wave = np.sin(np.linspace(0, 2 * np.pi, RESOLUTION[1], endpoint=False) + np.radians(phase))
    return np.broadcast_to((100 + height * wave)[None, :, None], (*RESOLUTION, 3)).round().astype(np.uint8)


def test_what_is_a_cut_here_is_one_there(page: Page) -> None:
    """cut.js beside models/segmenter.py, on the same pairs of frames, some on either side of the rule."""
    shots = [render(shot, t)[0] for name in ("talk", "cut") for shot in CLIPS[name] for t in range(0, shot.length, 5)]
    frames = [stretch(one, RESOLUTION) for one in (*shots, scene(), soft_scene(), scene()[::-1])]
    frames += [(frames[0] * gain).astype(np.uint8) for gain in (0.95, 0.8, 0.6, 0.3)]
    # Correlated by the cosine of their phases' difference.
    frames += [waves(30, phase) for phase in (0, 45, 60, 75)] + [waves(8, phase) for phase in (0, 180)]
    rgba = [base64.b64encode(np.dstack([f, np.full(RESOLUTION, 255, np.uint8)]).tobytes()).decode() for f in frames]
    script = (
        "const { glance, isCut } = await import(new URL('page/cut.js', document.baseURI));"
        "const bytes = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));"
        "const seen = arguments[0].map((text) => glance(bytes(text), arguments[1]));"
        "return [seen.map((one) => [...one]), seen.map((a) => seen.map((b) => isCut(a, b)))];"
    )
    seen, cuts = page.run(f"return (async function () {{ {script} }}).apply(null, arguments)", rgba, RESOLUTION)
    glances = [glance(frame) for frame in frames]
    assert np.abs(np.array(seen).reshape(-1, 16, 16, 3) - glances).max() < 0.003
    expected = [[is_cut(a, b) for b in glances] for a in glances]
    assert cuts == expected
    assert 0.1 < np.mean(expected) < 0.9


def test_no_mask_is_carried_over_a_cut(open_browser: Callable, open_page: Callable, tmp_path: Path) -> None:
    shots = [scene()] * 10 + [255 - scene()[::-1]] * 10
    clip = write_clip(tmp_path / "cut.y4m", shots)
    page = open_page(with_spy(open_browser(*CAMERA, f"--use-file-for-fake-video-capture={clip}"))).start()
    pairs, carried = page.frames(25), []
    for before, after in pairwise(pairs):
        cut = is_cut(glance(before["frame"]), glance(after["frame"]))
        assert np.array_equal(after["previous"], np.zeros(RESOLUTION) if cut else before["mask"])
        carried.append(not cut)
    assert 0 < sum(carried) < len(carried)


def test_the_old_background_is_taken_out_of_the_edge(
    open_browser: Callable, open_page: Callable, tmp_path: Path
) -> None:
    """Before black, which sheds no light, a mixed pixel is the person's own colour as dark as its alpha says."""
    clip = write_clip(tmp_path / "soft.y4m", [soft_scene()] * 2)
    page = open_page(with_spy(open_browser(*CAMERA, f"--use-file-for-fake-video-capture={clip}"))).start()
    page.set("mirror", False)
    page.set("feedback", False)
    page.run("document.getElementById('colour').value = '#000000'")
    page.run("document.getElementById('colour').dispatchEvent(new Event('input'))")
    page.set("show-mask", True)
    page.frames(2)
    alpha = page.picture()[..., 0] / 255
    page.set("show-mask", False)
    page.frames(2)
    shown, camera = page.picture().astype(float), page.camera().astype(float)
    edge = (alpha > 0.1) & (alpha < 0.95)
    assert edge.sum() > 100
    person = shown[edge] / alpha[edge][:, None]
    assert np.abs(person - RED).mean() < 0.7 * np.abs(camera[edge] - RED).mean()


@pytest.mark.parametrize("mirror", [True, False])
def test_the_person_is_the_cameras_and_the_rest_the_colour(page: Page, mirror: bool) -> None:
    page.start().set("mirror", mirror)
    page.run("document.getElementById('colour').value = arguments[0]", COLOUR)
    page.run("document.getElementById('colour').dispatchEvent(new Event('input'))")
    page.set("show-mask", True)
    page.frames(2)
    alpha = page.picture()[..., 0]
    page.set("show-mask", False)
    page.frames(2)
    shown, camera = page.picture().astype(int), page.camera().astype(int)
    if mirror:
        camera = camera[:, ::-1]
    colour = np.array([int(COLOUR[i : i + 2], 16) for i in (1, 3, 5)])
    outside = alpha == 0
    # The light of the background wraps around the edge.
    inside = cv2.erode((alpha == 255).astype(np.uint8), np.ones((33, 33))) == 1
    assert 0.6 < outside.mean() < 0.9
    assert inside.mean() > 0.02
    assert np.abs(shown - camera)[inside].max() <= 2
    assert np.abs(shown - colour)[outside].max() <= 1
    assert np.abs(shown - camera)[outside].max(-1).min() > 20
    disc = np.nonzero(alpha > 127)[1].mean()
    assert disc == pytest.approx(SIZE[1] - 1 - 55 if mirror else 55, abs=3)


def test_a_tinted_background_is_that_of_the_command(page: Page) -> None:
    page.start().set("mirror", False)
    page.run("document.getElementById('tint').value = arguments[0]", COLOUR)
    page.run("document.getElementById('tint').dispatchEvent(new Event('input'))")
    assert page.run("return document.querySelector('[name=behind]:checked').value") == "tint"
    page.set("show-mask", True)
    page.frames(2)
    alpha = page.picture()[..., 0]
    page.set("show-mask", False)
    page.frames(2)
    shown, camera = page.picture(), page.camera()
    tint = tones((0x28 / 255, 0xC8 / 255, 0x50 / 255))
    expected = recoloured(camera, tint).astype(int)
    outside, inside = alpha == 0, alpha == 255
    assert np.abs(shown - expected)[outside].max() <= 3
    assert np.abs(shown.astype(int) - camera)[inside].max() <= 1
    assert np.abs(expected - camera)[outside].max(-1).mean() > 20


def test_parts_are_given_another_colour_and_labels_are_drawn(filmed: Any, red_hair: Path) -> None:
    with opening(red_hair) as open_page:
        page = open_page(filmed).start()
        assert page.browser.find_element("id", "parts").is_displayed()
        page.set("mirror", False)
        page.set("feedback", False)
        page.run("document.querySelector('[value=none]').click()")
        page.set("show-mask", True)
        page.frames(2)
        alpha = page.picture()[..., 0]
        page.set("show-mask", False)
        page.frames(2)
        camera = page.camera()
        assert np.abs(page.picture().astype(int) - camera).max() <= 1
        page.run("document.getElementById('hair-colour').value = arguments[0]", COLOUR)
        page.run("document.getElementById('hair-colour').dispatchEvent(new Event('input'))")
        page.frames(2)
        made = page.picture().astype(int)
        tint = tones((0x28 / 255, 0xC8 / 255, 0x50 / 255))
        outside, inside = alpha == 0, alpha == 255
        assert 0.05 < inside.mean() < 0.4
        assert np.abs(made - recoloured(camera, tint))[inside].max() <= 3
        assert np.abs(made - camera)[outside].max() <= 1
        page.set("hair", False)
        page.set("overlay", True)
        page.frames(2)
        drawn = page.picture().astype(int)
        sure_inside = cv2.erode(inside.astype(np.uint8), np.ones((7, 7))) == 1
        sure_outside = cv2.erode(outside.astype(np.uint8), np.ones((7, 7))) == 1
        for label, where in (("hair", sure_inside), ("background", sure_outside)):
            assert np.abs(drawn - (0.4 * camera + 0.6 * 255 * COLOURS[LABELS.index(label)]))[where].max() <= 4
        assert page.browser.find_element("id", "legend").text.split() == list(LABELS)
        theirs = page.run("return import(new URL('page/labels.js', document.baseURI)).then(({ PALETTE }) => PALETTE)")
        assert {name: tuple(colour) for name, colour in theirs.items()} == PALETTE


def test_the_previous_mask_of_a_network_with_labels_is_the_persons(filmed: Any, red_hair: Path) -> None:
    with opening(red_hair) as open_page:
        page = open_page(filmed).start()
        for before, after in pairwise(page.frames(3)):
            person = 1 - before["mask"][..., 0]
            assert np.abs(after["previous"] - person).max() < 1e-6
            assert person.max() > 0.9


def test_parts_are_offered_of_a_network_with_labels_alone(page: Page) -> None:
    assert not page.browser.find_element("id", "parts").is_displayed()
    assert not page.browser.find_element("id", "as-it-is").is_displayed()


def test_the_mask_is_brought_to_the_pictures_edges(page: Page) -> None:
    page.start().set("mirror", False)
    page.set("feedback", False)
    page.set("show-mask", True)
    pair = page.frames(3)[-1]
    alpha = page.picture()[..., 0] / 255
    assert np.abs(alpha - joint_bilateral(pair["mask"], pair["frame"] / 255, page.camera() / 255)).max() < 0.03
    truth = scene()[..., 0] > 150
    enlarged = cv2.resize(pair["mask"], SIZE[::-1], interpolation=cv2.INTER_LINEAR)
    assert np.abs(alpha - truth).mean() < 0.85 * np.abs(enlarged - truth).mean()


def joint_bilateral(mask: NDArray, small: NDArray, picture: NDArray) -> NDArray:
    """What the shader REFINE says, for every pixel."""
    where = [(np.arange(n) + 0.5) / n * of - 0.5 for n, of in zip(picture.shape[:2], mask.shape, strict=True)]
    enlarged = cv2.resize(mask, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    total, weights = 1e-3 * enlarged, np.full_like(enlarged, 1e-3)
    for shift in np.ndindex(5, 5):
        taps = [np.round(at) + step - 2 for at, step in zip(where, shift, strict=True)]
        away = np.add.outer(*(np.square(tap - at) for tap, at in zip(taps, where, strict=True)))
        inside = np.ix_(*(np.clip(tap, 0, n - 1).astype(int) for tap, n in zip(taps, mask.shape, strict=True)))
        unlike = np.square(small[inside] - picture).sum(-1)
        weight = np.exp(-0.5 * (away / 1.2**2 + unlike / 0.1**2))
        total, weights = total + weight * mask[inside], weights + weight
    share = np.clip((total / weights - 0.15) / 0.7, 0, 1)
    return share * share * (3 - 2 * share)


def test_a_blurred_background_has_no_halo_of_the_person(page: Page) -> None:
    page.start().set("mirror", False)
    page.frames(2)
    shown, camera = page.picture().astype(int), page.camera().astype(int)
    disc = (scene()[..., 0] > 150).astype(np.uint8)
    around = cv2.dilate(disc, np.ones((15, 15))) - cv2.dilate(disc, np.ones((7, 7))) == 1
    inside = cv2.erode(disc, np.ones((9, 9))) == 1
    assert shown[..., 0][around].max() < 60
    assert np.abs(shown - camera)[inside].max() <= 2
    rows = np.abs(np.diff(shown[:, 120:, 2], axis=0)).mean()
    assert rows < 0.4 * np.abs(np.diff(camera[:, 120:, 2], axis=0)).mean()


def test_a_picture_fills_the_background_unmirrored_and_nothing_else_does(page: Page, tmp_path: Path) -> None:
    halves = np.zeros((50, 200, 3), np.uint8)
    halves[:, :100], halves[:, 100:] = (40, 200, 80), (20, 120, 240)
    cv2.imwrite(str(tmp_path / "halves.png"), halves[..., ::-1])
    (tmp_path / "notes.txt").write_text("no picture")
    page.start()
    page.browser.find_element("id", "file").send_keys(str(tmp_path / "halves.png"))
    wait_for(page.browser, "return document.querySelector('[value=picture]').checked")
    page.frames(2)
    shown = page.picture().astype(int)
    assert np.abs(shown[2, 10] - halves[0, 0]).max() <= 2
    assert np.abs(shown[2, -10] - halves[0, -1]).max() <= 2
    page.browser.find_element("id", "file").send_keys(str(tmp_path / "notes.txt"))
    wait_for(page.browser, "return document.getElementById('complaint').textContent")
    assert "This browser can read no picture in notes.txt." in page.text()


def test_speed_and_every_stage_are_shown_and_go_on(page: Page) -> None:
    page.start()
    wait_for(page.browser, "return Number(document.getElementById('fps').textContent) > 0")
    for stage in ("read", "network", "composite"):
        assert float(page.browser.find_element("id", f"ms-{stage}").text) > 0
    page.run("for (const id of ['fps', 'ms-read']) document.getElementById(id).textContent = 'old'")
    wait_for(page.browser, "return document.getElementById('ms-read').textContent !== 'old'")
    assert float(page.browser.find_element("id", "fps").text) > 0
    assert page.run("return document.documentElement.scrollWidth <= innerWidth")


def test_nothing_leaves(page: Page) -> None:
    assert "never leave this device" in page.text()
    loaded = len(page.site.asked)
    page.start()
    page.set("show-mask", True)
    page.set("feedback", False)
    page.frames(5)
    assert page.site.asked[loaded:] == []
    assert {(method, query, sent) for method, _, query, sent in page.site.asked} == {("GET", b"", b"0")}
    sent = page.run(
        "const post = (at) => fetch(at, { method: 'POST', body: 'pixels' }).then((r) => r.status, () => 'refused');"
        "return Promise.all([post('https://example.org/'), post('model')])"
    )
    assert sent == ["refused", 405]
    worker = page.run("return fetch('page/network-worker.js').then((answer) => [...answer.headers])")
    assert "connect-src 'self'" in dict(worker)["content-security-policy"]


def test_a_camera_of_another_size_begins_anew(page: Page) -> None:
    page.start()
    page.run(
        "const [track] = document.getElementById('camera').srcObject.getVideoTracks();"
        "return track.applyConstraints({ width: 60, height: 80 })"
    )
    wait_for(page.browser, "return document.getElementById('picture').width === 60")
    page.frames(1)
    assert page.picture().shape == (80, 60, 3)
    assert page.beginnings() == 2


def test_a_page_that_is_seen_again_begins_anew(page: Page) -> None:
    page.start()
    # Headless Chromium hides no tab, so that the event is sent by hand.
    page.run("document.dispatchEvent(new Event('visibilitychange'))")
    page.frames(2)
    assert page.beginnings() == 2


def test_the_network_may_move_to_another_unit(open_browser: Callable, open_page: Callable, clip: Path) -> None:
    browser = open_browser(*CAMERA, *SOFTWARE_GPU, f"--use-file-for-fake-video-capture={clip}")
    page = open_page(with_spy(browser)).start()
    page.set("feedback", False)
    choices = page.run("return [...document.getElementById('unit').options].map((option) => option.text)")
    assert choices[-1].startswith("GPU")
    cpu = page.frames(3)[-1]
    page.run("const unit = document.getElementById('unit'); unit.selectedIndex = unit.length - 1")
    page.run("document.getElementById('unit').dispatchEvent(new Event('change'))")
    wait_for(page.browser, "return document.getElementById('network').textContent.includes('WebGPU')")
    gpu = page.frames(3)[-1]
    assert np.abs(gpu["mask"] - cpu["mask"]).max() < 1e-3


def test_a_refused_camera_is_a_sentence_and_may_be_granted_later(
    open_browser: Callable, open_page: Callable, clip: Path
) -> None:
    browser = with_spy(open_browser(*CAMERA[1:], f"--use-file-for-fake-video-capture={clip}"))
    page = open_page(browser)
    for setting in ("denied", "granted"):
        browser.execute_cdp_cmd("Browser.setPermission", {"permission": {"name": "camera"}, "setting": setting})
        if setting == "denied":
            page.run("document.getElementById('start').click()")
            wait_for(browser, "return document.getElementById('reason').textContent")
            assert "The camera was refused. Allow it for this page" in page.text()
    page.start()
    assert "refused" not in page.text()


def test_no_camera_is_a_sentence(open_browser: Callable, open_page: Callable) -> None:
    page = open_page(open_browser(CAMERA[0], "--use-fake-device-for-media-stream=device-count=0", CAMERA[2]))
    page.run("document.getElementById('start').click()")
    wait_for(page.browser, "return document.getElementById('reason').textContent")
    assert "This browser finds no camera." in page.text()


def test_a_camera_that_is_taken_away_is_a_sentence(page: Page) -> None:
    page.start()
    page.run("document.getElementById('camera').srcObject.getTracks()[0].dispatchEvent(new Event('ended'))")
    assert "The camera was taken away." in page.text()
    page.start()


def test_what_is_no_network_is_told_on_the_page(open_browser: Callable, tmp_path: Path) -> None:
    (tmp_path / "broken.tflite").write_bytes(b"not a model")
    browser = open_browser(*CAMERA)
    with serving(Live(tmp_path / "broken.tflite", "broken")) as places:
        browser.get(places.local)
        wait_for(browser, "return document.getElementById('reason').textContent")
        assert browser.execute_script("return document.getElementById('start').disabled")


def test_the_command_says_where_the_page_is(red: Path) -> None:
    said: list[str] = []
    threading.Thread(target=show, args=(red, "red", False, said.append), daemon=True).start()
    end = time.monotonic() + 60
    while "Ctrl-C ends it." not in said:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert any(words.startswith("On this machine open http://localhost:") for words in said)

"""The embedded dataset: made at run time, nothing downloaded, exact truth.

Five people are moved over person-free photographs that scikit-image and scikit-learn ship. Four were filmed and are
shown frame by frame (`evaluation/people`, made by scripts/make_sample.py): a man at a desk, whose face and hands move,
and three speakers. The fifth is scikit-image's portrait of astronaut Eileen Collins, cut out with a matte of our own
(`evaluation/astronaut/person.png`: outlined by hand, its edge refined by closed-form matting, checked by eye). Camera
and person move on smooth seeded paths, so every frame's truth is known without labelling: it is the matte itself, moved
alike and cut at 0.5.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.clip import Alpha, Clip, Dataset, Label, Picture

NAME = "embedded sample"
DESCRIPTION = (
    "Five people, a man filmed at a desk, three speakers and the portrait of astronaut Eileen Collins, "
    "composited on person-free photographs of scikit-image and scikit-learn and moved by seeded camera and body "
    "motion: {clips} clips of {length} frames and {stills} stills, two of them the portrait as it was taken and "
    "{empty} without a person. The truth is exact, but these are five faces: it tells whether an artifact works and "
    "how it compares with its siblings, not how a network generalises. The speakers were among the pictures that live "
    "and its sizes were trained on, not the twelve. Pictures: {credits}."
)

CREDITS = (
    "astronaut: NASA, public domain",
    "office-man: a CC0 clip, keyed and cut out",
    "three speakers: the GRID corpus, M. Cooke et al. 2006, CC BY 4.0, cut out",
    "motorcycle: D. Scharstein et al., Middlebury stereo data sets 2014",
    "coffee: Rachel Michetti, CC0",
    "rocket: SpaceX, CC0",
    "chelsea (a cat): Stéfan van der Walt, CC0",
    "china: danielbuechele, CC BY 2.0",
    "flower: vultilion, CC BY 2.0",
)
"""Where the pictures come from."""

LENGTH = 18
LANDSCAPE, PORTRAIT = (360, 480), (480, 360)
HERE = Path(__file__).parent / "astronaut"
PEOPLE = Path(__file__).parent / "people"

BELT = 342
"""The portrait's row at which the cut-out ends: below it she holds a helmet, which is neither person nor scene."""

Sway = Callable[[int, float], float]
Matrix = NDArray[np.floating]
Cutout = tuple[Picture, NDArray[np.uint8]]
"""The person's own colours (h, w, 3) and the matte (h, w), 255 where the person covers all of a pixel."""


@dataclass(frozen=True)
class Person:
    """Someone to composite, in pixels of the pictures that the cut-outs were made from."""

    hip: tuple[float, float]
    """(x, y) about which the body turns, in the last row of the cut-out."""
    reach: float
    """From the hip to where the body ends at a side."""
    frames: int = 1
    below: int = 42
    """Rows between the frame's last one and the cut-out's, which no sway may bring into the frame."""


PEOPLE_SHOWN = {
    "astronaut": Person((196.0, float(BELT)), 190),
    "office-man": Person((160.0, 192.0), 138, frames=36),
    "sbia1a": Person((183.0, 264.0), 125, frames=4, below=24),
    "sbwe5n": Person((162.0, 264.0), 100, frames=9, below=24),
    "swiz3n": Person((163.0, 264.0), 140, frames=18, below=24),
}

HANDS, LEANS = 0, 18
"""The first frame of office-man's two runs of 18: the hands go up to the neck; he leans back."""


@dataclass(frozen=True)
class Shot:
    """A run of frames in one scene. Amplitudes are those of the slow swaying about a mean."""

    scene: str
    seed: int
    person: str | None = "astronaut"
    """Of `PEOPLE_SHOWN`; None: the scene alone."""
    since: int = 0
    """The person's frame in the shot's first; the next follow one by one, and the last one stays."""
    size: tuple[int, int] = LANDSCAPE
    length: int = 1
    zoom: float = 0.95
    """Pixels of the person in the frame per pixel of the cut-out."""
    at: float = 0.5
    """Where the person stands, as a share of the frame's width."""
    mirrored: bool = False
    camera: float = 0.3
    """How much the camera sways: 0 is a tripod, 1 a walking hand."""
    body: float = 0.5
    """How much the person moves: 0 is a statue, 1 leans from side to side."""
    enters: int | None = None
    """The frame in which the person begins to come in from the side; None: there from the start."""
    gain: float = 1.0
    """Brightness of the person against the cut-out's."""


CLIPS: dict[str, tuple[Shot, ...]] = {
    "talk": (Shot("motorcycle", 1, "office-man", HANDS, length=LENGTH, zoom=2.2, camera=0.1, body=0.1, gain=0.95),),
    "walk": (Shot("china", 2, "swiz3n", length=LENGTH, zoom=1.45, camera=1.0, body=0.5, mirrored=True),),
    "entry": (
        Shot("rocket", 3, "office-man", LEANS, length=LENGTH, zoom=1.7, camera=0.25, body=0.3, enters=4, gain=0.8),
    ),
    "cut": (
        Shot("coffee", 4, length=LENGTH // 2, zoom=1.0, at=0.36, camera=0.3, body=0.6, gain=0.9),
        Shot("flower", 5, "sbwe5n", length=LENGTH - LENGTH // 2, zoom=1.4, at=0.6, body=0.3, mirrored=True),
    ),
}

STILLS: tuple[Shot, ...] = (
    Shot("motorcycle", 11, "swiz3n", 5, size=PORTRAIT, zoom=1.55, gain=0.9),
    Shot("motorcycle", 12, "office-man", LEANS + 12, zoom=1.75, at=0.34, mirrored=True, gain=0.9),
    Shot("china", 13, "sbia1a", size=PORTRAIT, zoom=1.5, mirrored=True),
    Shot("china", 14, zoom=1.0, at=0.62),
    Shot("coffee", 15, "sbwe5n", 8, size=PORTRAIT, zoom=1.7, gain=0.85),
    Shot("coffee", 16, "office-man", LEANS + 7, zoom=1.65, at=0.64),
    Shot("rocket", 17, "office-man", LEANS + 15, size=PORTRAIT, zoom=1.8, gain=0.7),
    Shot("rocket", 18, "sbia1a", 2, zoom=1.3, at=0.4, gain=0.7),
    Shot("flower", 19, size=PORTRAIT, zoom=1.35, mirrored=True, gain=0.9),
    Shot("flower", 20, "office-man", HANDS + 16, zoom=2.2, at=0.47, body=0.1, gain=0.9),
    Shot("chelsea", 21, "swiz3n", 17, size=PORTRAIT, zoom=1.7),
    Shot("chelsea", 22, "sbwe5n", zoom=1.25, at=0.6, mirrored=True),
    Shot("china", 23, None, size=PORTRAIT),
    Shot("motorcycle", 24, None),
)


@cache
def embedded(seed: int = 0) -> Dataset:
    """The sample: four clips (`talk`, `walk`, `entry`, `cut`) and the stills, the same to the byte for one seed.

    Frames are made when they are first read and then kept, about 60 MB in all.
    """
    clips = [_clip(name, tuple(replace(s, seed=s.seed + 100 * seed) for s in shots)) for name, shots in CLIPS.items()]
    stills = [_clip(f"{s.scene}-{i:02}", (replace(s, seed=s.seed + 100 * seed),)) for i, s in enumerate(STILLS, 1)]
    as_taken = [
        Clip("astronaut", ("astronaut",), lambda _: portrait()),
        Clip("astronaut-close", ("astronaut-close",), lambda _: _close()),
    ]
    description = DESCRIPTION.format(
        clips=len(clips),
        length=LENGTH,
        stills=len(stills) + len(as_taken),
        empty=sum(s.person is None for s in STILLS),
        credits="; ".join(CREDITS),
    )
    return Dataset(NAME, description, (*clips, *stills, *as_taken))


@cache
def portrait() -> tuple[Picture, Label]:
    """The photograph as it was taken, (512, 512), with its label; the helmet she holds is not judged."""
    label = (_matte("person.png") >= 128).astype(np.uint8)
    label[_matte("helmet.png") >= 128] = 255
    return _photograph("skimage", "data/astronaut.png"), label


def _close() -> tuple[Picture, Label]:
    picture, label = portrait()
    return picture[:BELT, :456], label[:BELT, :456]


def render(shot: Shot, t: int) -> tuple[Picture, Label]:
    """Frame `t` of a shot and its exact label, a pure function of both."""
    picture, alpha = compose(shot, t)
    return picture, (alpha >= 128).astype(np.uint8)


def compose(shot: Shot, t: int) -> tuple[Picture, NDArray[np.uint8]]:
    """`render` with the matte (H, W) uint8 itself, 255 where the person covers all of a pixel."""
    import cv2

    sway = _sway(shot.seed)
    camera = _camera(shot, sway, t)
    behind = _warp(_scene(shot.scene, shot.size), camera, shot.size)
    light = _brightness(1 + 0.05 * sway(6, t))
    if shot.person is None:
        return np.asarray(cv2.LUT(behind, light), np.uint8), np.zeros(shot.size, np.uint8)
    person = PEOPLE_SHOWN[shot.person]
    colours, matte = _cutout(shot.person, min(shot.since + t, person.frames - 1))
    x, y = _ripple(np.linalg.inv(camera @ _body(shot, person, sway, t) @ _flip(shot.mirrored, person)), shot, sway, t)
    front = cv2.LUT(_remap(colours, x, y), _brightness(shot.gain))
    alpha = _remap(matte, x, y)
    cover = alpha.astype(np.float32) / np.float32(255)
    return np.asarray(cv2.LUT(cv2.blendLinear(front, behind, cover, 1 - cover), light), np.uint8), alpha


def _clip(name: str, shots: tuple[Shot, ...]) -> Clip:
    moments = [(shot, t) for shot in shots for t in range(shot.length)]
    names = (name,) if len(moments) == 1 else tuple(f"{name}/{i:03}" for i in range(len(moments)))

    @cache
    def read(index: int) -> tuple[Picture, Label]:
        pair = render(*moments[index])
        for shared in pair:
            shared.setflags(write=False)
        return pair

    def read_alpha(index: int) -> Alpha:
        return compose(*moments[index])[1].astype(np.float32) / np.float32(255)

    return Clip(name, names, read, read_alpha=read_alpha)


# Where things are: 3x3 matrices over (x, y, 1), from cut-out to scene to frame.


def _sway(seed: int) -> Sway:
    """Smooth paths in [-1, 1]: `sway(channel, t)`, each channel two slow sines of its own."""
    generator = np.random.default_rng(seed)
    periods = generator.uniform((34, 15), (70, 28), (8, 2))
    phases = generator.uniform(0, 2 * math.pi, (8, 2))

    def sway(channel: int, t: float) -> float:
        slow, fast = np.sin(2 * math.pi * t / periods[channel] + phases[channel])
        return float(0.75 * slow + 0.25 * fast)

    return sway


def _camera(shot: Shot, sway: Sway, t: float) -> Matrix:
    height, width = shot.size
    scale = 1 + 0.03 * shot.camera * sway(0, t)
    turn = math.radians(1.2) * shot.camera * sway(1, t)
    shift = 14 * shot.camera * sway(2, t), 9 * shot.camera * sway(3, t)
    return _about((width / 2, height / 2), scale, turn, (width / 2 + shift[0], height / 2 + shift[1]))


def _body(shot: Shot, person: Person, sway: Sway, t: float) -> Matrix:
    height, width = shot.size
    scale = shot.zoom * (1 + 0.03 * shot.body * sway(4, t))
    turn = math.radians(3.5) * shot.body * sway(5, t)
    x = width * shot.at + 26 * shot.body * sway(7, t)
    if shot.enters is not None:
        left = 1 - min(max((t - shot.enters) / 12, 0.0), 1.0)
        x += left * left * (width - x + person.reach * shot.zoom)
    return _about(person.hip, scale, turn, (x, height + person.below))


def _about(centre: tuple[float, float], scale: float, turn: float, to: tuple[float, float]) -> Matrix:
    """Scale and turn (radians, clockwise as seen) about `centre`, which goes to `to`."""
    c, s = scale * math.cos(turn), scale * math.sin(turn)
    x, y = centre
    return np.array([[c, -s, to[0] - c * x + s * y], [s, c, to[1] - s * x - c * y], [0, 0, 1]])


def _flip(mirrored: bool, person: Person) -> Matrix:
    return np.array([[-1, 0, 2 * person.hip[0]], [0, 1, 0], [0, 0, 1]]) if mirrored else np.eye(3)


def _ripple(to_cutout: Matrix, shot: Shot, sway: Sway, t: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """For every pixel of the frame, the cut-out's x and y it shows; cloth and hair give a little."""
    height, width = shot.size
    u, v = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    (a, b, c), (d, e, f) = to_cutout[:2].astype(np.float32)
    x, y = a * u + b * v + c, d * u + e * v + f
    reach = 2.5 * shot.body
    across = reach * np.sin(y / 28 + 3 * sway(6, t))
    along = reach * np.sin(x / 31 + 3 * sway(7, t))
    return x + across.astype(np.float32), y + along.astype(np.float32)


# What is seen: photographs, the cut-out, and resampling.


def _photograph(package: str, file: str) -> Picture:
    """A picture out of an installed package's data, found without importing the package, which takes seconds."""
    from PIL import Image

    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"the embedded sample needs {package}, which is not installed")
    with Image.open(Path(spec.origin).parent / file) as image:
        return np.array(image.convert("RGB"))


PHOTOGRAPHS = {
    "motorcycle": ("skimage", "data/motorcycle_left.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "rocket": ("skimage", "data/rocket.jpg"),
    "chelsea": ("skimage", "data/chelsea.png"),
    "china": ("sklearn", "datasets/images/china.jpg"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
}

CLOSE_UPS = {"coffee", "chelsea"}
"""Things as large as a person in their photographs, put out of focus as they would be behind one."""


@cache
def _scene(name: str, size: tuple[int, int]) -> Picture:
    """The middle of a photograph, a sixth larger than the frame so that the camera may sway."""
    import cv2

    photograph = _photograph(*PHOTOGRAPHS[name])
    height, width = (round(side * 7 / 6) for side in size)
    scale = max(height / photograph.shape[0], width / photograph.shape[1])
    whole = cv2.resize(
        photograph, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    )
    top, left = (whole.shape[0] - height) // 2, (whole.shape[1] - width) // 2
    middle = np.ascontiguousarray(whole[top : top + height, left : left + width], np.uint8)
    return np.asarray(cv2.GaussianBlur(middle, (0, 0), 5), np.uint8) if name in CLOSE_UPS else middle


@cache
def _matte(file: str) -> NDArray[np.uint8]:
    from PIL import Image

    with Image.open(HERE / file) as image:
        return np.array(image)


@cache
def _cutout(person: str, frame: int) -> Cutout:
    """One of a person's cut-outs."""
    from PIL import Image

    if person == "astronaut":
        return _astronaut()
    with Image.open(PEOPLE / person / f"{frame:02}.webp") as image:
        cutout = np.array(image)
    return np.ascontiguousarray(cutout[..., :3]), np.ascontiguousarray(cutout[..., 3])


@cache
def _astronaut() -> Cutout:
    """The portrait, (512, 512), the studio taken out of the soft edge."""
    photograph, _ = portrait()
    matte = _matte("person.png")
    alpha = matte[..., None].astype(np.float32) / 255
    inside, outside = _spread(photograph, matte > 242), _spread(photograph, matte < 13)
    unmixed = np.clip((photograph - (1 - alpha) * outside) / np.maximum(alpha, 0.1), 0, 255)
    colours = alpha * unmixed + (1 - alpha) * inside
    above = np.where(np.arange(len(matte))[:, None] < BELT, matte, 0).astype(np.uint8)
    return np.round(colours).astype(np.uint8), above


def _spread(photograph: Picture, region: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The colours of a region, carried some pixels beyond it."""
    import cv2

    weight = region[..., None].astype(np.float32)
    colours = cv2.GaussianBlur(photograph * weight, (0, 0), 3)
    return np.asarray(colours / np.maximum(cv2.GaussianBlur(weight, (0, 0), 3), 1e-4)[..., None], np.float32)


def _brightness(gain: float) -> NDArray[np.uint8]:
    """The lookup table that multiplies an 8-bit value."""
    return np.clip(np.round(np.arange(256) * gain), 0, 255).astype(np.uint8)


def _warp(scene: Picture, camera: Matrix, size: tuple[int, int]) -> Picture:
    import cv2

    height, width = size
    middle = _about((scene.shape[1] / 2, scene.shape[0] / 2), 1, 0, (width / 2, height / 2))
    seen = cv2.warpAffine(scene, (camera @ middle)[:2], (width, height), borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(seen, np.uint8)


def _remap(picture: NDArray[np.uint8], x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.uint8]:
    import cv2

    return np.asarray(cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT), np.uint8)

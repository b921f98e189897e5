"""A small data folder in the development layout, drawn here: coloured blobs on coloured noise."""

import json

import cv2
import numpy as np
import pytest

GREEN = (0, 255, 0)


def picture(rng, height=90, width=70):
    colour = rng.integers(0, 255, 3)
    noise = cv2.resize(rng.integers(0, 255, (8, 8, 3), np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    mask = np.zeros((height, width), np.uint8)
    centre = (int(width * rng.uniform(0.35, 0.65)), int(height * rng.uniform(0.4, 0.6)))
    cv2.ellipse(mask, centre, (width // 4, height // 3), float(rng.uniform(0, 40)), 0, 360, 255, -1)
    return np.where(mask[..., None] > 0, colour.astype(np.uint8), noise), mask


def write_pair(folder, name, rng, to_mask=lambda m: m):
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "masks").mkdir(exist_ok=True)
    image, mask = picture(rng)
    cv2.imwrite(str(folder / "images" / f"{name}.jpg"), image[..., ::-1])
    cv2.imwrite(str(folder / "masks" / f"{name}.png"), to_mask(mask))


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for i in range(12):
        write_pair(root / "selfies", f"s{i}", rng)
    for i in range(30):
        write_pair(root / "portraits", f"{i:04d}", rng)
    for i in range(4):
        write_pair(root / "ccp", f"{i:04d}", rng, lambda m: np.where(m > 0, 19, 0).astype(np.uint8))
        write_pair(root / "ccp-upper", f"{i:04d}", rng, lambda m: np.where(m > 0, 7, 0).astype(np.uint8))
    (root / "cutouts").mkdir()
    for i in range(3):
        image, mask = picture(rng)
        cv2.imwrite(str(root / "cutouts" / f"{i}_0.png"), np.dstack([image[..., ::-1], mask]))
    for i in (
        6,
        7,
        8,
    ):  # Of which 6 is held out. A person on the left, a chair (VOC's 9) of one bright green on the right.
        image, mask = picture(rng)
        mask = np.where(mask > 0, 15, 0).astype(np.uint8)
        image[30:80, 50:68], mask[30:80, 50:68] = GREEN, 9
        (root / "voc-person" / "images").mkdir(parents=True, exist_ok=True)
        (root / "voc-person" / "masks").mkdir(exist_ok=True)
        cv2.imwrite(str(root / "voc-person" / "images" / f"{i}.png"), image[..., ::-1])
        cv2.imwrite(str(root / "voc-person" / "masks" / f"{i}.png"), mask)
    for i in range(9):  # Every third frame is kept; the speaker walks to the right.
        image, mask = np.zeros((90, 120, 3), np.uint8), np.zeros((90, 120), np.uint8)
        image[:, 4 * i + 20 : 4 * i + 60], mask[:, 4 * i + 20 : 4 * i + 60] = (200, 90, 30), 255
        folder = root / "talking-heads" / "s1"
        (folder / "images").mkdir(parents=True, exist_ok=True)
        (folder / "masks").mkdir(exist_ok=True)
        cv2.imwrite(str(folder / "images" / f"{i}.jpg"), image[..., ::-1])
        cv2.imwrite(str(folder / "masks" / f"{i}.png"), mask)
    (root / "backgrounds" / "rooms").mkdir(parents=True)
    for i in range(4):
        noise = cv2.resize(rng.integers(0, 255, (9, 9, 3), np.uint8), (100, 80), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(root / "backgrounds" / "rooms" / f"{i}.jpg"), noise)
    (root / "ccp" / "classes.json").write_text(json.dumps({"0": "null", "19": "hair"}))
    return root


@pytest.fixture(scope="session")
def store(data, tmp_path_factory):
    from training import datasets
    from training import store as stores

    photos = [*datasets.development(data), *datasets.voc_things(data / "voc-person")]
    return stores.build(tmp_path_factory.mktemp("store"), photos)

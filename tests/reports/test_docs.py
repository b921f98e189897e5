"""README.md and docs/: every table is what `make docs` writes, every picture the one that was stamped."""

from __future__ import annotations

import shutil
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from models import checkpoint, reference
from models.arguments import WRONG_USAGE
from models.cost import macs, parameters
from models.variant import VARIANTS
from reports import docs, measured
from reports.docs import PAGES, faults, filled, gather
from reports.results import GENERAL, NONE, SHORT, TABLES, TITLES, Facts, Network, ablation, short, times
from tests.conftest import ROOT, need

MEASURED = measured.read()


@pytest.fixture(scope="module")
def facts() -> Facts:
    return gather(MEASURED)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_tables_are_what_make_docs_writes(path: Path, facts: Facts) -> None:
    assert path.read_text() == filled(path.read_text(), facts), "make docs"


def test_every_table_stands_somewhere() -> None:
    assert {found["name"] for path in PAGES for found in docs.MARKER.finditer(path.read_text())} == set(TABLES)


def test_pictures_are_those_that_were_stamped() -> None:
    assert faults(MEASURED) == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


@pytest.mark.parametrize("name", [name for name in SHORT if name in VARIANTS])
def test_parameters_and_macs_are_todays(name: str, facts: Facts) -> None:
    variant, count = VARIANTS[name], facts.networks[name].count
    if not count:
        pytest.skip("not counted yet: make docs-measure")
    assert (count["parameters"], count["macs"]) == (parameters(variant), macs(variant, variant.resolution))


@pytest.mark.slow
def test_instructions_are_todays(qemu: str, facts: Facts) -> None:
    from profiling.arm import count_variant

    count = facts.networks["live-fast"].count
    if not count:
        pytest.skip("not counted yet: make docs-measure")
    assert count["arm"]["fp32"] == pytest.approx(count_variant(VARIANTS["live-fast"]), rel=1e-3)


def made(**changes: object) -> dict:
    """A time of live beside MediaPipe general, of today's weights."""
    path = checkpoint.find("live")
    assert path
    return {
        "network": "live",
        "key": measured.weights_key(checkpoint.load(path)),
        "reference": GENERAL,
        "reference_key": measured.weights_key(reference.read()[GENERAL]),
        "precision": "fp32",
        "processor": "Made-up CPU (AVX2)",
        "date": "2026-01-02",
        "rounds": 48,
        "median": 0.5,
        "low": 0.4,
        "high": 0.6,
        "reference_ms": 3.0,
        "points": [{"data": "selfie-val", "images": 20, "points": 0.25, "low": -1.0, "high": 1.5}],
        **changes,
    }


def test_a_time_of_other_weights_is_not_shown() -> None:
    fresh, former, beside = made(), made(key="of former weights"), made(reference_key="of another file")
    measurements = {"counts": {}, "pictures": {}, "times": [former, beside, fresh]}
    assert gather(measurements).networks["live"].times == (fresh,)


def test_a_count_of_another_shape_is_not_shown() -> None:
    variant = VARIANTS["live"]
    other = replace(variant, resolution=(variant.resolution[0] + 16, variant.resolution[1]))
    of_now, of_other = measured.shape_key(variant), measured.shape_key(other)
    assert of_now != of_other
    measurements = {"pictures": {}, "times": [], "counts": {of_other: {"parameters": 7}}}
    assert gather(measurements).networks["live"].count == {}


def test_metrics_of_another_file_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    known = reference.read()
    assert gather(MEASURED).networks[GENERAL].ious
    monkeypatch.setattr(reference, "read", lambda: known | {GENERAL: replace(known[GENERAL], sha256=64 * "0")})
    assert gather(MEASURED).networks[GENERAL].ious == {}


def test_a_key_of_weights_is_not_of_the_card() -> None:
    path = checkpoint.find("s32-noskip-plain")
    assert path
    one = checkpoint.load(path)
    key = measured.weights_key(one)
    assert measured.weights_key(replace(one, card={}, sha256="")) == key
    name, tensor = next(iter(one.state.items()))
    assert measured.weights_key(replace(one, state={**one.state, name: tensor + 1})) != key
    assert measured.weights_key(replace(one, variant=replace(one.variant, resolution=(64, 64)))) != key


def network(name: str, **values: object) -> Network:
    return Network(name, (64, 32), **values)  # type: ignore[arg-type]


def test_the_short_table() -> None:
    one, other = made(), made(processor="Another CPU", median=0.7)
    table = short(
        Facts(
            {
                "live": network(
                    "live",
                    ious={"selfie-val2": 94.96},
                    count={"arm": {"fp32": 19_084_000}, "tflite_bytes": 512_000},
                    times=(one,),
                ),
                "live-fast": network("live-fast", times=({**one, "network": "live-fast"},)),
                "live-best": network("live-best", times=({**other, "network": "live-best"},)),
                GENERAL: network(GENERAL),
            }
        )
    )
    assert table.lines == [
        "| network | IOU, selfie-val2 | time on Made-up CPU (AVX2), share of MediaPipe general's | "
        "ARM instructions, M a frame | size, MB |",
        "|---|---|---|---|---|",
        "| `live-fast` 64x32 | – | 0.50 (0.40 to 0.60) | – | – |",
        "| `live` 64x32 | 95.0 | 0.50 (0.40 to 0.60) | 19.08 | 0.51 |",
        "| `live-best` 64x32 | – | – | – | – |",
        "| MediaPipe general 64x32 | – | 1 (3.0 ms) | – | – |",
        "",
        "Times: LiteRT, one thread, 48 rounds in one process, median and 95 % interval; 2026-01-02.",
    ]


def test_times_have_a_table_for_each_processor_and_precision() -> None:
    entries = (made(), made(precision="int8", points=[]), made(processor="Another CPU"))
    lines = times(Facts({"live": network("live", times=entries)})).lines
    assert [line.partition(".")[0] for line in lines if "beside" in line] == [
        "Another CPU, float32, beside MediaPipe general",
        "Made-up CPU (AVX2), float32, beside MediaPipe general",
        "Made-up CPU (AVX2), int8, beside MediaPipe general",
    ]
    assert "| `live` | 0.50 (0.40 to 0.60) | +0.2 (-1.0 to +1.5) |" in lines


def test_an_ablation_of_other_networks_is_not_shown() -> None:
    networks = {"s4-skip-plain": network("s4-skip-plain")}
    text = "Judged on faces at {}, 9 pictures.\n\n| idea | IOU |\n|---|---|\n| skips | +1 |\n"
    assert ablation(Facts(networks, text.format("64x32"))).lines[-1] == "| skips | +1 |"
    assert ablation(Facts(networks, text.format("32x32"))).lines == ["Not measured for the networks as they are today."]


def test_a_page_is_filled_between_its_markers() -> None:
    facts = Facts({"live": network("live", ious={"selfie-val": 97.5})})
    page = "Before\n\n<!-- make docs: accuracy -->\nold\n<!-- end -->\n\nAfter\n"
    once = filled(page, facts)
    assert once.startswith("Before\n\n<!-- make docs: accuracy ")
    assert once.endswith("| `live` | 64x32 | 97.5 | – | – | – | – |\n<!-- end -->\n\nAfter\n")
    assert filled(once, facts) == once
    changed = filled(once, Facts({"live": network("live", ious={"selfie-val": 97.51})}))
    assert changed != once, "the hash is of the figures before they are rounded"
    assert NONE in once
    with pytest.raises(ValueError, match="no table is called 'speed'"):
        filled("<!-- make docs: speed -->\n<!-- end -->", facts)


def test_a_picture_that_was_not_stamped_is_told(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    picture, file = tmp_path / "docs" / "strip.png", tmp_path / "docs" / "measured.json"
    picture.write_bytes(b"one")
    assert "has no stamp" in faults(measured.read(file), tmp_path)[0]
    measured.stamp(picture, {"command": "a command"}, file)
    assert faults(measured.read(file), tmp_path) == []
    picture.write_bytes(b"another")
    assert "is not the picture" in faults(measured.read(file), tmp_path)[0]
    picture.unlink()
    assert "is stamped and not there" in faults(measured.read(file), tmp_path)[0]


def test_a_new_time_replaces_the_old_one(tmp_path: Path) -> None:
    file = tmp_path / "measured.json"
    measured.add_times([made(), made(processor="Another CPU")], file)
    measured.add_times([made(median=0.45)], file)
    kept = [(entry["processor"], entry["median"]) for entry in measured.read(file)["times"]]
    assert kept == [("Another CPU", 0.5), ("Made-up CPU (AVX2)", 0.45)]


def test_a_mistake_is_a_sentence(tmp_path: Path) -> None:
    told: list[str] = []
    assert docs.main(["stamp", str(tmp_path / "none.png"), "a command"], told.append) == WRONG_USAGE
    assert len(told) == 1
    assert told[0].startswith("reports.docs: ")


@pytest.mark.slow
def test_the_picture_is_drawn_from_rows(tmp_path: Path) -> None:
    from reports import picture
    from reports.rows import append
    from tests.reports.made_up import desktop

    if not any(shutil.which(name) for name in picture.NAMES):
        need("needs chromium (Debian: apt install chromium)")
    for row in desktop():
        append(tmp_path / "rows.jsonl", row)
    picture.draw(tmp_path, tmp_path / "report.png")
    drawn = (tmp_path / "report.png").read_bytes()
    assert struct.unpack(">II", drawn[16:24]) == (picture.WIDTH, picture.HEIGHT)
    assert len(drawn) > 20_000, "a blank window is smaller"


def test_reference_models_of_the_tables_exist() -> None:
    assert set(TITLES) <= set(reference.read())

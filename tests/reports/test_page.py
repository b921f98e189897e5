"""The page holds what the rows say, nothing else, whatever the rows say."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from evaluation.sample import NAME
from models.variant import REFERENCE
from reports.page import TITLE, build, num, render, signed, tiny, write
from reports.pareto import points
from reports.rows import Row, append
from reports.summary import summaries
from tests.reports.made_up import desktop, emulated, failed, paired, phone, row

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
VOID = {"meta", "img", "br", "input", "link"}


class Page(HTMLParser):
    """Tags, attributes and text of a page; fails on tags that do not close in their order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.words.append(data)
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data + " "

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def page(*rows: Row, words: tuple[str, ...] = ()) -> Page:
    return Page(render(rows, TITLE, NOW, words))


@pytest.fixture(scope="module")
def whole() -> str:
    return render(desktop() + phone(), TITLE, NOW)


def test_no_rows():
    text = page().text
    assert "Nothing can be recommended yet. There are no rows." in text
    assert "from 0 rows" in text


def test_only_failed_rows():
    found = page(failed(), failed("s4-skip-dense", reason="The runner died."))
    assert "Nothing can be recommended yet. Every configuration failed" in found.text
    assert "The runner died." in found.text
    assert "IOU fell by 3.1 points against the checkpoint; int8 tolerates 2.0." in found.text
    assert not [tag for tag, _ in found.tags if tag == "svg"]


def test_only_emulated_rows():
    text = page(emulated()).text
    assert "No configuration has both a measured speed and an IOU." in text


def test_one_row():
    text = page(row()).text
    assert "Recommended: s16-skip-dense in LiteRT fp32" in text
    assert "No other configuration that can be recommended is more accurate or faster." in text
    assert "While it was measured: virtual-machine." in text, "what spoils the headline's number stands beside it"


def test_two_devices(whole):
    text = Page(whole).text
    assert "On desktop, Made-up CPU, CPU, 1 thread Recommended:" in text
    assert "On pixel2, CPU, 1 thread Recommended:" in text
    assert "Environment of desktop" in text
    assert "Environment of pixel2" in text
    for name in REFERENCE:
        assert name in text


def test_the_baseline_alone_recommends_nothing():
    assert "Nothing can be recommended yet." in page(row(format="pytorch", artifact={})).text


def test_a_row_with_next_to_nothing_in_it():
    bare = Row("c", "r", "2026-01-01", "ok", "v", "f", "p", (64, 32), "d", "cpu", 1, "measured")
    assert "Speed or IOU of v, f p" in page(bare).text


def test_a_parity_that_is_no_number_is_a_dash():
    made = row()
    parity = made.artifact["parity"] | {"max_difference": None, "iou_loss_points": None}
    assert page(replace(made, artifact=made.artifact | {"parity": parity}))
    assert page(replace(made, artifact=made.artifact | {"parity": None}))


HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7 * 7 }}]]>&amp;"


def test_hostile_names_stay_text():
    ok = replace(
        row(),
        variant=HOSTILE,
        format=HOSTILE,
        precision=HOSTILE,
        device=HOSTILE,
        unit=HOSTILE,
        run=HOSTILE,
        runtime=HOSTILE,
        hazards=(HOSTILE,),
        environment={HOSTILE: HOSTILE},
        placement={"actual": HOSTILE},
        accuracy=row().accuracy | {"data": HOSTILE, "description": HOSTILE},
        artifact=row().artifact | {"graph": {"ops": {HOSTILE: 2}, "leftovers": {HOSTILE: 2}}},
        examples=({"kind": HOSTILE, "frame": HOSTILE, "iou": 0.5, "jpeg": HOSTILE},),
    )
    found = page(
        ok, replace(ok, threads=2), replace(failed(), variant=HOSTILE, device=HOSTILE, reason=HOSTILE), words=(HOSTILE,)
    )
    assert [tag for tag, _ in found.tags].count("script") == 1
    assert not [name for _, attributes in found.tags for name in attributes if name.startswith("on")]
    assert all((a["src"] or "").startswith("data:image/jpeg") for tag, a in found.tags if tag == "img")
    assert "<script>alert(1)</script>" in found.text, "as text, it is there"
    assert "{{ 7 * 7 }}" in found.text
    assert "49" not in re.findall(r"\{\{ 7 \* 7 \}\}|\b49\b", found.text)


def test_the_page_needs_nothing_from_elsewhere(whole):
    found = Page(whole)
    for tag, attributes in found.tags:
        assert tag not in {"link", "iframe", "object", "embed"}
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:"))
    assert not re.search(r"@import|url\(\s*['\"]?(?!#)", whole)
    assert "default-src 'none'" in whole


def test_ids_are_unique_and_every_link_leads_somewhere(whole):
    found = Page(whole)
    ids = [a["id"] for _, a in found.tags if a.get("id")]
    inside = [i for i in ids if i and re.fullmatch(r"[a-z]+", i)]
    assert len(inside) == len(set(inside))
    links = {a["href"] for tag, a in found.tags if tag == "a"}
    assert links
    assert links <= {f"#{i}" for i in ids}
    used = set(re.findall(r"url\(#([^)]+)\)", whole))
    assert used <= set(ids)


def test_raw_samples_stay_in_the_rows(whole):
    assert str(desktop()[0].timing["model_ns"][5]) not in whole
    assert len(whole) < 3_000_000


def test_the_same_rows_make_the_same_page():
    assert render([row(), emulated()], TITLE, NOW) == render([emulated(), row()], TITLE, NOW)


def test_emulated_rows_have_no_speed_anywhere():
    """The made-up emulated row holds a time of 1 ms, as a trap."""
    found = page(row(), emulated())
    heads = [line for line in found.rows if any(head.startswith("IOU, % ") for head in line)]
    assert len(heads) == 2, "measured and emulated never share a table"
    assert [any("FPS" in head or "ms" in head for head in line) for line in heads] == [True, False]
    (line,) = [line for line in found.rows if "Core ML " in line]
    assert not any(re.fullmatch(r"1000 .*", cell) for cell in line)
    assert not re.search(r"Core ML fp32: [\d.]+ FPS", found.text)
    assert "Speed of 1 Core ML configuration: emulated" in found.text


def test_a_dominated_row_names_its_dominator():
    better = row("s16-skip-plain")
    worse = row("s16-noskip-plain")
    slow = replace(worse, timing=worse.timing | {"model_ns": [50_000_000] * 40})
    (line,) = [line for line in page(better, slow).rows if line and line[0].strip() == "s16-noskip-plain"]
    assert "s16-skip-plain, LiteRT fp32" in " ".join(" ".join(line).split())


def test_a_network_measured_for_its_speed_alone_is_said_to_be_that():
    ours = row()
    photo = replace(
        row(),
        cell="photo/tflite/fp32/256x256/desktop/cpu1",
        variant="photo",
        network={"peer": True, "speed_only": True, "licence": "MIT"},
        accuracy={"data": "made-up sample", "description": "Made-up pictures that exist in a test alone."},
        timing=ours.timing | {"model_ns": [4 * ns for ns in ours.timing["model_ns"]]},
        examples=(),
    )
    shown = page(paired(ours, 2.0), paired(photo, 0.5))
    assert "Speed only, with untrained weights: photo , 256x256" in shown.text
    assert "Ours is 4.0 times as fast (3.9 to 4.1). It has no IOU here" in shown.text
    assert "times as fast" not in page(ours, photo).text, "rows that are minutes apart compare no speeds"
    (line,) = [cells for cells in shown.rows if cells and cells[0].startswith("photo")]
    assert "speed only: untrained weights" in line[0]
    assert [point.summary.row.variant for point in points(summaries([ours, photo]))] == [ours.variant]


@pytest.mark.parametrize(("share", "side"), [(0.9, "behind"), (1 / 0.9, "ahead")])
def test_the_card_says_who_is_ahead_in_a_word_and_not_by_a_sign(share: float, side: str) -> None:
    """Ours has the share of the reference's IOU on each picture; that is 5 points or more, with a narrow interval."""
    ours, theirs = row(), replace(row(), cell="other", variant="other", network={"peer": True, "licence": "MIT"})
    ours, theirs = (
        replace(made, accuracy=made.accuracy | {"iou": factor * made.accuracy["iou"], "per_image": scaled})
        for made, factor in ((ours, 0.8 * share), (theirs, 0.8))
        if (scaled := [[name, factor * iou, f] for name, iou, f in made.accuracy["per_image"]])
    )
    told = re.search(r"Ours is [^<]*?points [^)]*\)", page(paired(ours, 2.0), paired(theirs, 1.0)).text)
    assert told
    assert re.fullmatch(rf"Ours is \d+\.\d points {side} \(\d+\.\d to \d+\.\d\)", told[0])


@pytest.mark.parametrize(("lost", "said"), [(0.2, "0.20 points of IOU lost"), (-0.2, "0.20 points of IOU gained")])
def test_points_of_iou_are_lost_or_gained(lost: float, said: str) -> None:
    made = row()
    parity = made.artifact["parity"] | {"iou_loss_points": lost}
    assert said in page(replace(made, artifact=made.artifact | {"parity": parity})).text


def test_figures_are_those_of_the_row():
    made = row(timing=row().timing | {"model_ns": [20_000_000] * 40, "pipeline_ns": [25_000_000] * 40})
    (line,) = [line for line in page(made).rows if line and line[0].strip() == "s16-skip-dense" and len(line) > 10]
    cells = [" ".join(cell.split()) for cell in line]
    assert cells[3].startswith(f"{100 * made.accuracy['iou']:.1f} ")
    assert cells[4] == "50.0 50.0–50.0"
    assert cells[5] == "40.0 40.0–40.0"
    assert cells[10:13] == ["20.0", "20.0", "20.0"]
    assert cells[13] == "100"


def test_partial_placement_is_flagged():
    partial = row(placement={"actual": "GPU", "delegated": 20, "ops": 76})
    flagged = [a for _, a in page(partial).tags if a.get("class") == "text more flag"]
    assert len(flagged) == 1


def test_of_a_cell_measured_twice_in_a_run_the_last_counts():
    first = failed(cell=row().cell)
    assert "Failed" not in page(first, row()).text


def test_a_cell_of_two_runs_is_compared_by_its_last_and_shows_how_far_they_lie_apart():
    first = row(timing=row().timing | {"model_ns": [10_000_000] * 40})
    again = replace(
        first, run="second", time="2026-01-03T00:00:00+00:00", timing={"model_ns": [12_000_000] * 40}, hazards=()
    )
    found = page(again, first)
    assert "the median frame time changed by 20 % in the median configuration" in found.text
    assert "83.3" in found.text.split("from camera frame")[0], "the headline is of the last run"
    assert "no configuration has two runs on this page" not in found.text
    verdicts = [any("measured again later" in cell for cell in line) for line in found.rows if len(line) > 10]
    assert sorted(verdicts) == [False, False, True]


def test_a_useless_network_is_not_recommended():
    made = row(accuracy=row().accuracy | {"iou": 0.23})
    text = page(made).text
    assert "No configuration is accurate enough on these pictures. The best is s16-skip-dense in LiteRT fp32" in text
    assert "None reaches 80 % IOU." in text
    assert "--data DIR" not in text.split("IOU and speed")[0]
    assert "live, live-fast and live-best; python bench.py --variants 'live*' measures them" in text


def test_a_verdict_on_the_embedded_sample_sends_to_pictures_of_ones_own():
    made = row(accuracy=row().accuracy | {"iou": 0.23, "data": NAME})
    assert re.search(r"Evaluate on those, with\s+--data DIR", page(made).text)
    assert "Evaluate on those" not in page(row(accuracy=row().accuracy | {"data": NAME})).text, "where one is fit"


def test_where_a_network_to_ship_was_measured_nobody_is_sent_for_it():
    assert "--variants 'live*'" not in page(row("live"), row()).text


def test_build_puts_several_runs_on_one_page(tmp_path: Path):
    for name, made in (("a", row()), ("b", phone()[0])):
        append(tmp_path / name / "rows.jsonl", made)
    with (tmp_path / "b" / "rows.jsonl").open("a") as file:
        file.write('{"cell": "cut sh')
    out = tmp_path / "deep" / "page.html"
    words = build([tmp_path / "a", tmp_path / "b" / "rows.jsonl"], out, now=NOW)
    assert len(words) == 1
    text = Page(out.read_text(encoding="utf-8")).text
    assert words[0] in text
    assert "desktop" in text
    assert "pixel2" in text
    assert list(out.parent.iterdir()) == [out]


def test_a_folder_without_rows_is_named(tmp_path: Path):
    with pytest.raises(ValueError, match=r"rows\.jsonl: no rows there"):
        build([tmp_path], tmp_path / "page.html")


def test_numbers_as_they_are_written():
    assert [num(v) for v in (None, 0.123, 12.34, 123.4)] == ["–", "0.12", "12.3", "123"]
    assert [tiny(v) for v in (None, 4e-6, 0.03, 0, 1.0)] == ["–", "4e-6", "3e-2", "0", "1"]
    assert [signed(v) for v in (None, 0.5, -0.5)] == ["–", "+0.50", "−0.50"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full, which plays a full disk")
def test_a_full_disk_is_told_in_a_sentence_and_the_page_that_was_there_stays(tmp_path):
    page, fresh = tmp_path / "report.html", tmp_path / "report.html.fresh"
    page.write_text("the page before")
    fresh.symlink_to("/dev/full")
    with pytest.raises(OSError, match=re.escape(f"{page}: cannot be written (No space left on device)")):
        write([row()], page)
    assert page.read_text() == "the page before"
    assert not fresh.is_symlink()


def test_minutes_of_load_are_a_chart_and_the_share_that_is_kept():
    bins = [
        {"start": 10.0 * i, "frames": 1000 if i < 9 else 800, "busy": 9.0, "temperature_c": 50.0 + i} for i in range(18)
    ]
    energy = {"millijoules": 12.5, "watts": 3.0, "frames": 800, "source": "RAPL, processor package"}
    made = page(row(timing=row().timing | {"sustained": bins, "energy": energy}))
    assert "Sustained speed" in made.text
    assert "minutes of load, when a phone is warm" not in made.text, "it is not said to be missing"
    cells = [[" ".join(cell.split()) for cell in line] for line in made.rows]
    (line,) = [line for line in cells if line and line[-1].startswith("12.5")]
    assert line[3:6] == ["111", "88.9", "80.0"]
    assert line[6] == "50 to 67"
    assert "Sustained speed" not in page(row()).text.replace("Sustained speed, after", "")


def test_a_claim_is_a_ratio_in_turns():
    ours = paired(row(), 2.0, reference_fps=190.0)
    theirs = replace(
        paired(row("s16-skip-plain"), 1.25), variant="theirs", network={"peer": True, "licence": "CC0"}, cell="theirs"
    )
    shown = page(ours, theirs).text
    assert "times as fast as mediapipe-selfie, in turns; 95 % over rounds 2.00 1.98–2.02" in shown
    assert "1.60 times as fast (1.58 to 1.62)" in shown


def test_a_page_that_was_mostly_disturbed_claims_no_ratio():
    quiet, lost = paired(row(), 2.0), [paired(row(name), 2.0, disturbed=True) for name in ("live", "live-fast")]
    shown = page(quiet, *lost)
    assert "Other work disturbed 2 of 3 measurements" in shown.text
    assert not re.search(r"\d times as fast|over rounds \d", shown.text)
    assert any(attributes.get("class") == "recommended disturbed" for _, attributes in shown.tags)
    assert sum("disturbed" in line for cells in shown.rows for line in cells) == 2, "each row says so"
    assert "Other work" not in page(quiet, paired(row("live"), 1.0), lost[0]).text


def test_pictures_are_credited_as_each_row_says() -> None:
    made = row()
    credited = replace(made, accuracy=made.accuracy | {"credits": ["cat: A. Name, CC0", "<b>: B. Name"]})
    text = render([credited], TITLE, NOW)
    assert "Pictures: cat: A. Name, CC0; &lt;b&gt;: B. Name." in text.split('id="masks"')[1]
    assert "Pictures: cat" not in render([made], TITLE, NOW)


def cards(found: Page) -> list[str]:
    """The classes of the cards at the top."""
    return [a["class"] or "" for tag, a in found.tags if tag == "section" and "recommended" in (a.get("class") or "")]


def test_only_a_ratio_has_a_green_card() -> None:
    assert cards(page(paired(row(), 2.0))) == ["recommended"]
    apart = page(*phone())
    assert cards(apart) == ["recommended apart"]
    assert "measured one after the other, minutes apart: no ratio of speeds is claimed." in apart.text
    assert not re.search(r"[\d.]+ times as fast", apart.text)


def test_how_a_model_of_yours_is_used_stands_below_its_masks_and_a_doubt_in_its_row() -> None:
    told = {"assumed": ["the mask is the output <y>"], "unsure": ["BGR would give 0.3 points of IOU more"]}
    mine = replace(row(), variant="mine", network=told, cell="mine")
    text = render([row("s16-skip-plain"), mine], TITLE, NOW)
    table, masks = text.split('<section id="masks">')
    assert table.count('<a class="flag" href="#masks">not sure how it is used</a>') == 1
    assert "Not sure: BGR would give 0.3 points of IOU more." in masks
    assert "<li>the mask is the output &lt;y&gt;</li>" in masks
    assert "not sure how" not in render([replace(mine, network=told | {"unsure": []})], TITLE, NOW)


def test_without_the_reference_the_reason_is_on_the_card() -> None:
    reason = {"paired": {"reason": "mediapipe-selfie could not be opened: there is no such file"}}
    found = page(row(timing=row().timing | reason))
    assert cards(found) == ["recommended apart"]
    assert "is claimed, for mediapipe-selfie could not be opened: there is no such file." in found.text


def test_samples_that_were_switched_out_are_in_no_median() -> None:
    """Thirty frames of 10 ms, thirty of 50 ms that another process interrupted."""
    times = {"model_ns": [10_000_000, 50_000_000] * 30, "model_switched": list(range(1, 60, 2))}
    (seen,) = summaries([row(timing=row().timing | times)])
    assert seen.model is not None
    assert (seen.model.fps, seen.model.samples) == (100.0, 30)


def test_what_has_no_ratio_beside_those_that_have_is_named() -> None:
    text = page(paired(row(), 2.0), row("s4-skip-dense")).text
    assert "The ratio to the reference of s4-skip-dense, LiteRT fp32: without one, no speed is compared." in text


def test_where_all_was_disturbed_nothing_is_recommended():
    shown = page(*(paired(row(name), 2.0, disturbed=True) for name in ("live", "live-fast"))).text
    assert "No speed is claimed" in shown
    assert re.search(r"% IOU of live(-fast)?, LiteRT fp32, the most accurate; 95 % over pictures", shown)
    assert "Recommended:" not in shown

"""The page in a real browser: filters, sorting, a phone's screen, light and dark."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from reports.page import TITLE, write
from tests.reports.made_up import desktop

ROWS = """
return [...document.querySelectorAll(arguments[0] + ' tbody tr[data-variant]:not([hidden])')]
  .filter(row => row.offsetParent !== null)
  .map(row => [...row.cells].map(cell => cell.innerText.split('\\n')[0]).concat([row.dataset.format]))
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    out: Path = tmp_path_factory.mktemp("page") / "report.html"
    write(desktop(), out, TITLE, datetime(2026, 1, 2, tzinfo=UTC))
    return out.as_uri()


@pytest.fixture
def page(browser, url):
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    browser.get(url)
    yield browser
    assert [entry["message"] for entry in browser.get_log("browser")] == []


def choose(page, name: str, value: str) -> None:
    from selenium.webdriver.support.ui import Select

    Select(page.find_element("name", name)).select_by_visible_text(value)


def rows(page, table: str = ".cells") -> list[list[str]]:
    return page.execute_script(ROWS, table)


def press(page, label: str) -> None:
    page.find_element("xpath", f"//th/button[text()='{label}']").click()


def column(page, index: int) -> list[float]:
    """One column of the measured cells."""
    measured = page.execute_script(ROWS, "#measured")
    return [float(row[index]) for row in measured]


def test_filters_narrow_together_and_count(page):
    assert len(rows(page)) == 74
    choose(page, "format", "LiteRT")
    assert {row[-1] for row in rows(page)} == {"LiteRT"}
    assert page.find_element("id", "shown").text == "24 of 74 configurations"
    choose(page, "precision", "int8")
    choose(page, "variant", "s16-skip-dense")
    assert [row[:3] for row in rows(page)] == [["s16-skip-dense", "LiteRT", "int8"]]
    page.find_element("css selector", ".filters button").click()
    assert len(rows(page)) == 74
    assert page.find_element("id", "shown").text == "74 configurations"


def test_the_charts_and_masks_show_what_the_filters_leave(page):
    def visible(selector: str) -> list[str]:
        script = "return [...document.querySelectorAll(arguments[0])].filter(e => e.getClientRects().length)"
        return page.execute_script(f"{script}.map(e => e.dataset.variant)", selector)

    marks, lines = visible("#pareto .mark"), page.execute_script("return document.querySelectorAll('.joined').length")
    assert len(set(marks)) == 12
    assert lines
    choose(page, "variant", "s4-skip-plain")
    assert {*visible("#pareto .mark")} == {*visible("#costs .mark")} == {*visible("#masks figure")} == {"s4-skip-plain"}
    assert page.execute_script("return document.querySelectorAll('.joined:not([hidden])').length") == 0
    page.find_element("css selector", ".filters button").click()
    assert visible("#pareto .mark") == marks
    assert page.execute_script("return document.querySelectorAll('.joined:not([hidden])').length") == lines


def test_the_address_keeps_what_was_chosen(page, url):
    choose(page, "format", "LiteRT")
    page.find_element("name", "more").click()
    kept = page.current_url
    assert kept.endswith("?format=LiteRT&more=1")
    page.get(kept)
    assert {row[-1] for row in rows(page)} == {"LiteRT"}
    assert page.find_element("xpath", "//th/button[text()='p50, ms']").is_displayed()
    page.get(f"{url}?format=nonsense")
    assert len(rows(page)) == 74


def test_a_table_is_narrow_and_best_first_until_all_is_asked_for(page):
    shown = page.execute_script(
        "return [...document.querySelectorAll('#measured th')].filter(h => h.offsetParent).map(h => h.innerText)"
    )
    assert len(shown) <= 8
    found = page.execute_script("return [...document.querySelectorAll('#measured tbody tr')].map(r => r.className)")
    assert found[0] == "front chosen"
    assert found == sorted(found, key=lambda name: not name), "the Pareto front, then what it dominates"


def test_evidence_and_status_hide_whole_tables(page):
    choose(page, "evidence", "emulated")
    assert {row[-1] for row in rows(page)} == {"Core ML"}
    titles = [title.text for title in page.find_elements("css selector", ".cells h3") if title.is_displayed()]
    assert titles == ["Emulated: correct masks, no times"]
    choose(page, "evidence", "all")
    choose(page, "status", "failed")
    assert len(rows(page)) == 2
    assert len(rows(page, "#failed")) == 2


def test_a_column_sorts_by_number_both_ways(page):
    press(page, "Model FPS")
    fps = column(page, 4)
    assert fps == sorted(fps, reverse=True)
    assert len(set(fps)) > 20
    press(page, "Model FPS")
    assert column(page, 4) == sorted(fps)
    head = page.find_element("xpath", "//th[button[text()='Model FPS']]")
    assert head.get_attribute("aria-sort") == "ascending"
    page.find_element("name", "more").click()
    press(page, "p50, ms")
    assert head.get_attribute("aria-sort") is None
    assert column(page, 4) == sorted(fps, reverse=True), "the shortest time is the highest speed"


def test_networks_sort_by_their_numbers(page):
    press(page, "Network")
    names = list(dict.fromkeys(row[0] for row in page.execute_script(ROWS, "#measured")))
    assert [name.split("-")[0] for name in names] == ["s4"] * 4 + ["s16"] * 4 + ["s32"] * 4


def test_what_has_no_value_sorts_last_both_ways(page):
    """The size of the first configuration is taken away: a dash is neither small nor large."""
    index = page.execute_script(
        """
        const heads = [...document.querySelectorAll('#measured th')];
        const index = heads.findIndex(head => head.innerText.startsWith('Size'));
        const cell = document.querySelector('#measured tbody tr').cells[index];
        cell.dataset.v = '';
        cell.textContent = '–';
        return index;
        """
    )
    for _ in range(2):
        press(page, "Size, MB")
        sizes = [row[index] for row in page.execute_script(ROWS, "#measured")]
        assert sizes.index("–") == len(sizes) - 1


def test_a_filter_survives_sorting(page):
    choose(page, "format", "OpenVINO")
    press(page, "IOU, %")
    assert {row[-1] for row in rows(page)} == {"OpenVINO"}


def test_the_marks_of_a_chart_say_what_they_are(page):
    tips = page.execute_script("return [...document.querySelectorAll('#pareto .mark title')].map(t => t.textContent)")
    assert any("dominated by s4-skip-plain, OpenVINO fp32" in tip for tip in tips)
    assert not any("Core ML" in tip for tip in tips)


def test_a_phone_scrolls_the_table_and_not_the_page(page):
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    )
    page.refresh()
    assert page.execute_script("return document.documentElement.scrollWidth") <= 390
    before, after, shift = page.execute_script(
        """
        const box = document.querySelector('.cells .scroll'), first = box.querySelector('tbody td');
        const second = first.nextElementSibling, left = () => Math.round(first.getBoundingClientRect().left);
        const [a, c] = [left(), second.getBoundingClientRect().left];
        box.scrollLeft = 200;
        return [a, left(), c - second.getBoundingClientRect().left];
        """
    )
    assert before == after, "the name of the network stays in sight"
    assert shift == 200
    shown = page.execute_script(
        "return ['.wide', '.narrow'].map(c => document.querySelector(c).getBoundingClientRect().width)"
    )
    assert shown[0] == 0
    assert 300 < shown[1] <= 390


def test_light_and_dark(page):
    def colours() -> list[str]:
        return page.execute_script(
            """
            const text = getComputedStyle(document.querySelector('#pareto svg text')).fill;
            const body = getComputedStyle(document.body);
            return [body.backgroundColor, body.color, text];
            """
        )

    seen = {}
    for scheme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        seen[scheme] = colours()
    assert seen["light"][0] == "rgb(255, 255, 255)"
    assert all(a != b for a, b in zip(seen["light"], seen["dark"], strict=True)), "the charts follow too"

"""The page in a browser: hostile texts, no network, keyboard, both themes, phone and wide."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright import sync_api

from outcross.pipeline.page.document import page
from tests.support import reports

pytestmark = pytest.mark.browser

_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
_SECONDS = 8  # to be interactive at full size; 2 on a machine that does nothing else
_WIDTHS = (360, 1280, 1920)
_CONTRAST = """() => {
  const parse = (text) => {
    const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
    return [r, g, b, a];
  };
  const over = (top, below) => [0, 1, 2].map((k) => top[k] * top[3] + below[k] * (1 - top[3]));
  const light = (c) => {
    const [r, g, b] = c.map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  for (const element of document.querySelectorAll("body *:not(svg *)")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || !element.checkVisibility() || element.closest("script, style, .chart")) continue;
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      layers.push(parse(getComputedStyle(at).backgroundColor));
    }
    const ground = layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
    const text = over(parse(getComputedStyle(element).color), ground);
    const [a, b] = [light(text), light(ground)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) found.push([element.className, element.textContent.slice(0, 30), ratio]);
  }
  return found;
}"""


@dataclass
class Opened:
    """Page in a tab, with its messages, requests and errors."""

    tab: Any
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def unfold(self) -> None:
        """Open everything that is closed."""
        self.tab.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")

    def draw(self) -> list[str]:
        """Open everything, scroll to every chart, and return the state of each."""
        self.unfold()
        for chart in self.tab.query_selector_all(".chart"):
            chart.scroll_into_view_if_needed()
            self.tab.wait_for_selector(f"#{chart.get_attribute('id')}[data-drawn]", timeout=60_000)
        return [c.get_attribute("data-drawn") for c in self.tab.query_selector_all(".chart")]

    def is_quiet(self) -> None:
        assert self.said == []
        assert [url for url in self.asked if not url.startswith(("file:", "blob:", "data:"))] == []
        assert self.tab.evaluate("window.broken") is None

    def fits(self) -> bool:
        return bool(self.tab.evaluate("document.scrollingElement.scrollWidth <= window.innerWidth"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.fail("chromium is not installed: `make browser` needs it")
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=list(_FLAGS))
        yield found
        found.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two small pages, one of full size whose texts are hostile, and one of generations."""
    folder = tmp_path_factory.mktemp("pages")
    full = reports.report(shards=1000, clusters=4096, hostile=True)
    made = {
        "run": page(reports.report(), reports.plan(), reports.manifest()),
        "audit": page(reports.report("audit", outcome="stop", ratio=0.7)),
        "full": page(full, reports.plan(4096), reports.manifest(1000, True)),
        "compare": page(
            reports.report("audit", hostile=True), comparison=reports.comparison(5, hostile=True)
        ),
    }
    for name, markup in made.items():
        (folder / f"{name}.html").write_text(markup, "utf-8")
    return folder


Open = Callable[..., Opened]


@pytest.fixture
def load(browser: Any, files: Path) -> Iterator[Open]:
    contexts = []

    def opened(
        name: str,
        *,
        width: int = 1280,
        height: int = 900,
        anchor: str = "",
        init: str | None = None,
        **options: Any,
    ) -> Opened:
        size = {"width": width, "height": height}
        context = browser.new_context(viewport=size, **options)
        contexts.append(context)
        if init:
            context.add_init_script(init)
        one = Opened(context.new_page())
        one.tab.on("console", lambda message: one.said.append(message.text))
        one.tab.on("pageerror", lambda error: one.said.append(str(error)))
        one.tab.on("dialog", lambda dialog: one.said.append(dialog.message))
        one.tab.on("request", lambda request: one.asked.append(request.url))
        one.tab.goto((files / f"{name}.html").as_uri() + anchor)
        if options.get("java_script_enabled", True):
            one.tab.wait_for_selector("html[data-ready]", timeout=60_000)
        return one

    yield opened
    for context in contexts:
        context.close()


@pytest.mark.parametrize("name", ["full", "compare"])
def test_hostile_texts_stay_texts(load: Open, name: str) -> None:
    opened = load(name)
    assert set(opened.draw()) == {""}
    tab = opened.tab
    for _ in range(8):  # each hostile text once
        tab.click("#map-back" if _ == 0 else "#map-on")
        assert "Cluster" in tab.inner_text("#map-panel")
    strange = "main img, main iframe, main script, main style, main [onerror], main [onmouseover]"
    assert tab.evaluate(f"document.querySelectorAll('{strange}').length") == 0
    assert tab.evaluate("document.querySelectorAll('main svg a').length") == 0  # in charts
    assert "<script>window.broken = 1</script>" in tab.inner_text("main")
    tab.wait_for_timeout(200)
    opened.is_quiet()


def test_a_page_of_full_size_is_soon_there(load: Open) -> None:
    start = time.monotonic()
    opened = load("full")
    assert time.monotonic() - start < _SECONDS
    assert opened.tab.evaluate("document.querySelector('#by-shard').tBodies[0].rows.length") == 1000


@pytest.mark.parametrize("name", ["run", "full", "compare"])
@pytest.mark.parametrize("width", _WIDTHS)
def test_the_page_fits_its_window(load: Open, name: str, width: int) -> None:
    opened = load(name, width=width)
    assert opened.fits()
    assert set(opened.draw()) == {""}
    assert opened.fits()
    opened.is_quiet()


_CUT = """() => [...document.querySelectorAll("main table, main pre, main .chart")]
  .filter((element) => {
    const box = element.closest(".box, pre");
    const { left, right } = (box || element).getBoundingClientRect();
    const scrolls = box && getComputedStyle(box).overflowX === "auto";
    const whole = element.scrollWidth <= element.clientWidth + 1;
    return left < 0 || right > innerWidth || !(scrolls || whole);
  })
  .map((element) => element.id || element.textContent.slice(0, 40))"""


@pytest.mark.parametrize("name", ["run", "full", "compare"])
@pytest.mark.parametrize("width", _WIDTHS)
def test_no_table_or_chart_is_cut(load: Open, name: str, width: int) -> None:
    opened = load(name, width=width)
    opened.draw()
    assert opened.tab.evaluate(_CUT) == []


def test_stage_by_stage_needs_no_scrolling_at_1280(load: Open) -> None:
    opened = load("run")
    opened.unfold()
    box = opened.tab.locator(".box", has=opened.tab.locator("#by-stage"))
    assert box.evaluate("(box) => box.scrollWidth <= box.clientWidth")


@pytest.mark.parametrize(("width", "screens"), [(1280, 2), (400, 3)])
@pytest.mark.parametrize("name", ["run", "audit", "compare"])
def test_the_first_screen_says_verdict_why_where_and_what_to_do(
    load: Open, name: str, width: int, screens: int
) -> None:
    tab = load(name, width=width, height=800).tab
    assert tab.evaluate("document.scrollingElement.scrollHeight") <= 800 * screens
    assert tab.locator("details[open]").count() == 0
    needed = [tab.locator(".verdict .badge"), tab.locator("h1")]
    for heading in ("Why", "Where it is worst", "What to do next"):
        block = tab.locator(".answers > div", has=tab.get_by_role("heading", name=heading))
        needed.append(block.locator("tbody tr, li, dl > div").first)
    for part in needed:
        box = part.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 800


@pytest.mark.parametrize("scripts", [True, False])
def test_a_link_opens_the_fold_that_it_leads_to(load: Open, scripts: bool) -> None:
    tab = load("run", java_script_enabled=scripts).tab
    assert not tab.locator("#by-shard").is_visible()
    tab.get_by_role("navigation").get_by_role("link", name="Shards").click()
    tab.locator("#by-shard").wait_for(state="visible")
    assert tab.locator("details.fold[open]").count() == 1
    tab.locator(".places a", has_text="topics").click()
    tab.locator("#clusters").wait_for(state="visible")


@pytest.mark.parametrize("scripts", [True, False])
def test_a_fold_opens_by_keyboard(load: Open, scripts: bool) -> None:
    tab = load("run", java_script_enabled=scripts).tab
    summary = tab.locator("summary", has_text="Stage by stage")
    summary.focus()
    tab.keyboard.press("Enter")
    tab.locator("#by-stage").wait_for(state="visible")
    tab.keyboard.press("Enter")
    tab.locator("#by-stage").wait_for(state="hidden")


def test_an_address_with_a_section_opens_it(load: Open) -> None:
    tab = load("run", anchor="#removed").tab
    assert tab.locator("#removed").is_visible()
    assert tab.locator("details.fold[open]").count() == 1


def test_one_button_opens_and_closes_all(load: Open) -> None:
    tab = load("run").tab
    folds = tab.locator("details.fold").count()
    tab.click("#folds")
    assert tab.locator("details.fold[open]").count() == folds
    tab.get_by_role("button", name="Close all").click()
    assert tab.locator("details.fold[open]").count() == 0


def test_a_chart_is_drawn_when_its_fold_is_opened(load: Open) -> None:
    tab = load("run").tab
    tab.evaluate("scrollTo(0, document.body.scrollHeight)")
    tab.wait_for_timeout(300)
    assert tab.evaluate("typeof Plotly") == "undefined"
    tab.locator("summary", has_text="What human text buys").click()
    tab.wait_for_selector("#frontier[data-drawn] .main-svg")
    assert tab.locator("[data-drawn]").count() == 1


_PRINTED = """addEventListener("afterprint", () => {
  window.printed = {
    closed: document.querySelectorAll("details:not([open])").length,
    charts: [...document.querySelectorAll(".chart")].map((chart) => {
      const drawing = chart.querySelector(".main-svg");
      return drawing ? drawing.querySelectorAll("path").length : 0;
    }),
    ground: getComputedStyle(document.body).backgroundColor,
    widest: Math.max(
      ...[...document.querySelectorAll(".main-svg")].map((drawing) => drawing.clientWidth)),
  };
});"""


@pytest.mark.parametrize("name", ["run", "full"])
def test_a_printed_page_is_open_and_has_its_charts(load: Open, name: str) -> None:
    """Return at once: the browser does not wait for what a page does later."""
    opened = load(name, init=_PRINTED, color_scheme="dark")
    tab = opened.tab
    before = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    sheets = re.findall(rb"/Type\s*/Page\b", tab.pdf(format="A4"))
    assert len(sheets) > 5
    printed = tab.evaluate("window.printed")
    assert printed["closed"] == 0
    assert len(printed["charts"]) == 3
    assert min(printed["charts"]) > 5
    assert 0 < printed["widest"] <= 680  # points of a page of A4 between its margins
    assert printed["ground"] == "rgb(253, 253, 252)"
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == before
    assert tab.locator("details[open]").count() == 0
    opened.is_quiet()


def test_a_page_without_scripts_is_printed_whole(load: Open) -> None:
    tab = load("run", java_script_enabled=False).tab
    assert len(re.findall(rb"/Type\s*/Page\b", tab.pdf(format="A4"))) > 5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_is_enough_in_both_themes(load: Open, scheme: str) -> None:
    opened = load("run", color_scheme=scheme)
    assert opened.tab.evaluate(_CONTRAST) == []
    opened.unfold()
    assert opened.tab.evaluate(_CONTRAST) == []


def test_the_theme_turns(load: Open) -> None:
    opened = load("run", color_scheme="light")
    opened.draw()
    ground = "getComputedStyle(document.body).backgroundColor"
    seen = [opened.tab.evaluate(ground)]
    for _ in range(3):
        opened.tab.click("#theme")
        seen.append(opened.tab.evaluate(ground))
    assert seen[0] == seen[1] == seen[3] != seen[2]
    opened.is_quiet()


def test_tables_sort_by_keyboard(load: Open) -> None:
    opened = load("run")
    opened.unfold()
    tab = opened.tab
    button = tab.locator("#by-shard thead button", has_text="effective clusters")
    column = (
        "[...document.querySelector('#by-shard').tBodies[0].rows]"
        ".map((row) => parseFloat(row.cells[COLUMN].textContent.replace(/[▲▼,]/g, '')))"
    )
    at = button.evaluate("(one) => one.closest('th').cellIndex")
    button.focus()
    for way in ("descending", "ascending"):
        tab.keyboard.press("Enter")
        assert button.evaluate("(one) => one.closest('th').ariaSort") == way
        values = tab.evaluate(column.replace("COLUMN", str(at)))
        assert values == sorted(values, reverse=way == "descending")
        assert len(values) == 16
    assert tab.evaluate("document.querySelectorAll('#by-shard [aria-sort=none]').length") > 5


def test_only_what_is_out_of_line_can_be_shown(load: Open) -> None:
    opened = load("full")
    opened.unfold()
    tab = opened.tab
    tab.check("#only-outliers")
    shown = tab.evaluate("document.querySelectorAll('#by-shard tbody tr:not([hidden])').length")
    assert 20 <= shown < 100


def test_the_keyboard_reaches_everything(load: Open) -> None:
    opened = load("run")
    tab = opened.tab
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    tab.locator("a.term", has_text="effective clusters").first.focus()
    assert "equally common topics" in tab.inner_text("#tip")
    tab.keyboard.press("Escape")
    assert not tab.is_visible("#tip")
    opened.unfold()
    tab.focus("#map-back")
    tab.keyboard.press("Enter")
    first = tab.inner_text("#map-panel")
    assert "▼" in first
    tab.focus("#map-on")
    tab.keyboard.press("Enter")
    assert tab.inner_text("#map-panel") != first
    boxes = "[...document.querySelectorAll('.box')].every((one) => one.tabIndex === 0)"
    assert tab.evaluate(boxes)


def test_a_tap_explains_in_place(load: Open) -> None:
    tab = load("run", width=360, has_touch=True).tab
    tab.locator("a.term", has_text="human share").first.tap()
    assert "tokens" in tab.inner_text("#tip")
    box = tab.locator("#tip").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360


def test_words_are_found_on_the_map(load: Open) -> None:
    opened = load("run")
    opened.draw()
    opened.tab.fill("#map-find", "opera")
    assert "found" in opened.tab.inner_text("#map-found")
    assert "opera" in opened.tab.inner_text("#map-panel")
    opened.is_quiet()


def test_a_cluster_is_shown_where_the_pointer_rests(load: Open) -> None:
    opened = load("run")
    opened.draw()
    tab = opened.tab
    tab.locator("#map").scroll_into_view_if_needed()
    tab.wait_for_timeout(300)
    for point in tab.query_selector_all("#map .points path")[:3]:
        box = point.bounding_box()
        tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        tab.wait_for_timeout(150)
    assert "corpus share" in tab.inner_text("#map-panel")


def test_without_scripts_the_tables_stand(load: Open) -> None:
    tab = load("run", java_script_enabled=False).tab
    assert tab.locator("table").count() > 8
    assert tab.locator("#measures tbody tr").count() > 10
    tab.locator("summary", has_text="Against human text").click()
    assert tab.locator("svg.strip").first.is_visible()
    assert tab.locator(".chart:visible").count() == 0
    assert "Scripts are off" in tab.locator("noscript").inner_text()


def test_a_browser_that_can_not_unpack_the_charts_says_so(load: Open) -> None:
    opened = load("run", init="delete window.TextDecoder")
    assert set(opened.draw()) == {"failed"}
    assert "No chart: TextDecoder is not defined" in opened.tab.inner_text("#map")
    assert opened.tab.locator("#by-shard tbody tr").count() == 16
    opened.is_quiet()

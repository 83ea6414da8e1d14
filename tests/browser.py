"""The report as a person meets it: opened from disk in a browser, which is asked what it saw."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

WIDTHS = (390, 1280, 1920)


@contextmanager
def opened(path: Path, width: int = 1280) -> Iterator:
    """The page `path` in headless Chromium; at the end nothing may have gone wrong in it."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs Chromium: install it to check the report as a person sees it")
    with playwright.sync_playwright() as driver:
        try:
            browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        except playwright.Error as error:
            pytest.skip(f"Chromium does not start here: {error}")
        page = browser.new_page(viewport={"width": width, "height": 900})
        trouble: list[str] = []
        outside: list[str] = []
        page.on("console", lambda m: trouble.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("requestfailed", lambda request: trouble.append(f"failed: {request.url}"))
        page.on("request", lambda request: outside.append(request.url))
        page.goto(path.absolute().as_uri())
        yield page
        assert trouble == []
        assert [url for url in outside if not url.startswith(("file:", "data:"))] == []
        browser.close()


def column(table, index: int) -> list[str]:
    """What the cells of a column sort by, from the top; missing values left out."""
    cells = [row.locator("th, td").nth(index) for row in table.locator("tbody tr").all()]
    return [key for cell in cells if (key := cell.get_attribute("data-key"))]


def number(text: str) -> float:
    """The first signed number in `text`."""
    sign, size = re.findall("([+\N{MINUS SIGN}])([\\d.]+)", text)[0]
    return float(size) * (1 if sign == "+" else -1)


def check_layout(page, width: int) -> None:
    """Nothing is wider than the page, no letter small, what scrolls says so, contents stay."""
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    small = page.evaluate(
        """() => {
          const found = [];
          const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          while (walk.nextNode()) {
            const of = walk.currentNode.parentElement;
            if (!walk.currentNode.data.trim() || !of.checkVisibility()) continue;
            const drawn = of.closest("svg[viewBox]");
            const scale = drawn ? drawn.clientWidth / drawn.viewBox.baseVal.width : 1;
            const size = scale * parseFloat(getComputedStyle(of).fontSize);
            if (size < 12) found.push([size, walk.currentNode.data.trim()]);
          }
          for (const drawn of document.querySelectorAll("[data-figure] svg[viewBox]")) {
            const points = drawn.getBoundingClientRect().width / drawn.viewBox.baseVal.width;
            if (9 * points < 11.95) found.push([9 * points, drawn.closest("[data-figure]").id]);
          }
          return found;
        }"""
    )
    assert small == []
    page.wait_for_function(  # its hints follow a moment after it is drawn
        """() => [...document.querySelectorAll(".wide > .scroll")]
          .filter((region) => region.checkVisibility()).every((region) => {
            const scrolls = region.scrollWidth > region.clientWidth + 1;
            const hinted = !region.parentElement.querySelector(".more").hidden;
            return scrolls === (region.tabIndex === 0) && scrolls === hinted;
          })"""
    )
    contents = page.locator("nav.contents")
    if contents.count():
        page.evaluate("scrollTo({ top: document.body.scrollHeight, behavior: 'instant' })")
        page.wait_for_function("document.querySelectorAll('[aria-current]').length === 1")
        assert contents.bounding_box()["y"] == 0
        page.evaluate("scrollTo({ top: 0, behavior: 'instant' })")


def check_focus(page, steps: int = 12) -> None:
    """The first stops of the Tab key are seen: each has an outline, or its label has."""
    for _ in range(steps):
        page.keyboard.press("Tab")
        width = page.evaluate(
            """() => {
              const at = document.activeElement;
              const seen = at.matches("input[type=radio]") ? at.nextElementSibling : at;
              return at.tagName === "AUDIO" ? 3 : parseFloat(getComputedStyle(seen).outlineWidth);
            }"""
        )
        assert width >= 2


def check_report(path: Path) -> None:
    """Sorting, another baseline, any two methods, conditions: by the keyboard alone."""
    for width in WIDTHS:
        with opened(path, width) as page:
            check_layout(page, width)
            check_focus(page)
            shown = page.locator("#dots-si-sdr tbody tr").first.locator("td:visible")
            choice = page.locator("#dots-si-sdr .choice input")
            assert shown.count() == (1 if width < 500 else max(choice.count(), 1))
            if width < 500 and choice.count():
                before = shown.inner_text()
                choice.first.press("ArrowRight")
                assert shown.count() == 1 and shown.inner_text() != before
            table = page.locator("table[data-set]").first
            heading = table.locator("thead button").nth(1)
            for order in ("descending", "ascending"):
                heading.press("Enter")
                values = [float(key) for key in column(table, 1)]
                assert values == sorted(values, reverse=order == "descending") and len(values) > 2
                cell = table.locator("thead th").nth(1)
                assert cell.get_attribute("aria-sort") == order
            names = page.locator("#first option").all_inner_texts()
            before = table.locator("[data-metric]").first.inner_text()
            page.locator("#baseline").select_option(names[-1])
            assert table.locator("[data-metric]").first.inner_text() != before
            page.locator("#first").select_option(names[0])
            page.locator("#second").select_option(names[1])
            forth = number(page.locator("#pair tbody td.num").first.inner_text())
            page.locator("#swap").press("Enter")
            back = number(page.locator("#pair tbody td.num").first.inner_text())
            assert forth == -back
            assert page.locator("#pair-plots svg").count() >= 1
            assert page.locator("#runs tbody tr").count() > 1
            both = page.locator("#pair-runs a").get_attribute("href")
            assert both.count("%22") == 6  # two runs of one experiment, in quotes


def check_players(path: Path) -> None:
    """Every sound decodes and has its length, every picture is there; keys move and start one."""
    with opened(path) as page:
        found = page.evaluate(
            """async () => {
              const loaded = (player) => new Promise((done) => {
                player.addEventListener("canplaythrough", done, { once: true });
                player.addEventListener("error", done, { once: true });
                player.preload = "auto";
                player.load();
              });
              const sounds = [];
              for (const player of document.querySelectorAll("audio")) {
                const buttons = player.closest("figure").querySelectorAll("input[type=radio]");
                const chosen = [...buttons].map((button) => button.dataset.sound);
                for (const src of chosen.length ? chosen : [player.src]) {
                  const other = new Audio(src);
                  await loaded(other);
                  sounds.push([src, other.error?.message ?? null, other.duration,
                    Number(player.dataset.seconds)]);
                }
              }
              const pictures = [...document.images];
              for (const button of document.querySelectorAll("input[data-image]")) {
                const other = new Image();
                other.src = button.dataset.image;
                pictures.push(other);
              }
              for (const picture of pictures) picture.loading = "eager";
              await Promise.all(pictures.map((picture) => picture.decode()));
              return [sounds, pictures.map((picture) => picture.naturalWidth)];
            }"""
        )
        sounds, widths = found
        assert sounds and len(widths) >= len(sounds) and min(widths) > 20
        for url, error, duration, seconds in sounds:
            assert error is None and abs(duration - seconds) < 0.15, (url, error, duration, seconds)
        page.evaluate(  # a short sound would end before a busy machine looks
            "for (const player of document.querySelectorAll('audio')) "
            "player.muted = player.loop = true"
        )
        check_focus(page)
        player, wave = page.locator("audio").first, page.locator(".wave").first
        wave.press(" ")
        page.wait_for_function("document.querySelector('audio').currentTime > 0.1")
        check_methods(page)
        wave.press(" ")
        assert player.evaluate("(player) => player.paused")
        wave.press("Home")
        page.wait_for_function("document.querySelector('audio').currentTime === 0")
        wave.press("ArrowRight")
        page.wait_for_function("document.querySelector('audio').currentTime > 0.2")
        wave.press(" ")
        page.locator(".wave").nth(1).press(" ")
        page.wait_for_function("!document.querySelectorAll('audio')[1].paused")
        assert player.evaluate("(player) => player.paused")
    for width in WIDTHS:
        with opened(path, width) as page:
            check_layout(page, width)


def check_methods(page) -> None:
    """In the first player an arrow key chooses the next method, which goes on at the same place."""
    buttons = page.locator(".player").first.locator("input[type=radio]")
    if not buttons.count():
        return
    player = "document.querySelector('audio')"
    src, at = page.evaluate(f"[{player}.src, {player}.currentTime]")
    page.locator(".player").first.locator("input:checked").press("ArrowLeft")
    page.wait_for_function(f"(old) => {player}.src !== old", arg=src)
    page.wait_for_function(f"(at) => {player}.currentTime >= at && !{player}.paused", arg=at)

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


def check_report(path: Path) -> None:
    """Sorting, another baseline, any two methods, conditions: by the keyboard alone."""
    for width in WIDTHS:
        with opened(path, width) as page:
            assert page.evaluate("document.documentElement.scrollWidth") <= width
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
    """Every sound decodes and has the length it should; every picture is there; one plays."""
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
                await loaded(player);
                sounds.push([player.src, player.error?.message ?? null, player.duration,
                  Number(player.dataset.seconds)]);
              }
              const pictures = [...document.images];
              for (const picture of pictures) picture.loading = "eager";
              await Promise.all(pictures.map((picture) => picture.decode()));
              return [sounds, pictures.map((picture) => picture.naturalWidth)];
            }"""
        )
        sounds, widths = found
        assert sounds and len(widths) == len(sounds) and min(widths) > 20
        for url, error, duration, seconds in sounds:
            assert error is None and abs(duration - seconds) < 0.15, (url, error, duration, seconds)
        player = page.locator("audio").first
        player.evaluate("async (player) => { player.muted = true; await player.play(); }")
        page.wait_for_function("document.querySelector('audio').currentTime > 0.1")
        page.locator("audio").nth(1).evaluate("(p) => { p.muted = true; return p.play(); }")
        assert player.evaluate("(player) => player.paused")
    for width in WIDTHS:
        with opened(path, width) as page:
            assert page.evaluate("document.documentElement.scrollWidth") <= width

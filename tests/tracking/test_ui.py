"""MLflow's pages: the links that are printed, and what a browser sees behind them."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager, suppress

import pytest

from ssml import tracking
from ssml.files import provenance
from ssml.tracking import store, ui, views

VIEW = tracking.View(
    "evaluate",
    "Each method.",
    ["metrics.`test2/SI-SDR dB`", "params.`rule`"],
    "metrics.`test2/SI-SDR dB`",
    [
        tracking.Section("test2", ["test2/SI-SDR dB", "test2/by iteration"]),
        tracking.Section("more", ["test2/STOI"], open=False),
    ],
)


@pytest.fixture
def own(empty, folder, monkeypatch):
    """A database of the test's own."""
    shutil.copy(empty, folder / "own.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/own.db")


@pytest.fixture
def shown(own):
    """A training, and two methods that have a view."""
    with tracking.run("ssml", "train:a", "a", {"loss": "sdr"}) as run:
        run.log({"loss/sdr": 1}, step=1)
    for name in ("one", "two"):
        with tracking.run("ssml", f"evaluate:{name}", name, {"rule": "iss"}) as run:
            run.log({"test2/SI-SDR dB": 4.5, "test2/STOI": 0.7})
            for step in range(3):
                run.log({"test2/by iteration": step}, step)
    tracking.show("ssml", VIEW)


@contextmanager
def running(*words):
    """`python -m ssml.tracking.ui WORDS` while it runs."""
    command = [sys.executable, "-m", "ssml.tracking.ui", *words]
    environment = {**os.environ, "PYTHONPATH": str(provenance.ROOT)}
    started = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        yield started
    finally:
        started.terminate()
        started.wait()


def free_port() -> int:
    with socket.socket() as tried:
        tried.bind((ui.HOST, 0))
        return tried.getsockname()[1]


def printed(capsys, monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["ui", *words])
    ui.main()
    return capsys.readouterr().out.splitlines()


def test_the_links_name_each_experiment_that_has_a_view(shown, capsys, monkeypatch):
    ids = {one.name: one.experiment_id for one in store.open_store().client.search_experiments()}
    lines = printed(capsys, monkeypatch, "--links", "--port", "5001")
    assert sorted(lines) == [
        f"ssml/evaluate  http://127.0.0.1:5001/{views.link(ids['ssml/evaluate'])}",
        f"ssml/train     http://127.0.0.1:5001/{views.link(ids['ssml/train'])}",
    ]
    assert "viewStateShareKey=ssml" in lines[0] and "compareRunsMode" not in lines[0]
    assert views.link("7", charts=True) in views.tags(VIEW, "7")["mlflow.note.content"]


def test_without_runs_the_way_to_them_is_named(own, capsys, monkeypatch):
    assert printed(capsys, monkeypatch, "--links") == [
        "http://127.0.0.1:5000 has no runs yet: make reproduce"
    ]


def test_a_port_in_use_is_named(monkeypatch):
    with socket.socket() as other:
        other.bind((ui.HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setattr(sys, "argv", ["ui", "--port", str(port)])
        with pytest.raises(SystemExit, match=f"port {port} is in use; .*PORT=") as raised:
            ui.main()
    assert raised.value.code not in (0, None)


@pytest.mark.parametrize(
    ("location", "words", "said"),
    [("./mlruns", [], r"\./mlruns: MLflow cannot open it"), (None, ["--port", "0"], "1 to 65535")],
)
def test_what_cannot_be_shown_is_one_line(own, monkeypatch, location, words, said):
    if location:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", location)
    monkeypatch.setattr(sys, "argv", ["ui", "--links", *words])
    with pytest.raises(SystemExit, match=said) as raised:
        ui.main()
    assert "\n" not in str(raised.value.code)


def test_the_makefile_fails_as_the_command_does():
    with socket.socket() as other:
        other.bind(("", 0))  # of all addresses
        other.listen()
        port = other.getsockname()[1]
        command = ["make", "ui", f"PORT={port}", f"VENV={sys.prefix}", "STAMP="]
        done = subprocess.run(command, cwd=provenance.ROOT, capture_output=True, text=True)
    assert done.returncode and f"port {port} is in use" in done.stderr, done.stderr


def test_the_makefile_passes_its_port_on():
    for target in ("ui", "reproduce"):
        command = ["make", "--dry-run", "--always-make", target, "PORT=5001"]
        done = subprocess.run(command, cwd=provenance.ROOT, capture_output=True, text=True)
        assert "-m ssml.tracking.ui --port 5001" in done.stdout


@pytest.mark.slow
def test_the_links_open_columns_and_charts_in_a_browser(shown):
    """Nothing is clicked."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs Chromium: install it to check MLflow as a person sees it")
    port = free_port()
    with running("--port", str(port)) as server, playwright.sync_playwright() as driver:
        pages = dict(server.stdout.readline().split() for _ in range(2))
        for _ in range(360):
            with suppress(OSError):
                urllib.request.urlopen(f"http://{ui.HOST}:{port}/health")
                break
            time.sleep(0.5)
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        expect, within = playwright.expect, {"timeout": 60_000}

        def opened(url):  # by a browser that was never here before
            page = browser.new_page(viewport={"width": 1920, "height": 900})
            page.goto(url)
            return page

        page = opened(pages["ssml/evaluate"])
        expect(page.get_by_role("columnheader", name="test2/SI-SDR dB").first).to_be_visible(
            **within
        )
        expect(page.get_by_text("4.5").first).to_be_visible(**within)
        page = opened(f"{pages['ssml/evaluate']}&compareRunsMode=CHART")
        for name in ("test2/SI-SDR dB", "test2/by iteration"):
            expect(page.get_by_role("heading", name=name)).to_be_visible(**within)
        expect(page.get_by_role("heading", name="test2/STOI")).to_have_count(0)  # folded
        page = opened(f"{pages['ssml/train']}&compareRunsMode=CHART")
        expect(page.get_by_role("heading", name="loss/sdr")).to_be_visible(**within)
        browser.close()

import re

from ssml.files import progress


def test_a_log_gets_lines_with_a_bar_a_rate_and_the_time_left(capsys, monkeypatch):
    monkeypatch.setattr(progress, "LINE_EVERY", 0.0)
    notes = iter(["loss 3", "loss 2", "loss 1"])
    done = list(progress.progress([1, 2, 3], "train", "steps", lambda: next(notes)))
    assert done == [1, 2, 3]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3 and "\r" not in "".join(lines)
    shape = r"train \[#{6}\.{4}\] 2/3, [\d.e+]+ steps/s, \d+:\d\d left, loss 2"
    assert re.fullmatch(shape, lines[1])


def test_a_quick_loop_says_only_that_it_is_done(capsys):
    assert list(progress.progress(range(50), "mix", "mixtures")) == list(range(50))
    (line,) = capsys.readouterr().err.splitlines()
    assert "50/50" in line


def test_a_terminal_gets_a_bar(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.delenv("SSML_PROGRESS", raising=False)
    assert list(progress.progress("ab", "mix", "mixtures")) == ["a", "b"]

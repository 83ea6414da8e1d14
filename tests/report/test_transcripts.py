"""Word errors as they are counted for the tables: with and without a cap, insertions, and order."""

import pytest

from ssml.evaluation.asr import WordErrors, word_errors
from ssml.report import claims, results, rivals, tables
from ssml.report.latex import latex
from ssml.report.transcripts import Heard, Text, Transcripts, in_words
from tests.report import fake_tables as fake


def text(hyp: str, ref: str, fewest: WordErrors | None = None, loop: bool = False) -> Text:
    errors = word_errors(hyp, ref)
    return Text(0, ref, hyp, errors, fewest or errors, not hyp, loop)


def test_each_rate_is_what_one_counts_by_hand():
    """Of 4 and 2 words: one is not recognised, one is followed by a loop; and two swapped."""
    swapped = [text("b", "a", WordErrors(1, 0, 0, 0)), text("a", "b", WordErrors(1, 0, 0, 0))]
    loop = text("a b" + " c" * 20, "a b", loop=True)
    found = Transcripts({"m-0": [text("", "a b c d"), loop], "m-1": swapped})
    assert found.counts("wer") == {"m-0": (24, 6), "m-1": (2, 2)}
    assert found.counts("wer_capped") == {"m-0": (6, 6), "m-1": (2, 2)}
    assert found.counts("wer_without_insertions") == {"m-0": (4, 6), "m-1": (2, 2)}
    assert found.counts("cpwer") == {"m-0": (24, 6), "m-1": (0, 2)}
    assert found.heard == Heard(outputs=4, nothing=1, loops=1)


def test_the_line_below_a_table_adds_the_methods_up():
    line = in_words([Heard(10, 2, 0), None, Heard(5, 1, 3)])
    assert line == "Nothing was recognised in 3 of 15 outputs, a loop in 3."
    assert in_words([None]) == ""


@pytest.fixture
def looping(tmp_path):
    """Results in which the best classical method loops in its first outputs, and hears others."""
    chosen = fake.settings(sets=["test2"])
    fake.write(tmp_path, chosen, wer=fake.WER | {"gauss": 0.3})

    def loop(rows):
        for row in rows[:6]:
            row["insertions"] = row["assigned_insertions"] = "200"
            row["loop"] = "1"
        rows[7]["nothing"] = "1"

    fake.edit(tmp_path / "results/transcripts/gauss-iss/test2.csv", loop)
    return results.read(chosen, tmp_path)


def row_of(found: results.Results, method: str) -> tables.Row:
    return next(row for row in tables.summarise(found) if row.method == method)


def test_rates_of_at_most_one_error_a_word_have_bounds_up_to_1(tmp_path):
    chosen = fake.settings(mixtures=4, sets=["test2"])
    fake.write(tmp_path, chosen, wer=dict.fromkeys(fake.WER, 0.9))

    def spoil(rows):
        for row in rows[2:]:  # of the first mixture, all is recognised
            row["insertions"] = "30"

    fake.edit(tmp_path / "results/transcripts/laplace-iss/test2.csv", spoil)
    row = row_of(results.read(chosen, tmp_path), "laplace-iss")
    assert row.wer and row.wer_capped and row.wer_without_insertions
    assert row.wer.high > 1 and row.wer.low < row.wer.mean
    for interval in (row.wer_capped, row.wer_without_insertions):
        assert interval.low < interval.mean <= interval.high <= 1


def test_a_loop_neither_dethrones_a_rival_nor_weighs_for_the_claim(looping):
    row = row_of(looping, "gauss-iss")
    assert row.wer and row.wer_capped and row.wer_without_insertions and row.cpwer
    assert row.wer.mean == row.cpwer.mean > 3 > 1 > row.wer_capped.mean
    assert row.wer_without_insertions.mean < row.wer_capped.mean
    assert rivals.best_heard(looping, "test2") == "gauss-iss"
    (line,) = [line for line in claims.claims(looping)[0].lines if "WER on test2" in line]
    assert f"against gauss-iss: {100 * row.wer_capped.mean:.1f} %" in line


def test_what_was_not_recognised_and_loops_stand_in_every_table(looping):
    rows = tables.summarise(looping)
    cells = row_of(looping, "gauss-iss").cells()
    assert (cells["outputs"], cells["nothing"], cells["loops"]) == (24, 1, 6)
    outputs, nothing, loops = (
        sum(row.cells()[name] for row in rows) for name in ("outputs", "nothing", "loops")
    )
    line = f"Nothing was recognised in {nothing} of {outputs} outputs, a loop in {loops}."
    assert nothing > 0 and loops == 6
    for table in (tables.ascii_table(rows), tables.markdown(rows), fake.html(looping, plates=[])):
        assert line in table
    rule = "Capped WER: the errors of an output count up to the number of words"
    for table in (tables.markdown(rows), latex(rows), fake.html(looping, plates=[])):
        assert rule in table

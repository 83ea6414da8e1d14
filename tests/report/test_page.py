"""The page: whole, alone, deterministic, and safe with hostile text."""

import re

import numpy as np
import pytest

from ssml.config import layout, params
from ssml.report import cells, compare, conditions, results, tables
from ssml.report.iterations import by_iterations
from ssml.report.latex import latex
from tests.report import fake_tables as fake
from tests.report.parsed import attributes, by_id, parse, text_of


def test_page_is_whole_and_asks_for_nothing_outside(made, written):
    root = parse(written)
    ids = list(attributes(root, "id"))
    links = list(attributes(root, "src", "href", "xlink:href"))
    folders = ("#", "data:", "figures/", f"{layout.AUDIO.name}/", f"{layout.LISTEN.name}#")
    beside = {layout.LISTEN.name, layout.RUNS.name}
    assert all(link.startswith(folders) or link in beside for link in links)
    assert not re.search(r"url\(\s*['\"]?(?!#)|@import|fetch\(|XMLHttpRequest", written)
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)
    assert len(list(root.iter("h1"))) == 1
    assert len(list(root.iter("caption"))) == 3 * 3 + 5 * 3 + 1 + 2


def test_every_figure_is_in_the_page_and_names_itself(made, plates, written):
    found = made[1]
    names = [picture.name for plate in plates for picture in plate.pictures]
    assert names == [name for kind in layout.figures(found.params).values() for name in kind]
    shown = list(attributes(parse(written), "data-figure"))
    assert sorted(shown) == sorted(names)
    drawn = [name for name in names if not name.startswith(("si-sdr", "wer"))]  # not as dots
    assert written.count('role="img"') == len(drawn)
    for plate in plates:
        for picture in plate.pictures:
            assert picture.drawing.svg.startswith("<svg") and picture.alt
            assert picture.drawing.pdf.startswith(b"%PDF")
            assert picture.name.startswith(plate.kind)


def test_the_same_tables_give_the_same_page(made, written):
    assert fake.html(made[1]) == written
    assert not re.search(r"20\d\d-\d\d-\d\d", written)


def test_page_says_what_was_run(made, written):
    assert fake.DIGESTS["Parameters"] in written
    assert "constrained to the grammar" in written
    assert "snakemake --cores all" in written and "make ui" in written
    every = made[1].params.train.variants["learned-sdr"].validate_every
    assert f"validate_every: {every}" in written


def test_page_shows_a_verdict_for_each_claim(tmp_path, written):
    assert text_of(by_id(parse(written), "claims")).count("✓ Shown") == 4
    found = fake.read_with(tmp_path, si_sdr=fake.SI_SDR | {"laplace": 5.5})
    text = fake.html(found, plates=[])
    assert text_of(by_id(parse(text), "claims")).count("? Open") == 3


def test_hostile_text_is_escaped(tmp_path):
    evil = "<script>alert(1)</script>&\"'"
    chosen = fake.settings(mixtures=3, sets=["test2"], title=evil)
    values = chosen.model_dump(mode="json")
    values["mix"]["noise"] = "</pre><img src=x onerror=alert(2)>"
    values["separate"]["methods"]["laplace-ip"]["model"] = "</script><b>"
    chosen = params.parse(values)
    fake.write(tmp_path, chosen)
    text = fake.html(results.read(chosen, tmp_path))
    assert "<script>alert" not in text and "<img" not in text and "</script><b>" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert len(list(parse(text).iter("h1"))) == 1


def test_comparisons_are_paired_and_turn_their_sign(made):
    found = compare.pairs(made[1])["test2"]["si_sdr"]
    ours = found["laplace-iss"]["learned-sdr-iss"]
    theirs = found["learned-sdr-iss"]["laplace-iss"]
    assert ours == pytest.approx([-theirs[0], -theirs[2], -theirs[1], theirs[3]])
    assert ours[3] < 0.001  # 3.5 dB apart on 30 mixtures
    assert "laplace-iss" not in found["laplace-iss"]


@pytest.mark.parametrize(
    ("interval", "shown", "side"),
    [
        ((8.1, -0.31, 16.6), "\N{MINUS SIGN}0.3 to 17", "same"),
        ((8.1, 0.04, 16.6), "0.04 to 17", "up"),
        ((-8.1, -16.6, -0.4), "\N{MINUS SIGN}17 to \N{MINUS SIGN}0.4", "down"),
        ((0.0, 0.0, 0.0), "0 to 0", "same"),
    ],
)
def test_no_bound_is_rounded_to_the_other_side_of_zero(interval, shown, side):
    found = cells.delta((*interval, 0.5), 0)
    assert (found.bounds, found.side) == (shown, side)


def test_every_mixture_is_in_one_bin_of_a_condition(made):
    found = {condition.key: condition for condition in conditions.conditions(made[1])}
    assert set(found) == {"t60", "overlap", "distance", "level", "sex"}
    for condition in found.values():
        for table in condition.tables:
            ids = [id for split in table.splits for id in split.ids]
            assert sorted(ids) == made[1].scores["mixture", table.test_set].ids
            assert all(len(intervals) == len(table.splits) for _, intervals in table.rows)


def test_a_bins_improvement_is_the_mean_over_its_mixtures(made):
    (table, *_) = conditions.conditions(made[1])[0].tables
    after, before = (
        made[1].scores[name, table.test_set].values("si_sdr") for name in ("nmf-iss", "mixture")
    )
    for split, interval in zip(table.splits, dict(table.rows)["nmf-iss"], strict=True):
        assert interval.mean == pytest.approx(np.mean([after[i] - before[i] for i in split.ids]))
        assert interval.n == len(split.ids) == 10


def test_failures_are_shown_by_kind_and_left_out(tmp_path):
    chosen = fake.settings(mixtures=5, sets=["test2"])
    fake.write(tmp_path, chosen)

    def fail(rows):
        for row, kind in zip(rows[::2], ("silent", "not finite", "silent"), strict=False):
            row["failure"] = kind
            row |= dict.fromkeys(("si_sdr", "sdr", "sir", "sar", "stoi"), "nan")

    fake.edit(tmp_path / "results/scores/nmf-iss/test2.csv", fail)
    found = results.read(chosen, tmp_path)
    text = fake.html(found, plates=[])
    assert "nmf-iss on test2: 2 of 5 silent" in text and "1 of 5 not finite" in text
    (row,) = [r for r in tables.summarise(found) if (r.test_set, r.method) == ("test2", "nmf-iss")]
    assert row.failures == 3 and row.si_sdr.n == row.si_sdri.n == row.stoi.n == 2


def test_pesq_is_shown_where_it_was_measured(tmp_path, written):
    assert "PESQ</button>" not in written
    chosen = fake.settings(mixtures=5, sets=["test2"])
    fake.write(tmp_path, chosen)
    for path in (tmp_path / "results/scores").glob("*/*.csv"):
        fake.edit(path, lambda rows: [row.update(pesq=2.5) for row in rows])
    found = results.read(chosen, tmp_path)
    text = fake.html(found, plates=[])
    assert "PESQ</button>" in text and '"pesq":' in text
    row = tables.summarise(found)[0]
    assert row.pesq is not None and row.cells()["pesq"] == row.metrics()["PESQ"] == 2.5


def test_latex_is_balanced_and_escaped(made):
    text = latex(tables.summarise(made[1]))
    assert text.count("\\begin{tabular}") == text.count("\\end{tabular}") == 3
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {line.count("&") for line in body} == {3}
    assert r"WER in \%" in text and not re.search(r"(?<!\\)[_#]|(?<![\w$])-\d", text)


def test_the_table_by_iterations_is_that_of_the_curves(made):
    found = made[1]
    for table in by_iterations(found):
        assert table.at == [5, 10, 20]
        for name, means in table.rows:
            curve = found.curves[name, table.test_set]
            assert [mean and mean.mean for mean in means] == pytest.approx(
                curve.values[:, [5, 10, 20]].mean(axis=0)
            )
        assert table.best(2) == max(means[2].mean for _, means in table.rows)

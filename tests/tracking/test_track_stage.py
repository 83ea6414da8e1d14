"""The stage's script: one run a method, made once; its intervals and digests are no charts."""

import base64
import json
import sys
import zlib

import pytest
import yaml

from pipeline import track
from ssml import tracking
from ssml.config import layout
from ssml.files import io
from ssml.report import results, tables
from ssml.tracking import store, views
from tests.report import fake_tables as fake

AGAIN = "learned-sdr-iss-seed-2"


@pytest.fixture
def evaluated(folder, request, monkeypatch):
    """Made-up tables on two sets, and a function that tracks them: job -> run.

    They are of two methods, of which one has two trainings.
    """
    values = fake.settings(mixtures=4, sets=("test2", "test3")).model_dump(mode="json")
    kept = ("laplace-iss", "learned-sdr-iss")
    values["separate"]["methods"] = {name: values["separate"]["methods"][name] for name in kept}
    values["train"]["variants"].pop("learned-coherence")
    values["separate"]["methods"][AGAIN] = {
        **values["separate"]["methods"][kept[1]],
        "repeats": kept[1],
    }
    values["report"] |= {"learned_coherence": kept[1], "other_rules": []}
    values["track"]["experiment"] = request.node.name
    params = fake.params.parse(values)
    fake.write(folder, params)
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    names = (*params.separate.sets, params.train.train, *params.train.validation)
    for path in (path for name in names for path in layout.shards(params, name)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(path))
    card = io.read_json(layout.model("learned-sdr").with_suffix(".json"))
    io.write_json(layout.model("learned-sdr").with_suffix(".json"), card | {"data": "0123"})
    monkeypatch.setattr(sys, "argv", ["track"])

    def tracked():
        track.main()
        found = store.open_store().search(f"{request.node.name}/evaluate", store.LIVE)
        return {run.data.tags["job"]: run for run in found}

    return params, tracked


def test_a_method_is_one_run_with_its_figures_on_all_sets(evaluated):
    params, tracked = evaluated
    runs = tracked()
    methods = ("mixture", "laplace-iss", "learned-sdr-iss", "reference")
    assert set(runs) == {f"evaluate:{name}" for name in methods}
    run = runs["evaluate:learned-sdr-iss"]
    rows = tables.summarise(results.read(params))
    for row in (row for row in rows if row.method == "learned-sdr-iss"):
        for name, value in row.metrics().items():
            assert run.data.metrics[f"{row.test_set}/{name}"] == pytest.approx(value, abs=1e-3)
        assert f"{row.si_sdr.mean:.1f} [" in run.data.tags["mlflow.note.content"]
    assert not any("interval" in name for name in run.data.metrics)
    assert not any("digest" in name for name in run.data.params)
    client = store.open_store().client
    curve = client.get_metric_history(run.info.run_id, f"test2/{track.CURVE}")
    assert [point.step for point in curve] == list(range(21))
    files = {one.path for one in client.list_artifacts(run.info.run_id, "scores")}
    assert files == {"scores/test2.csv", "scores/test3.csv", f"scores/{AGAIN}"}
    assert sorted(one.dataset.name for one in run.inputs.dataset_inputs) == ["test2", "test3"]


def test_what_is_tracked_again_makes_a_run_only_where_a_table_changed(evaluated):
    _, tracked = evaluated
    before = {job: run.info.run_id for job, run in tracked().items()}
    assert {job: run.info.run_id for job, run in tracked().items()} == before

    def change(rows):
        rows[0]["si_sdr"] = "9.5"

    fake.edit(layout.scores("laplace-iss", "test3"), change)
    after = {job: run.info.run_id for job, run in tracked().items()}
    assert {job for job in before if after[job] != before[job]} == {"evaluate:laplace-iss"}
    ids = io.read_json(layout.TRACKED)
    assert {f"evaluate:{method}": id for method, id in ids.items()} == after


def test_the_view_shows_what_was_logged(evaluated, request):
    _, tracked = evaluated
    run = tracked()["evaluate:learned-sdr-iss"]
    experiment = store.open_store().client.get_experiment(run.info.experiment_id)
    packed = experiment.tags[views.TAG].removeprefix("deflate;")
    state = json.loads(zlib.decompress(base64.b64decode(packed)))
    kinds = {"metrics": run.data.metrics, "params": run.data.params}
    for column in state["selectedColumns"]:
        kind, name = column.split(".", 1)
        assert name.strip("`") in kinds[kind], column
    assert state["selectedColumns"][:2] == [
        "metrics.`test2/SI-SDR dB`",
        "metrics.`test2/WER capped`",
    ]
    opened = {part["uuid"] for part in state["compareRunSections"] if part["display"]}
    shown = {chart["metricKey"] for chart in state["compareRunCharts"]}
    at_once = [
        chart["metricKey"]
        for chart in state["compareRunCharts"]
        if chart["metricSectionId"] in opened
    ]
    assert opened == {"test2", "test3"} and len(at_once) == 6
    assert set(at_once) <= set(run.data.metrics) <= shown | set(at_once)
    assert state["searchFilter"] == store.LIVE
    shown_again = tracking.View("evaluate", "x", ["metrics.`a`"], "metrics.`a`", [])
    tracking.show(request.node.name, shown_again)
    newer = store.open_store().client.get_experiment(run.info.experiment_id)
    assert newer.tags[views.TAG] != experiment.tags[views.TAG]

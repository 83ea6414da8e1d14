"""What runs have to do with each other: data, digests, the best model, which of them count."""

from ssml import tracking
from ssml.tracking import store
from tests.tracking.conftest import JOB, PARAMS


def test_a_run_knows_its_data(start):
    with start(job="evaluate:a") as run:
        run.dataset("test2", "0123abcd", "data/mixtures/test2", "testing")
    (given,) = store.open_store().client.get_run(run.id).inputs.dataset_inputs
    assert (given.dataset.name, given.dataset.digest) == ("test2", "0123abcd")
    assert [(tag.key, tag.value) for tag in given.tags] == [("mlflow.data.context", "testing")]


def test_digests_are_tags_and_make_another_run(start, request):
    old, new = {"scores": "0123"}, {"scores": "4567"}
    with start(digests=old) as run:
        pass
    found = store.open_store().client.get_run(run.id).data
    assert found.tags["digest/scores"] == "0123"
    assert not any("0123" in value for value in found.params.values())
    name = request.node.name
    assert tracking.find(name, JOB, PARAMS, "c", old) == run.id
    assert tracking.find(name, JOB, PARAMS, "c", new) is None
    assert tracking.find(name, JOB, PARAMS, "c") is None


def test_data_are_noted_once_in_a_run(start):
    data = {"name": "train and dev", "digest": "abcd", "source": "data", "context": "training"}
    tracking.log_inputs("none", data)  # nothing there: no trouble
    with start() as old:
        pass
    with start() as new:
        pass
    for _ in range(2):
        tracking.log_inputs(new.id, data)
    tracking.log_inputs(new.id, data | {"digest": "ef01"})
    client = store.open_store().client
    given = client.get_run(new.id).inputs.dataset_inputs
    assert sorted(one.dataset.digest for one in given) == ["abcd", "ef01"]
    assert given[0].tags[0].value == "training"
    assert client.get_run(old.id).inputs.dataset_inputs == []


def test_a_run_is_found_by_what_it_was_given_even_when_a_newer_one_counts(start, request):
    with start(params={"lr": 1}) as first:
        pass
    with start(params={"lr": 2}):
        pass
    name = request.node.name
    assert tracking.find(name, JOB, {"lr": 1}, "c") is None  # superseded
    assert tracking.find_any(name, JOB, {"lr": 1}) == first.id
    assert tracking.find_any(name, JOB, {"lr": 3}) is None


def test_the_best_model_has_an_alias_and_each_run_one_version(start, request, tmp_path):
    (tmp_path / "weights").write_text("w")
    model, client = f"model-{request.node.name}", store.open_store().client
    assert tracking.register(model, "none", "the best", "best") is None
    for version in ("1", "2"):
        with start() as run:
            run.artifact(tmp_path / "weights", "model")
        for _ in range(2):
            assert tracking.register(model, run.id, "the best", "best") == version
        found = client.get_model_version_by_alias(model, "best")
        assert (str(found.version), found.run_id) == (version, run.id)
        assert found.description == "the best"


def test_runs_are_told_by_job_with_their_commit(start):
    with start(job="train:b") as b:
        pass
    with start(job="train:a") as a:
        pass
    found = tracking.summaries([b.id, a.id])
    assert [(one["id"], one["job"]) for one in found] == [(a.id, "train:a"), (b.id, "train:b")]
    assert found[0]["commit"] == tracking.git()
    assert found[0]["seconds"] >= 0 and found[0]["began"].endswith("UTC")
    assert tracking.summaries(["none"]) == []

"""What runs have to do with each other: parents, data, the best model, which of them count."""

from ssml import tracking
from ssml.tracking import store
from tests.tracking.conftest import JOB


def test_a_run_is_shown_under_its_parent_and_knows_its_data(start):
    with start(job="evaluate:test2") as parent:
        parent.dataset("test2", "0123abcd", "data/mixtures/test2", "testing")
    with start(job="evaluate:a:test2", parent=parent.id) as child:
        pass
    found = store.open_store().client.get_run(child.id)
    assert found.data.tags[store.PARENT] == parent.id
    (given,) = store.open_store().client.get_run(parent.id).inputs.dataset_inputs
    assert (given.dataset.name, given.dataset.digest) == ("test2", "0123abcd")
    assert [(tag.key, tag.value) for tag in given.tags] == [("mlflow.data.context", "testing")]


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


def test_a_known_run_is_adopted_by_a_new_parent(start):
    with start(job="evaluate:a:test2", parent=None) as child:
        pass
    with start(job="evaluate:test2") as parent:
        pass
    tracking.adopt(child.id, parent.id)
    assert store.open_store().client.get_run(child.id).data.tags[store.PARENT] == parent.id


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
    assert [one["id"] for one in found] == [a.id, b.id]
    assert found[0]["commit"] == tracking.git()
    assert found[0]["seconds"] >= 0 and found[0]["began"].endswith("UTC")
    assert tracking.summaries(["none"]) == []

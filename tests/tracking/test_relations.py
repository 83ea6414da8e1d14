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


def test_data_are_noted_once_in_the_run_that_counts(start, request):
    data = {"name": "train and dev", "digest": "abcd", "source": "data", "context": "training"}
    tracking.used(request.node.name, JOB, data)  # nothing there: no trouble
    with start() as old:
        pass
    with start() as new:
        pass
    for _ in range(2):
        tracking.used(request.node.name, JOB, data)
    tracking.used(request.node.name, JOB, data | {"digest": "ef01"})
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


def test_the_best_model_has_an_alias_and_each_run_one_version(start, request, tmp_path):
    (tmp_path / "weights").write_text("w")
    model, client = f"model-{request.node.name}", store.open_store().client

    def register():
        return tracking.registered(model, request.node.name, JOB, "the best", "best")

    assert register() is None  # no run has made one
    for version in ("1", "2"):
        with start() as run:
            run.artifact(tmp_path / "weights", "model")
        assert register() == register() == version
        found = client.get_model_version_by_alias(model, "best")
        assert (str(found.version), found.run_id) == (version, run.id)
        assert found.description == "the best"


def test_live_runs_are_listed_with_their_commit(start, request):
    with start():
        pass
    with start() as newer:
        pass
    (found,) = tracking.live(request.node.name, "train")
    assert found["id"] == newer.id and found["commit"] == tracking.git()
    assert found["seconds"] >= 0 and found["began"].endswith("UTC")

"""What MLflow's page of an experiment shows at once: columns, order and charts.

MLflow keeps such a view as JSON in a tag of the experiment, and a link names it. The fields are
those that MLflow's own button "Share" writes.
"""

import base64
import json
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

KEY = "ssml"  # in the links, and at the end of the tag's name
TAG = f"mlflow.sharedViewState.{KEY}"
COUNTED = "tags.superseded IS NULL"  # the runs that no newer one of the same job supersedes


class Section(NamedTuple):
    """A part of the page of charts: a line for each metric that has steps, else a bar a run."""

    name: str
    metrics: Sequence[str]
    open: bool = True  # or folded


class View(NamedTuple):
    """What the page of the experiment `.../kind` shows."""

    kind: str  # `train`, `evaluate`
    about: str  # one sentence
    columns: Sequence[str]  # "metrics.`WER`", "params.`rule`"
    order: str  # the column that the rows are sorted by, highest first
    sections: Sequence[Section]


TRAINING = View(
    "train",
    "Trainings of the learned source models.",
    (
        "metrics.`validation SI-SDR dB`",
        *(f"params.`{name}`" for name in ("loss", "network.name", "rule", "steps", "lr", "seed")),
    ),
    "metrics.`validation SI-SDR dB`",
    (
        Section("validation", ["validation SI-SDR dB"]),
        Section("loss", ["loss/sdr", "loss/coherence"]),
        Section("more", ["gradient norm", "skipped steps"], open=False),
    ),
)


def link(experiment: str, charts: bool = False) -> str:
    """The page of the experiment with that id, after the server's address."""
    # without a workflow, MLflow opens the page of an experiment with language models
    chosen = f"workflowType=machine_learning&viewStateShareKey={KEY}"
    return f"#/experiments/{experiment}/runs?{chosen}{'&compareRunsMode=CHART' * charts}"


def tags(view: View, experiment: str) -> dict[str, str]:
    """The tags of the experiment with that id."""
    table, chart = (link(experiment, charts) for charts in (False, True))
    return {
        TAG: _pack(_state(view)),
        "mlflow.note.content": f"{view.about} [Table]({table}) or [charts]({chart}).",
        "mlflow.experimentKind": "custom_model_development",  # its page is that of runs
        "mlflow.experiment.primaryMetric.name": view.order.split("`")[1],
    }


def _pack(state: dict[str, Any]) -> str:
    """The state as MLflow compresses it: a tag has no room for a study's as text."""
    packed = base64.b64encode(zlib.compress(json.dumps(state).encode(), 9))
    return f"deflate;{packed.decode()}"


def _state(view: View) -> dict[str, Any]:
    charts = [
        {
            "uuid": f"{section.name}: {metric}",
            "metricSectionId": section.name,
            "type": "BAR",  # MLflow draws lines where there are steps
            "metricKey": metric,
            "displayName": metric.rpartition("/")[2],
            "runsCountToCompare": 100,
            "isGenerated": True,
            "deleted": False,
        }
        for section in view.sections
        for metric in section.metrics
    ]
    sections = [
        {"uuid": part.name, "name": part.name, "display": part.open, "columns": 2}
        for part in view.sections
    ]
    return {
        "searchFilter": COUNTED,
        "orderByKey": view.order,
        "orderByAsc": False,
        "selectedColumns": list(view.columns),
        "columnOrder": list(view.columns),
        "columnWidths": {name: 40 + 7 * len(name.split("`")[1]) for name in view.columns},
        "compareRunCharts": charts,
        "compareRunSections": sections,
        "isAccordionReordered": True,  # keep the order of the sections
        "runsHiddenMode": "SHOW_ALL",
    }

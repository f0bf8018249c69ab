"""Views that a study offers in the dashboard: every cell as cost vs score, and the lines of its methods.

MLflow keeps saved views as tags of the experiment and lists them on its page; this is the form that version 3 reads.
A version that does not know it shows its usual charts: nothing else depends on this.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from segfrontier.tracking.payload import HEADLINE, SETTING_TAG

COSTS, METHODS = "Cost vs mIoU", "Methods over cost"
VIEW_TAG, NOTE_TAG, FORM_TAG = "mlflow.sharedViewState.", "mlflow.note.content", "segfrontier.views"
FORM = "2"
"""Of all these tags: an experiment that names another gets them anew."""
OUR_NOTE = "A study of SegFrontier:"
_PLAIN_TAGS = {
    "mlflow.experiment.primaryMetric.name": HEADLINE,
    "mlflow.experimentKind": "custom_model_development",  # else the page offers what language models need
}
_COLUMNS = ["params.`method`", "params.`budget_hours`", "params.`seed`", "metrics.`hours`", f"metrics.`{HEADLINE}`"]
_CELLS = "params.method != ''"
_BORN = 1_700_000_000_000  # a view must have a date; this one never changes, so telling twice changes nothing
# MLflow's other charts have no logarithmic axis. A legend names runs or groups of them, which here are methods.
_LINES = {
    "type": "LINE", "runsCountToCompare": 500, "metricKey": HEADLINE, "xAxisKey": "step", "displayPoints": True,
    "lineSmoothness": 0, "xAxisScaleType": "log", "scaleType": "linear", "range": {}, "yAxisKey": "metric",
    "yAxisExpressions": [], "ignoreOutliers": False, "selectedXAxisMetricKey": "",
    "useGlobalXaxisKey": False, "useGlobalLineSmoothing": False,
}  # fmt: skip


def experiment_tags(study: str, experiment: str) -> dict[str, str]:
    """Tags that make the page of a study's experiment one about cost and score."""
    keys = [{"mode": "tag", "groupByData": SETTING_TAG}]
    mean = {"groupBy": {"aggregateFunction": "average", "groupByKeys": keys}}
    links = [f"[{view}]({view_link(study, experiment, view)})" for view in (COSTS, METHODS)]
    views = [
        _view(study, COSTS, "mIoU over annotation minutes", {}, _LINES),
        _view(study, METHODS, "Mean mIoU over annotation minutes", mean, _LINES),
    ]
    return _PLAIN_TAGS | {NOTE_TAG: f"{OUR_NOTE} {', '.join(links)}", FORM_TAG: FORM} | dict(views)


def view_link(study: str, experiment: str, view: str) -> str:
    """Where a view is, behind the address of whatever server shows it."""
    chosen = f"workflowType=machine_learning&compareRunsMode=CHART&viewStateShareKey={_key(study, view)}"
    return f"#/experiments/{experiment}/runs?{chosen}"


def home_link() -> str:
    """Where all studies are, behind the address of a server: its own start page is for language models."""
    return "#/experiments?workflowType=machine_learning"


def _view(study: str, name: str, title: str, more: Mapping[str, Any], chart: Mapping[str, Any]) -> tuple[str, str]:
    """A tag that holds a saved view with one large chart above MLflow's own."""
    key = _key(study, name)
    told = {"deleted": False, "isGenerated": False}
    state = {
        "searchFilter": _CELLS, "runsHiddenMode": "SHOW_ALL", "selectedColumns": _COLUMNS, "isAccordionReordered": True,
        "orderByKey": f"metrics.`{HEADLINE}`", "orderByAsc": False, **more,
        "compareRunCharts": [{"uuid": f"{key}-chart", "metricSectionId": key, "displayName": title, **told, **chart}],
        "compareRunSections": [
            {"uuid": key, "name": title, "display": True, "isReordered": True, "columns": 1, "cardHeight": 560, **told}
        ],
    }  # fmt: skip
    envelope = {"name": name, "createdAt": _BORN, "updatedAt": _BORN, "state": json.dumps(state)}
    return VIEW_TAG + key, json.dumps(envelope)


def _key(study: str, view: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_URL, f"segfrontier/{study}/{view}").hex

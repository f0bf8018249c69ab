"""Views that a study offers in the dashboard: every cell as cost vs score, and the lines of its methods.

MLflow keeps saved views as tags of the experiment and lists them on its page; this is the form that version 3 reads.
A version that does not know it shows its usual charts: nothing else depends on this.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from segfrontier.home.records import metric_words
from segfrontier.tracking.payload import HEADLINE, SETTING_TAG, clean

COSTS, METHODS = "Cost vs mIoU", "Methods over cost"
"""What links find them by, whatever metric they show."""
VIEW_TAG, NOTE_TAG, FORM_TAG = "mlflow.sharedViewState.", "mlflow.note.content", "segfrontier.views"
FORM = "2"
"""Of all these tags, with the metric where it is not the headline: an experiment that names another gets them anew."""
OUR_NOTE = "A study of SegFrontier:"
_KIND = {"mlflow.experimentKind": "custom_model_development"}  # else the page offers what language models need
_COLUMNS = ["params.`method`", "params.`budget_hours`", "params.`seed`", "metrics.`hours`"]
_CELLS = "params.method != ''"
_BORN = 1_700_000_000_000  # a view must have a date; this one never changes, so telling twice changes nothing
# MLflow's other charts have no logarithmic axis. A legend names runs or groups of them, which here are methods.
_LINES = {
    "type": "LINE", "runsCountToCompare": 500, "xAxisKey": "step", "displayPoints": True,
    "lineSmoothness": 0, "xAxisScaleType": "log", "scaleType": "linear", "range": {}, "yAxisKey": "metric",
    "yAxisExpressions": [], "ignoreOutliers": False, "selectedXAxisMetricKey": "",
    "useGlobalXaxisKey": False, "useGlobalLineSmoothing": False,
}  # fmt: skip


def experiment_tags(study: str, experiment: str, metric: str = HEADLINE) -> dict[str, str]:
    """Tags that make the page of a study's experiment one about cost and score, in the metric that it ranks by."""
    words = metric_words(metric)
    keys = [{"mode": "tag", "groupByData": SETTING_TAG}]
    mean = {"groupBy": {"aggregateFunction": "average", "groupByKeys": keys}}
    names = {COSTS: f"Cost vs {words}", METHODS: METHODS}
    links = [f"[{name}]({view_link(study, experiment, view)})" for view, name in names.items()]
    views = [
        _view(_key(study, COSTS), names[COSTS], f"{words} over annotation minutes", metric, {}),
        _view(_key(study, METHODS), METHODS, f"Mean {words} over annotation minutes", metric, mean),
    ]
    form = FORM if metric == HEADLINE else f"{FORM} {metric}"
    plain = {"mlflow.experiment.primaryMetric.name": clean(metric), NOTE_TAG: f"{OUR_NOTE} {', '.join(links)}"}
    return plain | _KIND | {FORM_TAG: form} | dict(views)


def view_link(study: str, experiment: str, view: str) -> str:
    """Where a view is, behind the address of whatever server shows it."""
    chosen = f"workflowType=machine_learning&compareRunsMode=CHART&viewStateShareKey={_key(study, view)}"
    return f"#/experiments/{experiment}/runs?{chosen}"


def home_link() -> str:
    """Where all studies are, behind the address of a server: its own start page is for language models."""
    return "#/experiments?workflowType=machine_learning"


def _view(key: str, name: str, title: str, metric: str, more: Mapping[str, Any]) -> tuple[str, str]:
    """A tag that holds a saved view with one large chart of a metric above MLflow's own."""
    told = {"deleted": False, "isGenerated": False}
    chart = {"uuid": f"{key}-chart", "metricSectionId": key, "displayName": title, "metricKey": clean(metric)}
    columns = [f"metrics.`{clean(name)}`" for name in dict.fromkeys((metric, HEADLINE))]
    state = {
        "searchFilter": _CELLS, "runsHiddenMode": "SHOW_ALL", "selectedColumns": _COLUMNS + columns,
        "isAccordionReordered": True, "orderByKey": columns[0], "orderByAsc": False, **more,
        "compareRunCharts": [{**chart, **told, **_LINES}],
        "compareRunSections": [
            {"uuid": key, "name": title, "display": True, "isReordered": True, "columns": 1, "cardHeight": 560, **told}
        ],
    }  # fmt: skip
    envelope = {"name": name, "createdAt": _BORN, "updatedAt": _BORN, "state": json.dumps(state)}
    return VIEW_TAG + key, json.dumps(envelope)


def _key(study: str, view: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_URL, f"segfrontier/{study}/{view}").hex

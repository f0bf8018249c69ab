"""Final models of cells in MLflow: logged once, with signature and example, registered by a name of the user's choice.

Like `runs`, this file imports mlflow; whoever needs it imports it late. An MLflow model is a pyfunc whose data are the
card and the weights of a training, so it holds no pickled code, and `load_model` reads it too.
"""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec

from segfrontier.basics.atomic import scratch_folder, write_json
from segfrontier.basics.reading import load_json
from segfrontier.errors import BadInput
from segfrontier.tracking.address import hidden

MODEL_TAG = "segfrontier.model"
_NAME, _CARD, _WEIGHTS, _LOADER = "model", "model.json", "weights.pt", "segfrontier.lab.leaving.served"
_SIGNATURE = ModelSignature(
    inputs=Schema([TensorSpec(np.dtype(np.uint8), (-1, -1, -1, 3))]),
    outputs=Schema([TensorSpec(np.dtype(np.uint8), (-1, -1, -1))]),
)


def log_final(uri: str, run: str, model: Mapping[str, Any]) -> None:
    """Log a cell's model to its run, unless this very model is there; then register it, unless it is.

    `model`: the entry's `folder`, `stage`, `network`, `weights`, `looking`, and the name to `register`, or none.
    """
    client = MlflowClient(uri)
    identity = f"{model['stage']}:{model['weights']}:{model['network']}"
    if client.get_run(run).data.tags.get(MODEL_TAG) != identity:
        _log(uri, run, model)
        client.set_tag(run, MODEL_TAG, identity)
    if name := model["register"]:
        _register(client, run, str(name), identity)


def _log(uri: str, run: str, model: Mapping[str, Any]) -> None:
    folder = Path(model["folder"])
    card = load_json(folder / _CARD, what="the description of a model")
    with scratch_folder() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow warns of its own insides
        data = scratch / str(model["stage"])
        data.mkdir()
        write_json(data / _CARD, card | {"predicts": model["network"], "looking": model["looking"]}, sync=False)
        shutil.copyfile(folder / model["weights"], data / _WEIGHTS)
        mlflow.set_tracking_uri(uri)  # `Model.log` takes none
        mlflow.set_registry_uri(uri)
        mlflow.set_experiment(experiment_id=MlflowClient(uri).get_run(run).info.experiment_id)  # nor an experiment
        Model.log(
            artifact_path=None, name=_NAME, flavor=mlflow.pyfunc, run_id=run, loader_module=_LOADER,
            data_path=str(data), signature=_SIGNATURE, input_example=np.zeros((1, 64, 96, 3), np.uint8),
            pip_requirements=["segfrontier"],
        )  # fmt: skip


def _register(client: MlflowClient, run: str, name: str, identity: str) -> None:
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    known = client.search_model_versions(f"name='{name}' and run_id='{run}'")
    if not any(version.tags.get(MODEL_TAG) == identity for version in known):
        client.create_model_version(name, f"runs:/{run}/{_NAME}", run, tags={MODEL_TAG: identity})


def download_model(address: str) -> Path:
    """A copy of the card and the weights behind `runs:/ID/model` or `models:/NAME/VERSION`."""
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if uri is None:
        raise BadInput(
            f"{address}: MLFLOW_TRACKING_URI must say where MLflow is; it is not set. Set it, e.g. to "
            f"sqlite:////HOME/mlflow.db."
        )
    try:
        folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=address, tracking_uri=uri))
    except Exception as error:  # MLflow passes on errors of its database and of the network as they are
        raise BadInput(
            f"{address} must be a model at {hidden(uri)}; it cannot be fetched ({' '.join(str(error).split())[:200]}). "
            f"Correct the address."
        ) from None
    cards = sorted(folder.rglob(f"data/*/{_CARD}"))
    if len(cards) != 1:
        raise BadInput(f"{address} must be a model that a study of SegFrontier logged; it is none. Correct it.")
    return cards[0].parent

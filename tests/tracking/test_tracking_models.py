"""Final models in MLflow: signature and example, registered by name, never twice for a cell."""

import numpy as np
import pytest
from toystudy import toy_study

from segfrontier import load_model
from segfrontier.home.layout import Home
from segfrontier.home.records import Record
from segfrontier.study.run import run_study
from segfrontier.tracking.sync import sync


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # MLflow's own
def test_mlflow_holds_the_final_model_of_a_cell_once(uri, tmp_path, monkeypatch):
    from mlflow import MlflowClient, pyfunc

    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    study = toy_study(
        tmp_path, methods=["fine"], budgets=[0.1], seeds=[0], models={"register_as": "street-model"},
    )  # fmt: skip
    run_study(study, home=tmp_path / "runs", tracking="none")
    place = Home(tmp_path / "runs").study("toy")
    (key,), client = place.cell_keys(), MlflowClient(uri)
    for _ in range(2):
        done = sync(place, uri)
        assert done is not None and (done.written, done.left, done.error) == (1, 0, "")
        client.set_tag(place.runs()[key], "segfrontier.synced", "of other files")
    run = place.runs()[key]
    (version,) = client.search_model_versions("name='street-model'")
    assert version.run_id == run
    experiment = client.get_run(run).info.experiment_id
    assert len(client.search_logged_models([experiment])) == 1
    image = np.random.default_rng(0).integers(0, 255, (30, 41, 3)).astype(np.uint8)
    mine = load_model(tmp_path / "runs" / "cells" / key)
    assert mine.identity == load_model(f"runs:/{run}/model").identity
    for address in (f"runs:/{run}/model", "models:/street-model/1"):
        assert (load_model(address).predict(image) == mine.predict(image)).all()
    served = pyfunc.load_model(f"runs:/{run}/model")
    assert served.metadata.signature is not None and served.metadata.saved_input_example_info is not None
    assert (served.predict(image[None])[0] == mine.predict(image)).all()
    assert Record.read(place.home.cell(key)).model.stage in mine.identity

"""How MLflow loads a model that a study logged: `mlflow.pyfunc.load_model("runs:/ID/model").predict(images)`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from segfrontier.lab.leaving.loading import LoadedModel, load_model


class Served:
    """A loaded model as MLflow calls it."""

    def __init__(self, model: LoadedModel) -> None:
        self.model = model

    def predict(self, images: NDArray[np.uint8], params: object = None) -> NDArray[np.uint8]:  # noqa: ARG002
        """(N, H, W) class ids of (N, H, W, 3) RGB images."""
        return np.stack([self.model.predict(image) for image in images])


def _load_pyfunc(path: str) -> Served:
    """What MLflow asks for."""
    return Served(load_model(path))

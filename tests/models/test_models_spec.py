"""What a model is made of survives JSON and pickling, and refuses nonsense by name."""

from __future__ import annotations

import json
import pickle

import pytest

from segfrontier.errors import BadInput
from segfrontier.models.classifier import ClassifierSpec
from segfrontier.models.model import ModelSpec


def test_a_spec_equals_itself_after_json_and_pickle() -> None:
    spec = ModelSpec(encoder="resnet18", head="pspnet", head_knobs={"bins": [1, 4]}, num_classes=5, decoders=2)
    assert ModelSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert hash(pickle.loads(pickle.dumps(spec))) == hash(spec)
    tags = ClassifierSpec(encoder="resnet18", num_classes=20)
    assert ClassifierSpec.from_json(tags.to_json()) == tags


def test_knobs_are_copied_and_tell_specs_apart() -> None:
    knobs = {"dilations": [6, 12]}
    spec = ModelSpec(encoder="resnet18", head="deeplab_v2", head_knobs=knobs, num_classes=5)
    knobs["dilations"].append(18)
    assert spec.head_knobs == {"dilations": (6, 12)}
    assert spec != ModelSpec(encoder="resnet18", head="deeplab_v2", num_classes=5)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"norm": "instance"}, "frozen_affine"),
        ({"num_classes": 256}, "1..255"),
        ({"decoders": 0}, "decoders"),
        ({"dropout": 1.0}, "dropout"),
        ({"drop_path": -0.1}, "drop_path"),
        ({"in_channels": 0}, "in_channels"),
        ({"output_stride": 0}, "output_stride"),
        ({"pretrained": ""}, "pretrained"),
        ({"num_clases": 3}, "did you mean num_classes"),
    ],
)
def test_a_wrong_setting_is_named(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        ModelSpec.from_json({"encoder": "resnet18", "num_classes": 5} | wrong)


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(BadInput, match="needs num_classes; found only encoder"):
        ModelSpec.from_json({"encoder": "resnet18"})

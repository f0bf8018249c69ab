"""A small model's spec, for tests that change one thing of it."""

from segfrontier.models.model import ModelSpec

PLAIN = {"encoder": "test_resnet", "head": "deeplab_v2", "num_classes": 5, "pretrained": "never"}


def small_spec(**settings: object) -> ModelSpec:
    """As it would be read from a file, with some settings changed."""
    return ModelSpec.from_json(PLAIN | settings)

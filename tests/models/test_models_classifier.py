"""The multi-label classifier: pooling, features for activation maps, norms and seeds as everywhere."""

from __future__ import annotations

import pytest
import torch

from segfrontier.errors import BadInput
from segfrontier.models.classifier import ClassifierSpec, TagClassifier
from segfrontier.models.norms import batch_norms
from segfrontier.models.parameters import parameter_groups


def _classifier(**settings: object) -> TagClassifier:
    plain = {"encoder": "test_resnet", "num_classes": 20, "pretrained": "never"}
    return ClassifierSpec.from_json(plain | settings).build(seed=1)


@pytest.mark.parametrize("encoder", ["test_resnet", "test_convnext", "test_vit", "test_mambaout"])
def test_logits_are_a_linear_map_of_the_mean_feature(encoder: str) -> None:
    model = _classifier(encoder=encoder)
    logits, features = model(torch.randn(1, 3, 65, 97))
    assert logits.shape == (1, 20)
    pooled = features.flatten(2).mean(dim=2)
    torch.testing.assert_close(logits, pooled @ model.classify.weight.T + model.classify.bias)
    logits.square().mean().backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)


def test_activation_maps_can_be_made_from_one_forward_pass() -> None:
    logits, features = _classifier().eval()(torch.randn(1, 3, 64, 64))
    (gradient,) = torch.autograd.grad(logits[0, 3], features)
    assert gradient.shape == features.shape
    assert gradient.abs().sum() > 0


def test_seed_norm_and_groups_work_as_for_segmentation() -> None:
    model, again = _classifier(norm="frozen", output_stride=8), _classifier(norm="frozen", output_stride=8)
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), again.state_dict().values(), strict=True))
    assert not any(norm.training for norm in batch_norms(model.train()))
    assert model.weights_origin == "random"
    assert [len(group["params"]) for group in parameter_groups(model, lr=1.0, weight_decay=0.0)][1] == 2


def test_an_encoder_that_cannot_be_used_is_refused() -> None:
    with pytest.raises(BadInput, match="output stride 8"):
        _classifier(encoder="test_vit", output_stride=8)

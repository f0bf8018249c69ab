"""Parameter groups: rates, no parameter twice, and what decays."""

from __future__ import annotations

import pytest
import torch

from segfrontier.models.model import ModelSpec, SegModel, build_model
from segfrontier.models.parameters import parameter_groups


def _model(**settings: object) -> SegModel:
    plain = {"encoder": "test_resnet", "head": "deeplab_v2", "num_classes": 5, "pretrained": "never", "aux": True}
    return build_model(ModelSpec.from_json(plain | settings), seed=0)


def test_encoder_and_head_have_their_rates_and_every_parameter_stands_once() -> None:
    model = _model(decoders=2)
    encoder, head = parameter_groups(model, lr=2.5e-4, weight_decay=5e-4)
    assert (encoder["name"], encoder["lr"], encoder["weight_decay"]) == ("encoder", 2.5e-4, 5e-4)
    assert (head["name"], head["lr"], head["weight_decay"]) == ("head", pytest.approx(2.5e-3), 5e-4)
    listed = [id(p) for p in encoder["params"] + head["params"]]
    assert len(listed) == len(set(listed))
    assert set(listed) == {id(p) for p in model.parameters()}
    assert {id(p) for p in encoder["params"]} == {id(p) for p in model.encoder.parameters()}


def test_one_step_moves_a_parameter_once() -> None:
    """FACTS 1a: listed three times, lr 1 and gradient 1 move a weight by 3; listed once, by 1."""
    model = _model()
    optimiser = torch.optim.SGD(parameter_groups(model, lr=1.0, weight_decay=0.0, head_factor=10.0), momentum=0.9)
    weight, bias = next(model.encoder.parameters()), model.decoders[0].branches[0].bias
    before, before_head = weight.detach().clone(), bias.detach().clone()
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimiser.step()
    torch.testing.assert_close(before - weight, torch.ones_like(weight))
    torch.testing.assert_close(before_head - bias, torch.full_like(bias, 10.0))


def test_the_published_encoder_rate_can_be_imitated() -> None:
    encoder, _ = parameter_groups(_model(), lr=1e-3, weight_decay=0.0, encoder_factor=3.0)
    assert encoder["lr"] == pytest.approx(3e-3)


def test_constants_are_left_out() -> None:
    model = _model(norm="frozen_affine")
    encoder, _ = parameter_groups(model, lr=1e-3, weight_decay=0.0)
    assert all(p.requires_grad for p in encoder["params"])
    model.encoder.requires_grad_(False)
    assert [group["name"] for group in parameter_groups(model, lr=1e-3, weight_decay=0.0)] == ["head"]


def test_norms_biases_and_embeddings_can_be_spared_from_decay() -> None:
    model = _model(encoder="test_vit", aux=False)
    groups = {
        group["name"]: group for group in parameter_groups(model, lr=1e-3, weight_decay=0.1, decay_norm_and_bias=False)
    }
    assert list(groups) == ["encoder", "encoder/no_decay", "head", "head/no_decay"]
    assert groups["encoder/no_decay"]["weight_decay"] == 0.0
    assert groups["encoder/no_decay"]["lr"] == groups["encoder"]["lr"]
    spared = {id(p) for p in groups["encoder/no_decay"]["params"]}
    named = dict(model.named_parameters())
    assert id(named["encoder.body.model.pos_embed"]) in spared
    assert all(p.ndim > 1 for p in groups["encoder"]["params"] + groups["head"]["params"])
    assert sum(len(group["params"]) for group in groups.values()) == len(named)

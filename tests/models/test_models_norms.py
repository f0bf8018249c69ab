"""Batch norm: one value per channel, frozen, half frozen, synchronised."""

from __future__ import annotations

import pytest
import timm
import torch
from timm.layers import BatchNormAct2d as TimmBatchNormAct2d
from torch import nn

from segfrontier.errors import BadInput
from segfrontier.models.model import ModelSpec, SegModel, build_model
from segfrontier.models.norms import BatchNorm2d, allow_single_values, batch_norms, require_sync, synchronise


def _model(norm: str, encoder: str = "test_resnet") -> SegModel:
    plain = {"encoder": encoder, "head": "pspnet", "num_classes": 5, "pretrained": "never", "norm": norm}
    return build_model(ModelSpec.from_json(plain), seed=0)


def _buffers(model: SegModel, part: str) -> list[torch.Tensor]:
    return [b.clone() for name, b in model.named_buffers() if name.startswith(part) and "running" in name]


@pytest.mark.parametrize("kind", [nn.BatchNorm2d, TimmBatchNormAct2d])
def test_one_value_is_normalised_by_running_statistics(kind: type[nn.BatchNorm2d]) -> None:
    norm = kind(6)
    for _ in range(3):
        norm(torch.randn(4, 6, 5, 5) * 3 + 1)
    x = torch.randn(1, 6, 1, 1)
    expected = norm.eval()(x)
    before = [b.clone() for b in norm.buffers()]
    norm.train()
    with pytest.raises(ValueError, match="more than 1 value"):
        norm(x)
    allow_single_values(norm)
    before[-1] += 1  # torch counts the failed call, ours do not
    torch.testing.assert_close(norm(x), expected)
    assert all(torch.equal(a, b) for a, b in zip(before, norm.buffers(), strict=True))


def test_more_values_are_normalised_as_ever() -> None:
    ours, theirs = BatchNorm2d(6), nn.BatchNorm2d(6)
    x = torch.randn(1, 6, 1, 2)
    assert torch.equal(ours(x), theirs(x))
    assert all(torch.equal(a, b) for a, b in zip(ours.buffers(), theirs.buffers(), strict=True))


@pytest.mark.parametrize("encoder", ["resnest14d", "rexnet_100"])
def test_encoders_that_pool_to_a_point_train_on_one_image(encoder: str) -> None:
    with pytest.raises(ValueError, match="more than 1 value"):
        timm.create_model(encoder, features_only=True).train()(torch.randn(1, 3, 64, 64))
    _model("batch", encoder)(torch.randn(1, 3, 64, 64)).logits[0].mean().backward()


def test_frozen_norms_keep_statistics_and_affine_in_the_encoder_alone() -> None:
    model = _model("frozen").train()
    encoder, head = _buffers(model, "encoder."), _buffers(model, "decoders.")
    images = torch.randn(2, 3, 64, 64) + 2
    model(images).logits[0].square().mean().backward()
    assert all(torch.equal(a, b) for a, b in zip(encoder, _buffers(model, "encoder."), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(head, _buffers(model, "decoders."), strict=True))
    assert all(norm.weight.grad is None and norm.bias.grad is None for norm in batch_norms(model.encoder))
    assert all(norm.weight.grad is not None for norm in batch_norms(model.decoders))
    assert not any(norm.training for norm in batch_norms(model.encoder))
    assert all(norm.training for norm in batch_norms(model.eval().train().decoders))
    assert not any(norm.training for norm in batch_norms(model.encoder))
    torch.testing.assert_close(model.encoder(images)[-1], model.eval().encoder(images)[-1])


def test_half_frozen_norms_use_the_batch() -> None:
    model = _model("frozen_affine").train()
    before = _buffers(model, "encoder.")
    model(torch.randn(1, 3, 64, 64) + 2).logits[0].square().mean().backward()
    assert not any(torch.equal(a, b) for a, b in zip(before, _buffers(model, "encoder."), strict=True))
    assert all(norm.weight.grad is None and norm.bias.grad is None for norm in batch_norms(model.encoder))


def test_an_encoder_without_batch_norm_has_nothing_to_freeze() -> None:
    model = _model("frozen", "test_vit")
    assert batch_norms(model.encoder) == []
    assert all(p.requires_grad for p in model.encoder.parameters())


def test_sync_alone_is_plain_batch_norm() -> None:
    model, plain = _model("sync"), _model("batch")
    images = torch.randn(2, 3, 32, 32)
    torch.manual_seed(0)
    expected = plain(images).logits[0]
    torch.manual_seed(0)
    assert torch.equal(model(images).logits[0], expected)


def test_sync_converts_norms_with_activations_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    model = _model("batch", "test_byobnet").eval()
    images = torch.randn(2, 3, 32, 32)
    expected = model(images).logits[0]
    with pytest.raises(BadInput, match="2 workers on the CPU"):
        synchronise(model)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    synchronise(model)
    assert all(isinstance(norm, nn.SyncBatchNorm) for norm in batch_norms(model))
    assert torch.equal(model(images).logits[0], expected)
    require_sync(workers=8, gpu=True)

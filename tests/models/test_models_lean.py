"""A lean network says what the network says; only norms that may be folded are."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
from timm.layers import BatchNormAct2d, StdConv2d
from torch import Tensor, nn

from segfrontier.models.folding import fold_norms
from segfrontier.models.heads import HEADS
from segfrontier.models.heads import strips as heads_strips
from segfrontier.models.heads.fpn import FPN
from segfrontier.models.lean import LeanModel
from segfrontier.models.model import ModelSpec, SegModel, build_model
from segfrontier.models.pyramid import Level

_MANY = ("densenet121", "resnetv2_50", "hrnet_w18_small", "mobilenetv3_small_100", "resnest14d", "xception41")


def _trained(encoder: str, head: str, **settings: object) -> SegModel:
    """A network whose norms have statistics, scales and shifts of their own."""
    spec = {"encoder": encoder, "head": head, "num_classes": 5, "pretrained": "never"} | settings
    model = build_model(ModelSpec.from_json(spec), seed=0)
    dice = torch.Generator().manual_seed(1)
    with torch.no_grad():
        model(torch.rand(2, 3, 96, 160, generator=dice))
        for norm in model.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.weight.copy_(torch.rand(norm.weight.shape, generator=dice) + 0.5)
                norm.bias.copy_(torch.randn(norm.bias.shape, generator=dice) / 4)
    return model.eval()


def _plainly(model: SegModel, images: Tensor) -> Tensor:
    coarse = copy.copy(model)
    coarse.spec = dataclasses.replace(model.spec, upsample=False)
    with torch.inference_mode():
        return coarse(images).mean_logits


def _says_the_same(model: SegModel, sizes: tuple[tuple[int, int], ...] = ((96, 160), (67, 131))) -> None:
    lean = LeanModel(model)
    for height, width in sizes:
        images = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(2))
        expected, found = _plainly(model, images), lean.answer(images)
        largest = expected.abs().max()
        assert found.logits.shape == expected.shape and largest > 0.01
        assert (found.logits - expected).abs().max() < 1e-5 * largest
        assert found.padded == model.encoder.padded_size(height, width)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("encoder", ["test_resnet", "test_convnext", "test_efficientnet", "test_vit"])
def test_it_says_the_same_with_every_head(encoder: str, head: str) -> None:
    _says_the_same(_trained(encoder, head, aux=True))


@pytest.mark.parametrize("settings", [{"decoders": 2}, {"align_corners": True}, {"norm": "frozen"}])
def test_it_says_the_same_however_the_network_is_set(settings: dict[str, object]) -> None:
    _says_the_same(_trained("test_resnet", "fpn", **settings))


@pytest.mark.slow
@pytest.mark.parametrize("encoder", _MANY)
def test_it_says_the_same_on_encoders_that_people_use(encoder: str) -> None:
    _says_the_same(_trained(encoder, "deeplab_v3plus"))


@pytest.mark.parametrize("values", [1, 128 * 40, 128 * 40 * 3, 128 * 40 * 7])
def test_strips_of_any_height_make_the_same_map(values: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads_strips, "_VALUES", values)
    _says_the_same(_trained("test_resnet", "fpn"), sizes=((96, 160), (100, 90)))


def test_levels_that_do_not_divide_are_made_whole() -> None:
    head = FPN([Level(8, 4), Level(8, 8), Level(8, 16)], 5).eval()
    features = [torch.rand(1, 8, *size) for size in ((25, 31), (13, 16), (7, 8))]
    with torch.inference_mode():
        expected = head(features)
        head.lean = True
        assert torch.equal(head(features), expected)


def test_the_network_itself_stays_as_it_was() -> None:
    model = _trained("test_resnet", "fpn")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    images = torch.rand(1, 3, 64, 96)
    expected = _plainly(model, images)
    lean = LeanModel(model)
    lean.answer(images)
    assert model.state_dict().keys() == before.keys()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert torch.equal(_plainly(model, images), expected) and not model.decoders[0].lean


def test_a_lean_network_has_no_norm_left_that_follows_a_convolution() -> None:
    model = _trained("test_resnet", "deeplab_v3plus")
    norms = sum(isinstance(m, nn.BatchNorm2d) for m in model.modules())
    assert fold_norms(model, torch.empty(1, 3, 64, 64)) == norms > 0
    assert not any(isinstance(m, nn.BatchNorm2d) for m in model.modules())


class _Block(nn.Module):
    """A convolution, a norm, and a way to use them."""

    def __init__(self, way: str, *, conv: nn.Module | None = None, norm: nn.Module | None = None) -> None:
        super().__init__()
        self.way, self.norm = way, norm or nn.BatchNorm2d(4)
        self.conv = conv or nn.Conv2d(4, 4, 3, padding=1)
        for tensor in (self.norm.running_mean, self.norm.weight, self.norm.bias):
            if tensor is not None:
                nn.init.uniform_(tensor, 0.5, 1.5)

    def forward(self, x: Tensor) -> Tensor:
        made = self.conv(x)
        if self.way == "read twice":
            return self.norm(made) + made
        if self.way == "made twice":
            return self.norm(made) + self.conv(x + 1)
        if self.way == "normed first":
            return self.conv(self.norm(x))
        if self.way == "normed twice":
            return self.norm(made) + self.norm(x)
        if self.way == "activated between":
            return self.norm(made.relu())
        return self.norm(made)


@pytest.mark.parametrize(
    "way", ["read twice", "made twice", "normed first", "normed twice", "activated between", "after all"]
)
def test_only_a_norm_that_alone_reads_its_convolution_is_folded(way: str) -> None:
    block, x = _Block(way).eval(), torch.rand(1, 4, 8, 8)
    expected = block(x)
    assert fold_norms(block, x) == (way == "after all")
    torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize(
    "parts",
    [
        {"conv": StdConv2d(4, 4, 3, padding=1)},  # computes its weights
        {"conv": nn.ConvTranspose2d(4, 4, 3, padding=1)},
        {"norm": nn.BatchNorm2d(4, track_running_stats=False)},
    ],
)
def test_what_has_no_fixed_weights_or_statistics_is_left_alone(parts: dict[str, nn.Module]) -> None:
    block, x = _Block("after all", **parts).eval(), torch.rand(1, 4, 8, 8)
    expected = block(x)
    assert fold_norms(block, x) == 0
    assert torch.equal(block(x), expected)


def test_a_norm_in_training_is_left_alone() -> None:
    assert fold_norms(_Block("after all").train(), torch.rand(1, 4, 8, 8)) == 0


@pytest.mark.parametrize("affine", [True, False])
def test_an_activation_inside_a_norm_stays(affine: bool) -> None:
    norm = BatchNormAct2d(4, affine=affine, act_layer=nn.Hardswish)
    block, x = _Block("after all", conv=nn.Conv2d(4, 4, 1, bias=False), norm=norm).eval(), torch.randn(1, 4, 8, 8) * 4
    expected = block(x)
    assert fold_norms(block, x) == 1
    torch.testing.assert_close(block(x), expected)
    assert (expected < 0).any() and expected.min() >= -0.376, "a hardswish has been there"

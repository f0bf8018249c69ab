"""Any timm encoder through one door: levels, strides, odd sizes, and refusals before training."""

from __future__ import annotations

import pytest
import timm
import torch

from segfrontier.errors import BadInput
from segfrontier.models.encoder import Encoder
from segfrontier.models.pyramid import Level, plan_encoder
from segfrontier.models.spec import EncoderSpec


def _encoder(name: str, output_stride: int | None = None, in_channels: int = 3) -> Encoder:
    spec = EncoderSpec(encoder=name, output_stride=output_stride, in_channels=in_channels)
    return Encoder(name, plan_encoder(spec))


def _normalised(images: torch.Tensor, encoder: Encoder) -> torch.Tensor:
    """Written out per channel, as pretraining did it."""
    channels = zip(images.unbind(1), encoder.mean, encoder.std, strict=True)
    return torch.stack([(channel - mean) / std for channel, mean, std in channels], dim=1)


def test_resnet101_has_the_levels_that_the_papers_use() -> None:
    channels = (64, 256, 512, 1024, 2048)
    for stride, reductions in ((None, (2, 4, 8, 16, 32)), (16, (2, 4, 8, 16, 16)), (8, (2, 4, 8, 8, 8))):
        plan = plan_encoder(EncoderSpec(encoder="resnet101", output_stride=stride))
        assert plan.levels == tuple(map(Level, channels, reductions))


@pytest.mark.parametrize("name", ["test_resnet", "test_convnext", "test_efficientnet"])
@pytest.mark.parametrize("stride", [8, 16, 32])
def test_dilation_keeps_what_it_declares(name: str, stride: int) -> None:
    encoder = _encoder(name, stride).eval()
    with torch.no_grad():
        features = encoder(torch.randn(1, 3, 64, 96))
    for feature, level in zip(features, encoder.levels, strict=True):
        assert feature.shape == (1, level.channels, 64 // level.reduction, 96 // level.reduction)
    assert encoder.levels[-1].reduction == stride


def test_dilated_convolutions_see_the_same_weights() -> None:
    plain, dilated = _encoder("test_resnet"), _encoder("test_resnet", 8)
    assert {k: v.shape for k, v in plain.state_dict().items()} == {k: v.shape for k, v in dilated.state_dict().items()}


@pytest.mark.parametrize(
    ("name", "height", "width"),
    [("test_vit", 5, 7), ("test_convnext", 2, 3), ("test_resnet", 3, 4), ("test_mambaout", 3, 4)],
)
def test_odd_sizes(name: str, height: int, width: int) -> None:
    encoder = _encoder(name)
    deepest = encoder(torch.randn(1, 3, 65, 97))[-1]
    assert deepest.shape == (1, encoder.levels[-1].channels, height, width)


def test_a_plain_vit_gives_four_blocks_through_its_last_norm() -> None:
    encoder = _encoder("test_vit").eval()
    images = torch.rand(1, 3, 65, 97)
    padded = torch.zeros(1, 3, 80, 112)
    padded[..., :65, :97] = _normalised(images, encoder)
    whole = timm.create_model("test_vit", dynamic_img_size=True, num_classes=0).eval()
    whole.load_state_dict({k.removeprefix("model."): v for k, v in encoder.body.state_dict().items()}, strict=False)
    with torch.no_grad():
        ours = encoder(images)
        blocks = whole.forward_intermediates(padded, norm=True, intermediates_only=True)
    depth = len(blocks)
    chosen = [(i + 1) * depth // 4 - 1 for i in range(4)]
    assert len(ours) == 4
    assert encoder.padded_size(65, 97) == (80, 112)
    for feature, block in zip(ours, chosen, strict=True):
        torch.testing.assert_close(feature, blocks[block])


def test_channels_last_features_are_turned() -> None:
    encoder = _encoder("test_mambaout").eval()
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        ours, theirs = encoder(images), encoder.body(_normalised(images, encoder))
    assert theirs[-1].shape[-1] == encoder.levels[-1].channels
    torch.testing.assert_close(ours[-1][0, :, 1, 0], theirs[-1][0, 1, 0])


def test_normalisation_is_the_pretrained_one_and_happens_inside() -> None:
    encoder = _encoder("test_efficientnet").eval()
    assert encoder.mean == pytest.approx((0.485, 0.456, 0.406))
    assert encoder.std == pytest.approx((0.229, 0.224, 0.225))
    images = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(encoder(images)[-1], encoder.body(_normalised(images, encoder))[-1])
    assert not any("mean" in key and "running" not in key for key in encoder.state_dict())
    assert _encoder("test_vit").std == pytest.approx((0.5, 0.5, 0.5))
    grey = _encoder("resnet18", in_channels=1)
    assert grey.mean == pytest.approx(((0.485 + 0.456 + 0.406) / 3,))
    assert grey(torch.rand(2, 1, 64, 64))[-1].shape == (2, 512, 2, 2)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("resnet18x", "did you mean resnet18"),
        ("resnet18.no_such_tag", r"no weights tagged 'resnet18.no_such_tag'; it has: resnet18\."),
        ("hf-hub:timm/resnet18", "plain timm name"),
        ("beit_base_patch16_224", "must take images of any size"),
        pytest.param("crossvit_tiny_240", "must take images of any size", marks=pytest.mark.slow),
    ],
)
def test_an_encoder_that_cannot_be_used_says_why(name: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        plan_encoder(EncoderSpec(encoder=name))


@pytest.mark.parametrize(
    ("name", "stride", "native"), [("test_vit", 8, 16), ("densenet121", 16, 32), ("resnet18", 4, 32)]
)
def test_a_stride_out_of_reach_says_what_is_possible(name: str, stride: int, native: int) -> None:
    with pytest.raises(BadInput, match=f"must reach output stride {stride}; its own is {native}"):
        plan_encoder(EncoderSpec(encoder=name, output_stride=stride))


def test_the_native_stride_may_be_asked_for() -> None:
    assert plan_encoder(EncoderSpec(encoder="test_vit", output_stride=16)).levels[-1].reduction == 16


def test_drop_path_reaches_the_encoder_or_is_refused() -> None:
    plan = plan_encoder(EncoderSpec(encoder="test_convnext", drop_path=0.2))
    assert plan.options["drop_path_rate"] == 0.2
    with pytest.raises(BadInput, match="must know drop_path"):
        plan_encoder(EncoderSpec(encoder="vgg11", drop_path=0.2))

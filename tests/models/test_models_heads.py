"""Every head on every kind of encoder, forward and backward; the published parameter counts; the knobs."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from spechere import small_spec
from torch import nn
from torch.nn import functional

from segfrontier.errors import BadInput
from segfrontier.models.encoder import Encoder
from segfrontier.models.heads import HEADS, knobs, make_head
from segfrontier.models.heads.base import PooledNorm
from segfrontier.models.heads.deeplab_v2 import DeepLabV2
from segfrontier.models.heads.deeplab_v3plus import DeepLabV3Plus
from segfrontier.models.heads.fpn import FPN
from segfrontier.models.heads.pspnet import PSPNet
from segfrontier.models.heads.segformer import SegFormer
from segfrontier.models.model import ModelSpec, SegModel, build_model, check_spec
from segfrontier.models.pyramid import Level, plan_encoder
from segfrontier.models.spec import EncoderSpec

_TINY = ("test_resnet", "test_convnext", "test_efficientnet", "test_vit")
_REAL = (
    "resnet18",
    "mobilenetv3_small_050",
    "xception41",
    "convnext_atto",
    "efficientnet_b0",
    "vit_tiny_patch16_224",
    "vit_small_patch14_dinov2",
    "vit_small_patch16_dinov3",
    "swin_tiny_patch4_window7_224",
    "resnest14d",
)


def _count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def _run_both_ways(encoder: str, head: str, sizes: Sequence[tuple[int, ...]]) -> None:
    model = build_model(small_spec(encoder=encoder, head=head, aux=True), seed=0)
    for size in sizes:
        model.zero_grad()
        output = model(torch.rand(size))
        assert output.logits[0].shape == (size[0], 5, *size[2:])
        assert output.aux.shape == output.logits[0].shape
        (output.logits[0].square().mean() + output.aux.square().mean()).backward()
        assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
        assert all(p.grad.isfinite().all() for p in model.parameters() if p.requires_grad)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("encoder", _TINY)
def test_every_head_on_every_kind_of_encoder(encoder: str, head: str) -> None:
    _run_both_ways(encoder, head, [(2, 3, 65, 97), (1, 3, 64, 128)])


@pytest.mark.slow
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("encoder", _REAL)
def test_every_head_on_encoders_that_people_use(encoder: str, head: str) -> None:
    _run_both_ways(encoder, head, [(2, 3, 65, 97), (1, 3, 64, 128)])


@pytest.mark.parametrize("head", HEADS)
def test_one_image_that_shrinks_to_one_feature_trains(head: str) -> None:
    _run_both_ways("test_resnet", head, [(1, 3, 32, 32)])


def test_deeplab_v2_on_resnet101_has_the_published_count() -> None:
    """FACTS 4e: Res_Deeplab(21) has 44,048,532 parameters: one level, four branches, 42,500,160 in the encoder."""
    with torch.device("meta"):
        head = DeepLabV2([Level(2048, 8)], 21)
        two = DeepLabV2([Level(2048, 8)], 21, branches=2)
        encoder = Encoder("resnet101", plan_encoder(EncoderSpec(encoder="resnet101", output_stride=8)))
    assert _count(encoder) == 42_500_160
    assert _count(encoder) + _count(head) == 44_048_532
    assert _count(head) - _count(two) == 2 * (2048 * 21 * 9 + 21)


def test_deeplab_v2_shrinks_a_crop_of_321_to_41() -> None:
    """FACTS 4e: logits of 41x41, and of the crop itself once they are brought up."""
    given = {"encoder": "resnet101", "head": "deeplab_v2", "num_classes": 21, "pretrained": "never", "output_stride": 8}
    crop = torch.empty(1, 3, 321, 321, device="meta")
    for upsample, side in ((False, 41), (True, 321)):
        spec = ModelSpec.from_json(given | {"upsample": upsample})
        with torch.device("meta"):
            model = SegModel(spec, Encoder("resnet101", plan_encoder(spec)))
        assert model(crop).mean_logits.shape == (1, 21, side, side)
        assert _count(model) == 44_048_532


def test_pspnet_has_the_published_count_and_shape() -> None:
    """FACTS 3e: PSPBilinear(19, 512) has 12,859,923 parameters; (1, 512, 12, 12) gives 12x12 logits before its x8."""
    head = PSPNet([Level(512, 8)], 19)
    assert _count(head) == 12_859_923
    assert head([torch.randn(1, 512, 12, 12)]).shape == (1, 19, 12, 12)


def test_pspnet_as_the_text_describes_it() -> None:
    """A quarter of the channels a branch, then one 1x1 classifier on twice the channels."""
    head = PSPNet([Level(512, 8)], 19, reduce="quarter", hidden=0)
    branches = 4 * (512 * 128 + 2 * 128)
    assert _count(head) == branches + 1024 * 19 + 19
    assert head([torch.randn(2, 512, 9, 13)]).shape == (2, 19, 9, 13)


def test_deeplab_v2_is_the_sum_of_its_dilated_convolutions() -> None:
    head = DeepLabV2([Level(4, 8)], 3).double()
    x = torch.randn(2, 4, 9, 11, dtype=torch.double)
    expected = torch.zeros(2, 3, 9, 11, dtype=torch.double)
    for branch, dilation in zip(head.branches, (6, 12, 18, 24), strict=True):
        expected += functional.conv2d(x, branch.weight, branch.bias, padding=dilation, dilation=dilation)
    torch.testing.assert_close(head([x]), expected)
    two = DeepLabV2([Level(4, 8)], 3, branches=2)
    assert [conv.dilation for conv in two.branches] == [(6, 6), (12, 12)]


@pytest.mark.parametrize(
    ("stride", "rates"), [(16, [6, 12, 18]), (8, [12, 24, 36]), (32, [3, 6, 9]), (14, [7, 14, 21])]
)
def test_deeplab_v3plus_rates_follow_the_output_stride(stride: int, rates: list[int]) -> None:
    head = DeepLabV3Plus([Level(16, 4), Level(32, stride)], 5, channels=8)
    dilations = [m.dilation[0] for m in head.context.branches.modules() if isinstance(m, nn.Conv2d)]
    assert dilations == [1, *rates]
    assert head.low[0].out_channels == 48


def test_deeplab_v3plus_reads_stride_four_and_the_deepest() -> None:
    cnn = [Level(8, r) for r in (2, 4, 8, 16, 16)]
    assert DeepLabV3Plus.taps(cnn) == (1, 4)
    assert DeepLabV3Plus.taps([Level(8, 16)] * 4) == (0, 3)
    assert DeepLabV3Plus.taps([Level(8, 2)]) == (0,)
    assert FPN.taps(cnn) == SegFormer.taps(cnn) == (1, 2, 3, 4)
    assert PSPNet.taps(cnn) == DeepLabV2.taps(cnn) == (4,)


def test_fpn_adds_from_the_top_down() -> None:
    """On constant maps every resize is the identity, so the laterals must accumulate from deep to shallow."""
    head = FPN([Level(1, 4), Level(1, 8), Level(1, 16)], 2, channels=4)
    seen: list[float] = []
    for smooth in head.smooth:
        smooth.register_forward_pre_hook(lambda _, args: seen.append(args[0][0, 0, 0, 0].item()))
    for lateral in head.laterals:
        nn.init.ones_(lateral.weight)
        nn.init.zeros_(lateral.bias)
    maps = [torch.full((2, 1, 8 // 2**i, 8 // 2**i), 10.0**i) for i in range(3)]
    assert head(maps).shape == (2, 2, 8, 8)
    assert seen == [111.0, 110.0, 100.0]


def test_segformer_takes_levels_of_one_stride() -> None:
    head = SegFormer([Level(8, 16)] * 4, 5, channels=16)
    assert head([torch.randn(2, 8, 3, 5)] * 4).shape == (2, 5, 3, 5)


@pytest.mark.parametrize("channels", [7, 9, 24, 32, 48, 512])
def test_pooled_norm_normalises_a_single_point(channels: int) -> None:
    norm = PooledNorm(channels)
    x = torch.randn(1, channels, 1, 1)
    y = norm(x)
    assert channels // norm.num_groups >= 2
    torch.testing.assert_close(y.view(norm.num_groups, -1).mean(1), torch.zeros(norm.num_groups), atol=1e-5, rtol=0)
    torch.testing.assert_close(norm(torch.cat([x, torch.randn_like(x)]))[:1], y)
    assert _count(norm) == _count(nn.BatchNorm2d(channels))


def test_branches_pooled_to_a_point_do_not_depend_on_the_rest_of_the_batch() -> None:
    x = torch.randn(3, 16, 4, 5)
    for pooled in (
        DeepLabV3Plus([Level(8, 4), Level(16, 8)], 5, channels=8).context.pooled,
        PSPNet([Level(16, 8)], 5, reduce=8).branches[0],
    ):
        torch.testing.assert_close(pooled.train()(x)[:1], pooled(x[:1]))


def test_unknown_heads_and_knobs_name_their_neighbours() -> None:
    with pytest.raises(BadInput, match="did you mean pspnet"):
        check_spec(small_spec(head="psp_net"))
    with pytest.raises(BadInput, match=r"has the knobs dilations, branches; found 'brnches': did you mean branches"):
        check_spec(small_spec(head_knobs={"brnches": 2}))
    assert knobs(DeepLabV2) == {"dilations": (6, 12, 18, 24), "branches": None}


@pytest.mark.parametrize(
    ("head", "wrong", "words"),
    [
        ("deeplab_v2", {"branches": 5}, "branches must lie in 1..4"),
        ("pspnet", {"bins": []}, "bins of 1 or more"),
        ("pspnet", {"reduce": "half"}, "reduce 'quarter'"),
        ("fpn", {"channels": "many"}, "must run forward and backward"),
    ],
)
def test_a_wrong_knob_is_refused_before_training(head: str, wrong: dict[str, object], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        check_spec(small_spec(head=head, head_knobs=wrong))


def test_dropout_is_the_papers_unless_told() -> None:
    assert PSPNet([Level(16, 8)], 3).classify[0].p == 0.1
    assert DeepLabV2([Level(16, 8)], 3).dropout.p == 0.0
    assert PSPNet([Level(16, 8)], 3, dropout=0.4).classify[0].p == 0.4


@pytest.mark.parametrize("name", sorted(HEADS))
def test_a_head_names_its_filters_and_those_that_make_logits(name: str) -> None:
    head = make_head(HEADS[name], [Level(8, 4), Level(16, 8)], 5, dropout=None, settings={})
    convolutions = {id(m.weight) for m in head.modules() if isinstance(m, nn.Conv2d)}
    assert {id(w) for w in head.filters()} == convolutions
    last = head.last_filters()
    assert {w.shape[0] for w in last} == {5} and {id(w) for w in last} <= convolutions
    features = [torch.randn(2, 8, 8, 8), torch.randn(2, 16, 4, 4)]
    with torch.no_grad():
        for weight in last:
            weight.zero_()
    logits = head.eval()(features if len(HEADS[name].taps([Level(8, 4), Level(16, 8)])) == 2 else features[1:])
    assert torch.equal(logits, logits[..., :1, :1].expand_as(logits)), "nothing else makes logits"

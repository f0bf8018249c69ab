"""The segmentation model: determinism, decoders, auxiliary output, sizes, and DDP's needs."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest
import torch
from spechere import small_spec
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from segfrontier.errors import BadInput
from segfrontier.models import network
from segfrontier.models import pyramid as plan
from segfrontier.models.heads.deeplab_v2 import DeepLabV2
from segfrontier.models.heads.fcn import FCN
from segfrontier.models.model import SegModel, build_model, check_spec


def _same(a: SegModel, b: SegModel, part: str = "") -> bool:
    left = {k: v for k, v in a.state_dict().items() if k.startswith(part)}
    right = {k: v for k, v in b.state_dict().items() if k.startswith(part)}
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


def test_the_seed_decides_all_weights() -> None:
    first = build_model(small_spec(), seed=3)
    torch.randn(7)
    assert _same(first, build_model(small_spec(), seed=3))
    assert not _same(first, build_model(small_spec(), seed=4), "encoder.")
    assert not _same(first, build_model(small_spec(), seed=4), "decoders.")


def test_the_callers_random_state_is_left_alone() -> None:
    plan._plan.cache_clear()
    network._rehearse.cache_clear()
    before = torch.get_rng_state()
    build_model(small_spec(encoder="test_vit", head="pspnet", drop_path=0.1), seed=3)
    assert torch.equal(before, torch.get_rng_state())


def test_heads_do_not_depend_on_how_the_encoder_was_drawn() -> None:
    plain, dilated = build_model(small_spec(), seed=3), build_model(small_spec(output_stride=8, norm="frozen"), seed=3)
    assert _same(plain, dilated, "decoders.")


def test_two_decoders_start_apart_and_are_averaged_before_the_softmax() -> None:
    model = build_model(small_spec(decoders=2), seed=0).eval()
    output = model(torch.randn(2, 3, 32, 48))
    first, second = output.logits
    assert not torch.allclose(first, second)
    torch.testing.assert_close(output.mean_logits, (first + second) / 2)
    one = build_model(small_spec(), seed=0)(torch.randn(2, 3, 32, 48))
    assert one.mean_logits is one.logits[0]


def test_the_auxiliary_output_reads_the_level_before_the_deepest() -> None:
    model = build_model(small_spec(aux=True, output_stride=8, head_knobs={"branches": 2}), seed=0).eval()
    assert isinstance(model.aux, DeepLabV2)
    assert len(model.aux.branches) == 2
    images = torch.randn(1, 3, 65, 97)
    before_last = model.encoder(images)[-2]
    expected = functional.interpolate(model.aux([before_last]), size=(65, 97), mode="bilinear")
    torch.testing.assert_close(model(images).aux, expected)
    assert isinstance(build_model(small_spec(head="pspnet", aux=True), seed=0).aux, FCN)
    assert build_model(small_spec(), seed=0)(images).aux is None


def test_features_are_the_levels_that_the_head_reads() -> None:
    output = build_model(small_spec(head="deeplab_v3plus"), seed=0)(torch.randn(2, 3, 64, 64))
    assert [f.shape[1:] for f in output.features] == [(32, 16, 16), (96, 2, 2)]


def test_padding_for_patches_is_cut_off_again() -> None:
    model = build_model(small_spec(encoder="test_vit", head="segformer"), seed=0).eval()
    images = torch.rand(1, 3, 65, 97)
    padded = torch.tensor(model.mean).view(1, 3, 1, 1).repeat(1, 1, 80, 112)
    padded[..., :65, :97] = images
    with torch.no_grad():
        torch.testing.assert_close(model(images).logits[0], model(padded).logits[0][..., :65, :97])


def test_align_corners_pins_the_corners_and_upsampling_can_be_left_out() -> None:
    images = torch.randn(1, 3, 65, 97)
    coarse = build_model(small_spec(upsample=False), seed=0).eval()(images).logits[0]
    pinned = build_model(small_spec(align_corners=True), seed=0).eval()(images).logits[0]
    spread = build_model(small_spec(), seed=0).eval()(images).logits[0]
    assert coarse.shape == (1, 5, 3, 4)
    assert pinned.shape == spread.shape == (1, 5, 65, 97)
    for row, column in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        torch.testing.assert_close(pinned[..., row, column], coarse[..., row, column])
    # Halfway between two of three rows: (65 - 1) / (3 - 1) = 32 pixels a step.
    torch.testing.assert_close(pinned[..., 16, 0], (coarse[..., 0, 0] + coarse[..., 1, 0]) / 2)
    assert not torch.allclose(pinned[..., 20:44, :], spread[..., 20:44, :])


@pytest.mark.parametrize("encoder", ["test_resnet", "test_vit", pytest.param("xception41", marks=pytest.mark.slow)])
def test_copies_are_independent(encoder: str) -> None:
    """An EMA teacher is a deep copy. xception41 collects its features by hooks, which must follow the copy."""
    model = build_model(small_spec(encoder=encoder), seed=0).eval()
    images = torch.randn(1, 3, 40, 40)
    with torch.no_grad():
        expected = model(images).mean_logits
        teacher, shipped = copy.deepcopy(model), pickle.loads(pickle.dumps(model))
        for parameter in model.parameters():
            parameter.zero_()
        assert torch.equal(teacher(images).mean_logits, expected)
        assert torch.equal(shipped(images).mean_logits, expected)


def test_facets_tell_what_was_built() -> None:
    model = build_model(small_spec(output_stride=16), seed=0)
    facets = model.facets()
    assert facets["weights"] == "random"
    assert facets["output_stride"] == 16
    assert facets["parameters"] == sum(p.numel() for p in model.parameters())
    assert model.training


def test_in_channels() -> None:
    model = build_model(small_spec(in_channels=1), seed=0)
    assert model(torch.randn(2, 1, 32, 32)).logits[0].shape == (2, 5, 32, 32)
    assert len(model.mean) == len(model.std) == 1


def test_sync_needs_gpus_when_there_are_several_workers() -> None:
    check_spec(small_spec(norm="sync"))
    check_spec(small_spec(norm="sync"), workers=2, gpu=True)
    with pytest.raises(BadInput, match=r"found 2 workers on the CPU. Use norm 'batch'"):
        check_spec(small_spec(norm="sync"), workers=2)


def test_weights_that_no_output_reads_are_constant() -> None:
    """HRNet fuses into every level; a head on the deepest one leaves the other fusions without a gradient."""
    model = build_model(small_spec(encoder="hrnet_w18_small"), seed=0)
    assert any(not p.requires_grad for p in model.parameters())
    model(torch.randn(2, 3, 64, 64)).logits[0].mean().backward()
    assert all((p.grad is not None) == p.requires_grad for p in model.parameters())


@pytest.mark.slow
def test_data_parallel_training_takes_the_output(tmp_path: Path) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        model = DistributedDataParallel(
            build_model(small_spec(encoder="hrnet_w18_small", decoders=2, aux=True), seed=0)
        )
        for _ in range(2):  # the second step fails if a weight of the first got no gradient
            output = model(torch.randn(2, 3, 64, 64))
            (output.mean_logits.mean() + output.aux.mean()).backward()
    finally:
        torch.distributed.destroy_process_group()

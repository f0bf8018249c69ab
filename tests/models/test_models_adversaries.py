"""The two discriminators: published counts, shapes, dropout, any size."""

from __future__ import annotations

import pickle

import pytest
import torch
from torch import nn

from segfrontier.errors import BadInput
from segfrontier.models.discriminator import (
    ImageDiscriminator,
    ImageDiscriminatorSpec,
    PatchDiscriminator,
    PatchDiscriminatorSpec,
)
from segfrontier.models.parameters import parameter_groups
from segfrontier.models.seeding import init_seed


def _count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_patch_discriminator_has_the_published_count_and_shape() -> None:
    """FACTS 1a: 2,781,121 parameters; 1x19x512x1024 gives 1x1x16x32."""
    with torch.device("meta"):
        discriminator = PatchDiscriminator(19)
        assert discriminator(torch.empty(1, 19, 512, 1024)).shape == (1, 1, 16, 32)
    assert _count(discriminator) == 2_781_121
    convs = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d)]
    assert [(c.out_channels, c.kernel_size, c.stride, c.padding) for c in convs] == [
        (n, (4, 4), (2, 2), (1, 1)) for n in (64, 128, 256, 512, 1)
    ]
    assert {m.negative_slope for m in discriminator.modules() if isinstance(m, nn.LeakyReLU)} == {0.2}


@pytest.mark.parametrize(("classes", "count"), [(21, 2_778_561), (19, 2_776_513)])
def test_image_discriminator_has_the_published_count(classes: int, count: int) -> None:
    """FACTS 4a, at the sizes of both data sets: the pooling is global."""
    with torch.device("meta"):
        discriminator = ImageDiscriminator(classes + 3)
        for size in ((321, 321), (256, 512)):
            verdict = discriminator(torch.empty(2, classes + 3, *size))
            assert verdict.logits.shape == (2,)
            assert verdict.features.shape == (2, 512)
    assert _count(discriminator) == count


def test_image_discriminator_halves_a_crop_four_times() -> None:
    """FACTS 4e: 321 to 160, 80, 40 and 20, with the text's or the code's dropout."""
    for dropouts in (3, 4):
        with torch.device("meta"):
            maps, sides = torch.empty(1, 24, 321, 321), []
            for layer in ImageDiscriminator(24, dropouts=dropouts).body:
                maps = layer(maps)
                sides += [tuple(maps.shape[1:])] if isinstance(layer, nn.Conv2d) else []
        assert sides == [(64, 160, 160), (128, 80, 80), (256, 40, 40), (512, 20, 20)]


def test_image_discriminator_pools_what_its_convolutions_give() -> None:
    """FACTS 4e: a crop of 321 shrinks to 160, 80, 40, 20, and the reference averages 20x20."""
    discriminator = ImageDiscriminator(6, width=4).eval()
    x = torch.randn(2, 6, 321, 321)
    maps = discriminator.body(x)
    assert maps.shape == (2, 32, 20, 20)
    verdict = discriminator(x)
    pooled = nn.functional.avg_pool2d(maps, 20).flatten(1)
    torch.testing.assert_close(verdict.features, pooled)
    torch.testing.assert_close(verdict.logits, pooled @ discriminator.score.weight[0] + discriminator.score.bias)
    torch.testing.assert_close(verdict.score, 1 / (1 + torch.exp(-verdict.logits)))


@pytest.mark.parametrize(("knobs", "expected"), [({}, 3), ({"dropouts": 4}, 4), ({"dropouts": 0}, 0)])
def test_dropout_follows_as_many_convolutions_as_asked(knobs: dict[str, int], expected: int) -> None:
    discriminator = ImageDiscriminator(24, **knobs)
    kinds = [type(layer).__name__ for layer in discriminator.body]
    assert kinds.count("Dropout2d") == expected
    assert all(layer.p == 0.5 for layer in discriminator.body if isinstance(layer, nn.Dropout2d))
    assert kinds[:2] == ["Conv2d", "LeakyReLU"]


def test_what_is_too_small_or_wrong_is_refused() -> None:
    with pytest.raises(BadInput, match=r"32x32 pixels or more; found \(16, 64\)"):
        PatchDiscriminator(5)(torch.randn(1, 5, 16, 64))
    with pytest.raises(BadInput, match="16x16 pixels or more"):
        ImageDiscriminator(8)(torch.randn(1, 8, 15, 64))
    with pytest.raises(BadInput, match="0 to 4; found 5"):
        ImageDiscriminator(8, dropouts=5)
    assert PatchDiscriminator(5)(torch.randn(1, 5, 33, 47)).shape == (1, 1, 1, 1)
    assert ImageDiscriminator(8)(torch.randn(3, 8, 17, 31)).score.shape == (3,)


def test_discriminators_are_built_from_plain_settings() -> None:
    for spec in (PatchDiscriminatorSpec(channels=5, width=8), ImageDiscriminatorSpec(channels=8, width=8, dropouts=4)):
        state = torch.get_rng_state()
        first, again, other = spec.build(seed=1), pickle.loads(pickle.dumps(spec)).build(seed=1), spec.build(seed=2)
        assert torch.equal(state, torch.get_rng_state())
        assert torch.equal(first.score.weight, again.score.weight)
        assert not torch.equal(first.score.weight, other.score.weight)
        assert spec.origin() == "random"
        (group,) = parameter_groups(first, lr=1e-4, weight_decay=0.0, head_factor=1.0)
        assert (group["lr"], len(group["params"])) == (1e-4, len(list(first.parameters())))
    assert sum(isinstance(layer, nn.Dropout2d) for layer in first.body) == 4


def test_a_method_with_two_networks_can_seed_each() -> None:
    state = torch.get_rng_state()
    with init_seed(5, "D1"):
        first = PatchDiscriminator(5, width=8)
    with init_seed(5, "D2"):
        second = PatchDiscriminator(5, width=8)
    with init_seed(5, "D1"):
        again = PatchDiscriminator(5, width=8)
    assert torch.equal(first.score.weight, again.score.weight)
    assert not torch.equal(first.score.weight, second.score.weight)
    assert torch.equal(state, torch.get_rng_state())

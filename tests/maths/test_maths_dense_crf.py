"""The mean field of the dense CRF: beside loops over pixels, beside all pairs, and FACTS.md's vector."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from segfrontier.maths import DEEPLAB, DIN, DenseCRF, mean_field
from segfrontier.maths.permutohedral import Lattice

BOTH = pytest.mark.parametrize("crf", [DIN, DEEPLAB], ids=["after", "symmetric"])


def vector():
    """V2 of paper 002's oracles: 6 x 8 pixels, three labels."""
    image = torch.arange(8.0).expand(3, 6, 8).clone()
    image[:, :, 4:] += torch.tensor([60.0, 90.0, 30.0])[:, None, None]
    return (2 * torch.sin(0.71 * torch.arange(144.0))).view(3, 6, 8), image


def photograph(height=30, width=40, labels=4, seed=0):
    """Patches of colour with noise, and scores that partly follow them."""
    rng = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 5, 7, generator=rng) * 255
    image = torch.nn.functional.interpolate(coarse, (height, width), mode="nearest")[0]
    image = (image + 3 * torch.randn(3, height, width, generator=rng)).clamp(0, 255).round()
    rough = torch.randn(1, labels, 9, 11, generator=rng)
    return 2 * torch.nn.functional.interpolate(rough, (height, width), mode="bicubic")[0], image


def slowly(unary, image, crf):
    """Pixel by pixel and pair by pair, in Python's own numbers."""
    labels, height, width = unary.shape
    places = [(y, x) for y in range(height) for x in range(width)]
    colour = {p: image[:, p[0], p[1]].tolist() for p in places}
    start = {p: unary[:, p[0], p[1]].tolist() for p in places}

    def kernels(p, q):
        apart = (p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2
        unlike = sum((a - b) ** 2 for a, b in zip(colour[p], colour[q], strict=True))
        near = math.exp(-apart / (2 * crf.spatial_xy**2))
        return near, math.exp(-apart / (2 * crf.bilateral_xy**2) - unlike / (2 * crf.bilateral_rgb**2))

    weights = (crf.spatial_weight, crf.bilateral_weight)
    norms = {p: [sum(kernels(p, q)[k] for q in places) for k in (0, 1)] for p in places}
    scores = start
    for _ in range(crf.iterations):
        shares = {}
        for p in places:
            powers = [math.exp(s - max(scores[p])) for s in scores[p]]
            shares[p] = [power / sum(powers) for power in powers]
        new = {}
        for p in places:
            new[p] = list(start[p])
            for q in places:
                for k, kernel in enumerate(kernels(p, q)):
                    after = crf.normalisation == "after"
                    norm = norms[p][k] if after else math.sqrt(norms[p][k] * norms[q][k])
                    for label in range(labels):
                        new[p][label] += weights[k] * kernel / norm * shares[q][label]
        scores = new
    return torch.tensor([[[scores[y, x][n] for x in range(width)] for y in range(height)] for n in range(labels)])


def test_the_published_vector():
    unary, image = vector()
    q = mean_field(unary, image, DIN, by="exact").softmax(0)
    rows = ["".join(map(str, row)) for row in q.argmax(0).tolist()]
    assert rows == ["11002221", "11102222", "11112222", "11110222", "11110022", "11111022"]
    torch.testing.assert_close(q[:, 0, 0], torch.tensor([0.005259, 0.994146, 0.000595]), atol=1e-6, rtol=0)
    torch.testing.assert_close(q[:, 5, 7], torch.tensor([0.193727, 0.001739, 0.804533]), atol=1e-6, rtol=0)
    torch.testing.assert_close(q.sum((1, 2)), torch.tensor([7.3055, 23.6142, 17.0803]), atol=1e-4, rtol=0)


@BOTH
def test_the_lattice_is_near_the_vector(crf):
    unary, image = vector()
    exact, fast = (mean_field(unary, image, crf, by=by).softmax(0) for by in ("exact", "lattice"))
    assert (exact - fast).abs().max() < 0.1
    assert (exact.argmax(0) == fast.argmax(0)).float().mean() > 0.95


@BOTH
def test_exactly_as_pair_by_pair(crf):
    crf = dataclasses.replace(crf, iterations=2, bilateral_weight=1.5, bilateral_xy=4.0, bilateral_rgb=30.0)
    unary, image = photograph(4, 5, 3)
    found = mean_field(unary.double(), image.double(), crf, by="exact")
    torch.testing.assert_close(found, slowly(unary, image, crf).double(), atol=1e-5, rtol=0)


@BOTH
def test_the_lattice_is_near_all_pairs_on_a_picture(crf):
    unary, image = photograph()
    exact, fast = (mean_field(unary, image, crf, by=by).softmax(0) for by in ("exact", "lattice"))
    apart = (exact - fast).abs().amax(0)
    assert (apart < 0.1).float().mean() > 0.95
    assert (exact.argmax(0) == fast.argmax(0)).float().mean() > 0.95
    assert (exact.argmax(0) != unary.argmax(0)).float().mean() > 0.1, "or the CRF did nothing"


@BOTH
@pytest.mark.parametrize("by", ["exact", "lattice"])
def test_gradients_are_those_of_small_differences(crf, by):
    crf = dataclasses.replace(crf, iterations=2, bilateral_rgb=40.0, spatial_xy=1.5 if crf is DIN else 3.0)
    unary, image = photograph(2, 3, 2)
    compat = -torch.eye(2, dtype=torch.double) + 0.1 * torch.arange(4.0).double().view(2, 2)
    torch.autograd.gradcheck(
        lambda u, c: mean_field(u, image.double(), crf, compat_LL=c, by=by),
        (unary.double().requires_grad_(), compat.requires_grad_()),
    )


def test_the_lattice_run_the_other_way_is_its_transpose():
    rng = torch.Generator().manual_seed(4)
    points = torch.rand(60, 3, generator=rng, dtype=torch.double) * 4
    weights = torch.rand(2, 60, 1, generator=rng, dtype=torch.double)
    lattice = Lattice.of(points).weighed(before=weights[0], after=weights[1])
    forwards, backwards = (each.run(torch.eye(60, dtype=torch.double)) for each in (lattice, lattice.transposed))
    torch.testing.assert_close(backwards, forwards.T)
    assert (forwards - forwards.T).abs().max() > 0.1


@BOTH
@pytest.mark.parametrize("sigma", [1.0, 3.0])
@pytest.mark.parametrize("size", [(9, 40), (1, 5), (35, 6)])
def test_the_near_kernel_is_all_pairs_of_near_pixels(crf, sigma, size):
    crf = dataclasses.replace(crf, iterations=1, spatial_xy=sigma, bilateral_weight=0.0)
    unary, image = torch.randn(2, *size, generator=torch.Generator().manual_seed(5)), torch.zeros(3, *size)
    exact, fast = (mean_field(unary, image, crf, by=by) for by in ("exact", "lattice"))
    assert (exact - fast).abs().max() < (0.01 if sigma == 1.0 else 0.2) and (exact - unary).abs().max() > 0.5


def test_with_and_without_gradients_and_with_many_labels_it_is_one_result():
    unary, image = photograph(9, 14, 40)
    few = unary[:5] * 3
    before = few.clone()
    plain = mean_field(few, image, DIN)
    assert torch.equal(few, before), "the scores given stay as they are"
    torch.testing.assert_close(mean_field(few.clone().requires_grad_(), image, DIN).detach(), plain)
    # Labels that nothing speaks for change nothing, but take the other way to and from the lattice.
    nothing = torch.full((35, 9, 14), -1e4)
    torch.testing.assert_close(mean_field(torch.cat([few, nothing]), image, DIN)[:5], plain)


def test_compatibility_is_what_a_neighbour_takes():
    unary, image = vector()
    potts = mean_field(unary, image, DIN, compat_LL=-torch.eye(3), by="exact")
    torch.testing.assert_close(potts, mean_field(unary, image, DIN, by="exact"))
    repelled = -torch.eye(3)
    repelled[2, 1] = 5.0  # wherever a neighbour is 1, nothing is 2
    found = mean_field(unary, image, DIN, compat_LL=repelled, by="exact")
    assert (found.argmax(0) == 2).sum() < (potts.argmax(0) == 2).sum()


def test_without_rounds_or_weights_scores_stay():
    unary, image = vector()
    for nothing in (
        dataclasses.replace(DIN, iterations=0),
        dataclasses.replace(DIN, spatial_weight=0.0, bilateral_weight=0.0),
    ):
        torch.testing.assert_close(mean_field(unary, image, nothing), unary)
    one = mean_field(unary[:, :1, :1], image[:, :1, :1], DIN)
    assert one.shape == (3, 1, 1) and one.isfinite().all()


def test_the_lattice_blurs_as_the_gaussian_does():
    rng = torch.Generator().manual_seed(3)
    points = torch.rand(400, 5, generator=rng, dtype=torch.double) * 3
    values = torch.rand(400, 2, generator=rng, dtype=torch.double)
    lattice = Lattice.of(points)
    assert torch.allclose(lattice.out_of_NC.sum(1), torch.ones(400, dtype=torch.double))
    assert (lattice.out_of_NC >= -1e-9).all()
    fast = lattice.run(values) / lattice.run(torch.ones(400, 1, dtype=torch.double))
    kernel = (torch.cdist(points, points).square() / -2).exp()
    exact = kernel @ values / kernel.sum(1, keepdim=True)
    assert (fast - exact).abs().max() < 0.06 and (values.mean(0) - exact).abs().max() > 0.1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"iterations": -1}, "iterations"),
        ({"spatial_xy": 0.0}, "spatial_xy"),
        ({"bilateral_rgb": math.nan}, "bilateral_rgb"),
        ({"bilateral_weight": -1.0}, "bilateral_weight"),
        ({"normalisation": "none"}, "normalisation"),
    ],
)
def test_bad_settings(change, words):
    with pytest.raises(ValueError, match=words):
        DenseCRF(**(dataclasses.asdict(DIN) | change))


def test_bad_maps():
    unary, image = vector()
    with pytest.raises(ValueError, match="image"):
        mean_field(unary, image[:, :5], DIN)
    with pytest.raises(ValueError, match="L H W"):
        mean_field(unary[0], image, DIN)
    with pytest.raises(ValueError, match="compatibility"):
        mean_field(unary, image, DIN, compat_LL=torch.eye(2))
    with pytest.raises(ValueError, match="at most"):
        mean_field(torch.zeros(2, 200, 200), torch.zeros(3, 200, 200), DIN, by="exact")
    with pytest.raises(ValueError, match="fewer than"):
        Lattice.of(torch.tensor([[0.0] * 5, [1e6] * 5]))


def beside_pydensecrf(unary, image, crf):
    pydensecrf = pytest.importorskip("pydensecrf.densecrf")
    labels, height, width = unary.shape
    peer = pydensecrf.DenseCRF2D(width, height, labels)
    peer.setUnaryEnergy((-unary).flatten(1).contiguous().numpy())
    peer.addPairwiseGaussian(sxy=crf.spatial_xy, compat=crf.spatial_weight)
    pixels = image.byte().permute(1, 2, 0).contiguous().numpy()
    peer.addPairwiseBilateral(sxy=crf.bilateral_xy, srgb=crf.bilateral_rgb, rgbim=pixels, compat=crf.bilateral_weight)
    return torch.tensor(np.array(peer.inference(crf.iterations))).view_as(unary)


def test_as_pydensecrf_where_it_is_installed():
    unary, image = photograph()
    q, peer = mean_field(unary, image, DEEPLAB).softmax(0), beside_pydensecrf(unary, image, DEEPLAB)
    assert (q.argmax(0) == peer.argmax(0)).float().mean() > 0.98

"""One step of coarse_to_fine: what is mixed, what each loss sees."""

from dataclasses import replace

import pytest
import torch
from toylab import Tiny

from segfrontier.lab import Batch, Moment, Nets, Network, Sgd
from segfrontier.maths import boundary_loss, cross_entropy
from segfrontier_methods.coarse_to_fine.knobs import Knobs
from segfrontier_methods.coarse_to_fine.objective import HybridSupervision

KNOBS = {
    name: getattr(Knobs(), name)
    for name in HybridSupervision.__dataclass_fields__
    if name not in ("network", "num_classes", "aux_weight")
}


def objective(**changes):
    network = Network(blueprint=Tiny(norm=False), optimiser=Sgd(lr=0.1))
    return HybridSupervision(network=network, num_classes=3, **(KNOBS | changes))


def batch_of(value, labels):
    labels = torch.as_tensor(labels)
    return Batch(torch.full((len(labels), 3, *labels.shape[1:]), value), labels, None, ["s"] * len(labels))


def bands(count, *classes, size=(4, 6)):
    """Labels of vertical bands, one a class."""
    row = torch.tensor(classes).repeat_interleave(size[1] // len(classes))
    return row.expand(count, *size).contiguous()


class Seen(torch.nn.Module):
    """A network that remembers what it was given."""

    def __init__(self):
        super().__init__()
        self.net = Tiny(norm=False).build(seed=0)

    def forward(self, images):
        self.images = images
        return self.net(images)


def step(objective, seed=0, **batch):
    torch.manual_seed(seed)
    module, at = Seen(), Moment(step=0, steps=1, epoch=0, steps_an_epoch=1)
    (loss,) = objective.step(Nets({"segmenter": module}, {}, {}), batch, at)
    return loss.value, module, at


def test_without_mixing_and_boundary_it_is_the_cross_entropy_of_all_streams():
    real, synthetic = batch_of(0.2, bands(2, 0, 255)), batch_of(0.8, bands(2, 1, 2))
    loss, module, _ = step(objective(boundary=0.0, mixing=0.0), real=real, synthetic=synthetic)
    images, labels = torch.cat([real.image, synthetic.image]), torch.cat([real.label, synthetic.label])
    assert torch.equal(module.images, images)
    torch.testing.assert_close(loss, cross_entropy(module.net(images).mean_logits, labels))


def test_the_boundary_loss_sees_synthetic_images_alone():
    real, synthetic = batch_of(0.2, bands(3, 0, 2)), batch_of(0.8, bands(2, 1, 2))
    made = objective(boundary=2.0, boundary_noise=False, mixing=0.0)
    loss, module, at = step(made, real=real, synthetic=synthetic)
    logits = module.net(module.images).mean_logits
    edges = boundary_loss(logits[3:], synthetic.label)
    torch.testing.assert_close(at.logged["boundary"], edges.detach())
    torch.testing.assert_close(loss, at.logged["cross_entropy"] + 2 * edges)


def test_the_knobs_reach_the_boundary_loss():
    batch = {"real": batch_of(0.2, bands(1, 0, 2)), "synthetic": batch_of(0.8, bands(2, 1, 2))}
    batch["synthetic"].image[:, 1] = torch.linspace(0, 1, 6)
    values = set()
    for change in ({}, {"boundary_temperature": 2.0}, {"boundary_border": "zero"}, {"boundary_epsilon": 1e-3},
                   {"boundary_normalise": True}, {"boundary_threshold": 1e-2}, {"boundary_weights": (1.0, 0.0)},
                   {"boundary_noise": True}):  # fmt: skip
        _, _, at = step(objective(**({"mixing": 0.0, "boundary_noise": False} | change)), **batch)
        values.add(round(at.logged["boundary"].item(), 7))
    assert len(values) == 8


def test_partner_classes_are_pasted_over_image_and_label_together():
    real, partner = batch_of(0.0, bands(200, 0, 255, 0)), batch_of(1.0, bands(200, 1, 2, 255))
    _, module, _ = step(objective(mixing=1.0, boundary=0.0), real=real, partner=partner)
    pasted = module.images[:, 0] == 1
    assert not pasted[..., 4:].any(), "void of the partner is never pasted"
    for area in (slice(0, 2), slice(2, 4)):
        each = pasted[..., area].flatten(1)
        assert torch.equal(each.all(1), each.any(1)), "a class is pasted whole or not at all"
        assert 0.35 < each.all(1).float().mean() < 0.65


@pytest.mark.parametrize(("mixing", "low", "high"), [(0.0, 0, 0), (0.5, 0.38, 0.62), (1.0, 1, 1)])
def test_each_real_sample_is_mixed_with_the_chance_given(mixing, low, high):
    real, partner = batch_of(0.0, bands(200, 0, 0)), batch_of(1.0, bands(200, 1, 1))
    made = objective(mixing=mixing, selection="half", boundary=0.0)  # half of one class, rounded up: that class
    _, module, _ = step(made, real=real, partner=partner)
    assert low <= (module.images[:, 0] == 1).flatten(1).all(1).float().mean() <= high


def test_mixed_samples_stand_beside_their_originals_where_told():
    real, partner = batch_of(0.0, bands(40, 0, 0)), batch_of(1.0, bands(40, 1, 1))
    synthetic = batch_of(0.5, bands(3, 2, 2))
    made = objective(mixed="beside", selection="half", boundary=0.0)
    _, module, _ = step(made, real=real, partner=partner, synthetic=synthetic)
    first, mixed, last = module.images[:40], module.images[40:-3], module.images[-3:]
    assert torch.all(first == 0) and torch.all(mixed == 1) and torch.all(last == 0.5)
    assert 8 < len(mixed) < 32


def test_a_batch_that_is_all_void_costs_nothing_and_breaks_nothing():
    real, synthetic = batch_of(0.2, bands(2, 255, 255)), batch_of(0.8, bands(2, 255, 255))
    loss, module, _ = step(objective(), real=real, partner=synthetic, synthetic=synthetic)
    loss.backward()
    assert loss.item() == 0
    assert all(torch.isfinite(p.grad).all() for p in module.parameters())


def test_the_same_seed_gives_the_same_step():
    batch = {"real": batch_of(0.2, bands(4, 0, 255)), "partner": batch_of(0.9, bands(4, 1, 2)),
             "synthetic": batch_of(0.8, bands(4, 1, 2))}  # fmt: skip
    losses = [step(objective(), seed, **batch)[0].item() for seed in (1, 1, 2)]
    assert losses[0] == losses[1] != losses[2]


def test_the_auxiliary_output_is_supervised_too():
    real = batch_of(0.2, bands(2, 0, 1))

    class WithAux(Seen):
        def forward(self, images):
            out = super().forward(images)
            out.aux = out.mean_logits * 2
            return out

    module, at = WithAux(), Moment(step=0, steps=1, epoch=0, steps_an_epoch=1)
    made = replace(objective(boundary=0.0), aux_weight=0.3)
    (loss,) = made.step(Nets({"segmenter": module}, {}, {}), {"real": real}, at)
    logits = module.net(real.image).mean_logits
    torch.testing.assert_close(
        loss.value, cross_entropy(logits, real.label) + 0.3 * cross_entropy(2 * logits, real.label)
    )

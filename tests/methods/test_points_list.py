"""The parameter list of AdvEnt's code, in which most of the encoder stands three times, against the list itself."""

import copy
from dataclasses import replace

import pytest
import timm
import torch
from pointhere import KNOBS, RECIPE
from torch import nn

from segfrontier.errors import BadInput
from segfrontier.lab import Adam, Network, Sgd
from segfrontier.lab.training.learners import Learners
from segfrontier.lab.worker import Worker
from segfrontier.models.model import ModelSpec
from segfrontier.models.parameters import parameter_groups
from segfrontier_methods.active_points.adaptation import _segmenter
from segfrontier_methods.active_points.knobs import Knobs

SPEC = ModelSpec(
    encoder="test_resnet", head="deeplab_v2", num_classes=3, pretrained="never", aux=True, norm="frozen_affine"
)


def published_list(body):
    """`get_1x_lr_params` of AdvEnt's deeplab_v2.py, word for word but for the names of the stages."""
    for stage in body.children():
        for module in stage.modules():
            for parameter in module.parameters():
                if parameter.requires_grad:
                    yield parameter


def literal(model, *, lr, momentum, weight_decay, head_factor):
    """torch's own SGD over the list with its duplicates, one entry after another.

    Buffers begin at zero, as in the torch of that code: today's torch begins one for each entry, and keeps the last.
    """
    encoder = list(published_list(model.encoder.body))
    known = {id(p) for p in encoder}
    head = [p for p in model.parameters() if id(p) not in known and p.requires_grad]
    groups = [{"params": encoder, "lr": lr}, {"params": head, "lr": lr * head_factor}]
    with pytest.warns(UserWarning, match="duplicate parameters"):
        optimiser = torch.optim.SGD(groups, lr=lr, momentum=momentum, weight_decay=weight_decay, foreach=False)
    for parameter in [*encoder, *head]:
        optimiser.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return optimiser


def pull(model, seed):
    """Gradients that depend on the weights, as those of a loss do."""
    torch.manual_seed(seed)
    for parameter in model.parameters():
        parameter.grad = 0.3 * parameter.detach() + torch.randn_like(parameter)


def test_five_steps_are_those_of_the_list_with_its_duplicates():
    mine = SPEC.build(seed=0)
    theirs = copy.deepcopy(mine)
    groups = parameter_groups(mine, lr=0.01, weight_decay=0.05, head_factor=10.0, encoder_repeats=True)
    ours = Sgd(lr=0.01, momentum=0.9, weight_decay=0.05).build(groups)
    reference = literal(theirs, lr=0.01, momentum=0.9, weight_decay=0.05, head_factor=10.0)
    once = copy.deepcopy(mine)
    near = torch.optim.SGD(parameter_groups(once, lr=0.01, weight_decay=0.05, encoder_factor=3.0), momentum=0.9)
    for step in range(5):
        for model, optimiser in ((mine, ours), (theirs, reference), (once, near)):
            pull(model, step)
            optimiser.step()
    start = SPEC.build(seed=0)
    for name, parameter in mine.named_parameters():
        torch.testing.assert_close(parameter, theirs.get_parameter(name), rtol=1e-5, atol=1e-6)
        assert parameter.requires_grad != torch.equal(parameter, start.get_parameter(name))
    name = "encoder.body.layer1.0.conv1.weight"
    moved, short = ((m.get_parameter(name) - start.get_parameter(name)).norm() for m in (theirs, once))
    assert short < 0.8 * moved, "a threefold rate is no stand-in in the first steps"


@pytest.mark.parametrize("encoder", ["test_resnet", "resnet50"])
def test_each_parameter_stands_as_often_as_in_the_list(encoder):
    with torch.device("meta"):
        body = timm.create_model(encoder, features_only=True)
    holder = nn.Module()
    holder.encoder = nn.Module()
    holder.encoder.body = body
    groups = parameter_groups(holder, lr=1.0, weight_decay=0.0, encoder_repeats=True)
    listed = [id(p) for p in published_list(body)]
    found = {id(p): group.get("times", 1) for group in groups for p in group["params"]}
    assert found == {id(p): listed.count(id(p)) for p in body.parameters()} and max(found.values()) == 4


def test_a_resnet101_has_the_counts_of_the_published_one():
    """FACTS.md 1a: 39.6M weights three times, 2.8M four times, 9,408 once; batch norms are constants."""
    holder = nn.Module()
    holder.encoder = nn.Module()
    with torch.device("meta"):
        holder.encoder.body = timm.create_model("resnet101", features_only=True)
    for module in holder.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.requires_grad_(False)
    groups = parameter_groups(holder, lr=1.0, weight_decay=0.0, encoder_repeats=True)
    sizes = {group["name"]: sum(p.numel() for p in group["params"]) for group in groups}
    assert sizes["encoder"] == 9_408 and sizes["encoder x3"] + sizes["encoder x4"] + 9_408 == 42_394_816
    assert [round(sizes[name] / 1e6, 1) for name in ("encoder x3", "encoder x4")] == [39.6, 2.8]
    assert round(sum(group.get("times", 1) * sizes[group["name"]] for group in groups) / 1e6, 1) == 129.9


def test_the_knob_reaches_the_optimiser_and_a_resume_goes_on_exactly():
    network = _segmenter(Knobs(encoder_repeats=True, lr=0.01), replace(RECIPE, norm="frozen_affine"), 3)
    assert not _segmenter(Knobs(), RECIPE, 3).encoder_repeats

    class Goal:
        skips_parameters = False

        def networks(self):
            return {"segmenter": network}

    def learners():
        worker = Worker(torch.device("cpu"))
        return Learners(Goal(), worker, seed=0, precision="fp32", compiled=False, channels_last=False)

    def steps(one, numbers):
        for number in numbers:
            pull(one.bare["segmenter"], number)
            one.update(step=number, steps=10, steps_an_epoch=1)
        return one

    whole, first, then = steps(learners(), range(4)), steps(learners(), range(2)), learners()
    names = [group["name"] for group in whole.optimisers["segmenter"].param_groups]
    assert names == ["encoder x2", "encoder x3", "encoder x4", "head"]
    then.load(copy.deepcopy(first.state()))
    steps(then, range(2, 4))
    for a, b in zip(whole.bare["segmenter"].parameters(), then.bare["segmenter"].parameters(), strict=True):
        assert torch.equal(a, b)


def test_what_cannot_repeat_is_refused():
    with pytest.raises(BadInput, match="an lr beside encoder_repeats; found encoder_repeats: True"):
        Knobs(**KNOBS | {"lr": None, "encoder_repeats": True})
    groups = parameter_groups(SPEC.build(seed=0), lr=0.1, weight_decay=0.0, encoder_repeats=True)
    with pytest.raises(BadInput, match="only SGD updates a group several times"):
        Adam(lr=0.1).build(groups)


def test_networks_that_do_not_repeat_keep_the_keys_of_their_stages():
    from segfrontier.store.keys import plain

    network = Network(blueprint=SPEC, optimiser=Sgd(lr=0.1))
    assert "encoder_repeats" not in str(plain(network))
    assert "encoder_repeats" in str(plain(replace(network, encoder_repeats=True)))

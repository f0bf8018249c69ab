"""One step of proxy_curriculum: which pixels teach, in which batch, and that nothing becomes NaN."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from proxyhere import CLASSES, batch_of, moment, objective, spec
from torch import nn

from segfrontier.lab import Nets
from segfrontier.maths import cross_entropy, mean_similarity
from segfrontier_methods.proxy_curriculum.starvation import vanished

VOID = 255


class Canned(nn.Module):
    """Branches that say what they are told, and decoders that have filters."""

    def __init__(self, *logits, filters=None):
        super().__init__()
        self.said = nn.ParameterList(nn.Parameter(each.clone()) for each in logits)
        made = filters or [torch.eye(3), torch.eye(3)]
        self.decoders = nn.ModuleList(_Decoder(each) for each in made)
        self.passes = 0

    def forward(self, images):
        self.passes += 1
        return SimpleNamespace(logits=tuple(self.said))


class _Decoder(nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight.clone())

    def filters(self):
        return [self.weight]

    last_filters = filters


def said(*rows):
    """(1, 3, 1, W) logits of 4 for the class that is named at each pixel."""
    return 4 * nn.functional.one_hot(torch.tensor([rows]), 3).permute(0, 2, 1)[:, :, None].float()


def step(goal, network, at=None, **batch):
    at = at or moment(step=19)
    nets = Nets({"segmenter": network}, {"segmenter": network}, {})
    (loss,) = goal.step(nets, batch, at)
    return loss, at


def plain(network, labels, **more):
    return torch.stack([cross_entropy(x, torch.tensor([[labels]]), **more) for x in network.said]).sum()


ONE, OTHER = (0, 1, 2, 2, 0, 1), (0, 1, 2, 1, 1, 1)
"""What two branches say: they agree at pixels 0, 1, 2 and 5."""


def test_target_easy_mining_learns_the_agreed_labels_alone():
    network = Canned(said(*ONE), said(*OTHER))
    loss, at = step(objective(beta=0.0), network, target=batch_of([[[VOID] * 6]]))
    torch.testing.assert_close(loss.value, plain(network, (0, 1, 2, VOID, VOID, 1)))
    assert loss.name == "target" and network.passes == 1, "one pass of the encoder a step"
    assert at.logged["easy/target"].item() == pytest.approx(4 / 6)
    assert at.logged["learned/target"].item() == pytest.approx(4 / 6)


def test_naive_self_training_learns_the_mean_of_the_branches_everywhere():
    sure = said(*OTHER)
    sure[:, :, 0, 3] *= 2  # the second branch is surer at pixel 3, the first at pixel 4
    first = said(*ONE)
    first[:, :, 0, 4] *= 2
    network = Canned(first, sure)
    loss, at = step(objective(beta=0.0, target_pixels="all"), network, target=batch_of([[[VOID] * 6]]))
    torch.testing.assert_close(loss.value, plain(network, (0, 1, 2, 1, 0, 1)))
    assert at.logged["learned/target"] == 1


def test_no_gradient_reaches_what_makes_the_labels():
    network = Canned(said(*ONE), said(*ONE))
    loss, _ = step(objective(beta=0.0), network, target=batch_of([[[VOID] * 6]]))
    loss.value.backward()
    grad = network.said[0].grad
    named = network.said[0].argmax(1, keepdim=True) == torch.arange(3)[:, None, None]
    torch.testing.assert_close(grad, (network.said[0].softmax(1) - named.float()).detach() / 6)


TRUTH = (0, 2, 2, 1, VOID, VOID)
"""The source's labels: branches agree and are right at 0 and 2, agree and are wrong at 1, differ at 3."""


@pytest.mark.parametrize(
    ("hard", "kept"),
    [("agreement", (VOID, VOID, VOID, 1, VOID, VOID)), ("correctness", (VOID, 2, VOID, 1, VOID, VOID))],
)
def test_source_hard_mining_drops_easy_pixels_and_keeps_all_hard_ones(hard, kept):
    network = Canned(said(*ONE), said(*OTHER))
    loss, _ = step(objective(beta=0.0, hard=hard), network, source=batch_of([[TRUTH]]))  # r is 1 by now
    torch.testing.assert_close(loss.value, plain(network, kept))
    loss, _ = step(objective(beta=0.0, hard=hard), network, moment(step=0), source=batch_of([[TRUTH]]))  # r is 0
    torch.testing.assert_close(loss.value, plain(network, TRUTH))


@pytest.mark.parametrize("domain", ["source", "target"])
@pytest.mark.parametrize("weights", [None, (1.0, 2.0, 1.0)])
def test_where_nothing_is_left_a_step_costs_nothing_and_is_not_nan(domain, weights):
    apart, alike = Canned(said(0, 1), said(1, 0)), Canned(said(0, 1), said(0, 1))
    network = apart if domain == "target" else alike  # all hard target pixels; all easy source ones at r = 1
    loss, _ = step(objective(beta=0.0, class_weights=weights), network, **{domain: batch_of([[[0, 1]]])})
    loss.value.backward()
    assert loss.value.item() == 0
    assert all(p.grad is not None and torch.equal(p.grad, torch.zeros_like(p)) for p in network.said)


@pytest.mark.parametrize(("step_", "share"), [(2, 0.2), (5, 0.5), (9, 0.9)])
def test_of_each_image_the_share_of_its_easy_labelled_pixels_is_left_out(step_, share):
    labels = np.zeros((2, 40, 50), np.int64)
    labels[1, :, 25:] = VOID
    zeros = said(0).expand(2, 3, 40, 50)
    _, at = step(objective(), Canned(zeros, zeros), moment(step=step_), source=batch_of(labels))
    kept = sum(count - int(share * count + 1e-9) for count in (2000, 1000))
    assert at.logged["learned/source"].item() == pytest.approx(kept / 3000)
    _, chance = step(objective(dropping="bernoulli"), Canned(zeros, zeros), moment(step=step_), source=batch_of(labels))
    assert chance.logged["learned/source"].item() == pytest.approx(kept / 3000, abs=0.04)


def test_class_weights_and_normalisation_reach_the_loss():
    network = Canned(said(*ONE), said(*OTHER))
    labels, target = (0, 1, 2, VOID, VOID, 1), batch_of([[[VOID] * 6]])
    weights = torch.tensor([1.0, 2.0, 1.0])
    loss, _ = step(objective(beta=0.0, class_weights=(1.0, 2.0, 1.0)), network, target=target)
    torch.testing.assert_close(loss.value, plain(network, labels, class_weights_K=weights))
    loss, _ = step(objective(beta=0.0, normalisation="pixels"), network, target=target)
    torch.testing.assert_close(loss.value, plain(network, labels, normalisation="pixels"))


def test_a_target_of_no_weight_teaches_nothing_and_the_source_as_before():
    network = Canned(said(*ONE), said(*OTHER))
    goal = objective(beta=0.0, target_weight=0.0)
    loss, _ = step(goal, network, target=batch_of([[[VOID] * 6]]))
    loss.value.backward()
    assert loss.value.item() == 0 and not network.said[0].grad.any()
    loss, _ = step(goal, network, moment(step=0), source=batch_of([[TRUTH]]))
    torch.testing.assert_close(loss.value, plain(network, TRUTH))


def pixel(*logits):
    return torch.tensor(logits).reshape(1, 3, 1, 1)


@pytest.mark.parametrize(("average", "named", "kept"), [("logits", 0, 1), ("probabilities", 1, VOID)])
def test_what_is_averaged_names_the_class_where_branches_differ(average, named, kept):
    """Logits of one branch outweigh the others' here, its probabilities do not: they are shared, or one of three."""
    network = Canned(pixel(5.0, 0.0, 4.9), pixel(0.0, 4.0, -9.0))
    goal = objective(beta=0.0, target_pixels="all", average=average)
    loss, _ = step(goal, network, target=batch_of([[[VOID]]]))
    torch.testing.assert_close(loss.value, plain(network, (named,)))
    most = pixel(0.0, 3.0, -9.0)
    three = Canned(pixel(9.0, 0.0, 0.0), most, most, filters=[torch.eye(3)] * 3)
    goal = objective(beta=0.0, average=average, hard="correctness", easy_up_to=0.34)
    loss, _ = step(goal, three, source=batch_of([[[1]]]))  # r is 1 by now: what is right in the mean is left out
    torch.testing.assert_close(loss.value, plain(three, (kept,)))


@pytest.mark.parametrize("form", ["cosine", "absolute", "dot", "product"])
def test_the_penalty_is_added_once_and_reaches_the_filters(form):
    filters = [torch.tensor([[1.0, 2.0], [0.5, -1.0], [0.0, 1.0]]), torch.tensor([[2.0, 1.0], [1.0, 1.0], [-1.0, 0.0]])]
    network = Canned(said(*ONE), said(*ONE), filters=filters)
    goal = objective(beta=0.5, similarity=form, similar="last")
    loss, at = step(goal, network, target=batch_of([[[VOID] * 6]]))
    alike = mean_similarity([[f] for f in filters], form=form)
    torch.testing.assert_close(loss.value, plain(network, ONE) + 0.5 * alike)
    torch.testing.assert_close(at.logged["similarity"], alike)
    loss.value.backward()
    assert network.decoders[0].weight.grad.any()
    without, at = step(objective(beta=0.0, similarity=form), network, target=batch_of([[[VOID] * 6]]))
    torch.testing.assert_close(without.value, plain(network, ONE))
    torch.testing.assert_close(at.logged["similarity"], alike), "logged all the same"


def test_the_whole_decoder_is_compared_or_its_last_layer():
    network = Canned(said(*ONE), said(*ONE))
    del network.decoders  # which may be modules alone
    layers = [[torch.eye(3), torch.tensor([[1.0, 2.0]])], [torch.eye(3), torch.tensor([[2.0, -1.0]])]]
    network.decoders = [SimpleNamespace(filters=lambda d=d: d, last_filters=lambda d=d: d[-1:]) for d in layers]
    for similar, alike in (("decoder", mean_similarity(layers)), ("last", torch.tensor(0.0))):
        _, at = step(objective(similar=similar), network, target=batch_of([[[VOID] * 6]]))
        torch.testing.assert_close(at.logged["similarity"], alike)


def test_which_easy_pixels_are_left_out_is_of_the_seed_the_step_and_the_scene():
    def kept(seed=0, step_=5, scenes=("a", "b")):
        zeros = said(0).expand(2, 3, 8, 9).requires_grad_()
        shown = batch_of(np.zeros((2, 8, 9), np.int64))._replace(scene=list(scenes))
        network = Canned(zeros, zeros)
        loss, _ = step(objective(beta=0.0), network, moment(step=step_, steps=200, seed=seed), source=shown)
        loss.value.backward()
        return [grad.any(0).tolist() for grad in network.said[0].grad]

    goal = objective()
    assert goal.masked_at(moment(step=50, steps=200)) == goal.masked_at(moment(step=51, steps=200)) == 0.5
    plain_ = kept(step_=50)
    assert plain_ == kept(step_=50) and plain_[0] != plain_[1]
    assert plain_ == kept(step_=50, scenes=("b", "a"))[::-1], "whichever place in a batch, or worker, has the scene"
    for other in (kept(step_=51), kept(step_=50, seed=1)):
        assert other[0] != plain_[0]


def test_the_schedules_are_logged():
    _, at = step(objective(), Canned(said(0), said(0)), moment(step=2), target=batch_of([[[VOID]]]))
    assert (at.logged["gamma"], at.logged["masked"]) == (pytest.approx(0.74), pytest.approx(0.2))


def test_three_branches_have_degrees_of_agreement():
    network = Canned(said(0, 0, 0), said(0, 0, 1), said(0, 1, 2), filters=[torch.eye(3)] * 3)
    target = batch_of([[[VOID] * 3]])
    for easy_up_to, labels in ((0.0, (0, VOID, VOID)), (1 / 3, (0, 0, VOID))):
        loss, _ = step(objective(beta=0.0, easy_up_to=easy_up_to), network, target=target)
        torch.testing.assert_close(loss.value, plain(network, labels))


def test_batches_are_of_one_domain_by_the_chance_of_the_epoch():
    goal, names = objective(), ("source", "target")
    for epoch, chance in ((0, 0.9), (5, 0.5), (10, 0.1), (19, 0.1)):
        drawn = [goal.streams(moment(step=epoch * 500 + i, steps=10_000), names) for i in range(500)]
        assert all(len(one) == 1 for one in drawn)
        assert np.mean([one == ["source"] for one in drawn]) == pytest.approx(chance, abs=0.05)
    assert goal.streams(moment(), ("source",)) == ("source",)
    for gamma, name in ((1.0, "source"), (0.0, "target")):
        sure = objective(gamma=gamma, gamma_end=gamma)
        assert {sure.streams(moment(step=i, steps=200), names)[0] for i in range(200)} == {name}


def test_every_process_draws_the_same_domain():
    goal, names = objective(), ("source", "target")
    several = [[goal.streams(moment(step=i, steps=50, seed=7), names)[0] for i in range(50)] for _ in range(3)]
    assert several[0] == several[1] == several[2] and set(several[0]) == {"source", "target"}
    assert several[0] != [goal.streams(moment(step=i, steps=50, seed=8), names)[0] for i in range(50)]


def test_facts_3e_schedules_by_both_ways_of_counting():
    def lines(counted_from):
        goal = objective(counted_from=counted_from)
        ats = [moment(step=i * 3, steps=60) for i in range(12)]
        return [goal.gamma_at(at) for at in ats], [goal.masked_at(at) for at in ats]

    gamma, masked = lines(0)
    assert gamma == pytest.approx([0.9, 0.82, 0.74, 0.66, 0.58, 0.5, 0.42, 0.34, 0.26, 0.18, 0.1, 0.1])
    assert masked == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1])
    gamma, masked = lines(1)
    assert gamma[0] == pytest.approx(0.82) and gamma[8] == pytest.approx(0.18) and gamma[9] == pytest.approx(0.1)
    assert masked == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1, 1])


def test_each_schedule_has_its_own_start_end_and_length():
    goal = objective(
        epochs=10, gamma=0.8, gamma_end=0.4, gamma_over=4, masked=0.2, masked_end=0.6, masked_over=8, counted_from=0
    )
    ats = [moment(step=epoch * 3, steps=30) for epoch in range(10)]
    assert [goal.gamma_at(at) for at in ats] == pytest.approx([0.8, 0.7, 0.6, 0.5, *[0.4] * 6])
    assert [goal.masked_at(at) for at in ats] == pytest.approx([0.2 + 0.05 * min(epoch, 8) for epoch in range(10)])


def test_a_source_without_a_label_costs_nothing_and_logs_numbers():
    network = Canned(said(*ONE), said(*OTHER))
    loss, at = step(objective(beta=0.0), network, source=batch_of([[[VOID] * 6]]))
    assert loss.value.item() == 0 and at.logged["easy/source"] == at.logged["learned/source"] == 0


def test_the_alarm_names_classes_that_the_labels_lack():
    network = Canned(said(0, 0, 2), said(0, 0, 1))
    _, at = step(objective(), network, target=batch_of([[[VOID] * 3]]))
    alarms = {name: value.item() for name, value in at.logged.items() if name.startswith("warning/")}
    assert alarms == {f"warning/{name} has vanished from the proxy labels": lacks
                      for name, lacks in zip(CLASSES, (0, 1, 1), strict=True)}  # fmt: skip
    _, at = step(objective(), network, source=batch_of([[[0, 1, 2]]]))
    assert not [name for name in at.logged if name.startswith("warning/")], "the source has labels of its own"


def test_a_class_has_vanished_when_it_was_there_and_does_not_come_back():
    def line(step, ground, wall, car):
        named = {f"warning/{name} has vanished from the proxy labels": value
                 for name, value in zip(CLASSES, (ground, wall, car), strict=True) if value is not None}  # fmt: skip
        return {"step": step} | named

    lines = [line(20, 0.0, 0.5, 1.0), line(40, 0.0, 1.0, 1.0), line(60, 0.0, None, 1.0), line(80, 0.1, 1.0, 1.0)]
    assert vanished(CLASSES, lines) == {"warning/wall has vanished from the proxy labels": 40}
    back = [*lines, line(100, 1.0, 0.9, 1.0)]
    assert vanished(CLASSES, back) == {"warning/ground has vanished from the proxy labels": 100}
    assert vanished(CLASSES, [{"step": 10}]) == {}


def test_the_real_network_gives_finite_gradients_to_both_decoders():
    network = spec().build(seed=0)
    goal = objective(network=spec())
    for name in ("source", "target"):
        loss, _ = step(goal, network, moment(step=3), **{name: batch_of(np.ones((2, 32, 48), np.int64))})
        network.zero_grad()
        loss.value.backward()
        for decoder in network.decoders:
            grads = [p.grad for p in decoder.parameters()]
            assert all(g is not None and torch.isfinite(g).all() for g in grads) and any(g.any() for g in grads)

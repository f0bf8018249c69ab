"""What tests of weak_panoptic's instance side share: tiny networks, boxes of the toy world, moments of half a batch."""

import numpy as np
import torch

from segfrontier.lab import Adam, Bench, Moment, Network
from segfrontier.models.detector import DetectorSpec
from segfrontier.models.model import ModelSpec
from segfrontier.scenes.labels import LabelRow, write_labels

BENCH = Bench(device="cpu", threads=1, log_steps=1)
CAR = 2
DETECTOR = DetectorSpec(
    encoder="test_resnet", pretrained="never", norm="batch", things=(CAR,), width=16, hidden=32, anchor=2.0,
    proposals=100, sampled_anchors=64, sampled_proposals=64,
)  # fmt: skip
SEGMENTER = ModelSpec(encoder="test_resnet", pretrained="never", norm="frozen", head="deeplab_v2", num_classes=3)


def learning(blueprint, lr=0.003):
    return Network(blueprint=blueprint, optimiser=Adam(lr=lr), clip=5.0)


def boxes_of(world, folder, *, split="train"):
    """The boxes of the toy world's cars, as bought ones are kept."""
    truth, rows = world.truth(split=split), []
    for scene in truth.scenes():
        ids = truth.instance(scene)
        found = [(ids == number).nonzero() for number in np.unique(ids[ids > 0])]
        values = [[x.min(), y.min(), x.max() + 1, y.max() + 1, CAR, 0] for y, x in found]
        rows.append(LabelRow(scene, *truth.size(scene), values=np.array(values, np.int32)))
    return write_labels(folder, kind="boxes", classes=world.classes, rows=rows)


class Totals:
    """Of a batch in two shares: what each asks for is kept, or answered with the sum of both."""

    count = 2

    def __init__(self, known=None):
        self.asked, self.known = [], known

    def total(self, amount):
        self.asked.append(amount)
        return amount if self.known is None else self.known[len(self.asked) - 1]


def moment(cut=None):
    more = {} if cut is None else {"cut": cut}
    return Moment(step=0, steps=10, epoch=0, steps_an_epoch=10, **more)


def mean_of_shares(loss_of, shares):
    """The mean over two shares of a loss (of a share, at a moment), when each knows the totals of both."""
    heard = [Totals(), Totals()]
    for share, cut in zip(shares, heard, strict=True):
        loss_of(share, moment(cut))
    sums = [sum(each) for each in zip(*(cut.asked for cut in heard), strict=True)]
    return torch.stack([loss_of(share, moment(Totals(sums))) for share in shares]).mean()

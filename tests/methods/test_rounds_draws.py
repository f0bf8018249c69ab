"""A round of coarse_to_fine has draws of its own: the head it starts with, order, crops, what is pasted where."""

from dataclasses import replace

import pytest
import torch
from coarsehere import BENCH, RECIPE
from pointhere import larger_toy
from toylab import toy_lab

from segfrontier.lab import make_method
from segfrontier_methods.coarse_to_fine.objective import HybridSupervision

STILL = replace(RECIPE, lr=0.0, weight_decay=0.0, steps=6, scale=(0.5, 2.0), flip=True)
"""Nothing is learned: weights stay those that a training began with."""


@pytest.fixture
def rounds(tmp_path, monkeypatch):
    """Of each of two trainings: its first weights, and by step the scenes, images, partners and pasted pixels."""
    seen, augmented = [], HybridSupervision._augmented

    def watching(self, real, partner):
        pairs = augmented(self, real, partner)
        pasted = (pairs[0][0] != real.image).any(1)
        seen[-1].append((tuple(real.scene), real.image.clone(), tuple(partner.scene), pasted))
        return pairs

    monkeypatch.setattr(HybridSupervision, "_augmented", watching)
    with toy_lab(tmp_path / "home", larger_toy(tmp_path / "toy"), hours=0.7, bench=BENCH) as lab:
        models, train = [], lab.train

        def counting(*args, **more):
            seen.append([])
            models.append(train(*args, **more))
            return models[-1]

        lab.train = counting
        knobs = {"iterations": 1, "pseudo_labels": False, "note_iterations": False}
        make_method("coarse_to_fine", knobs).run(lab, STILL)
        weights = [torch.load(model.file(), weights_only=True)["segmenter"] for model in models]
    return list(zip(weights, seen, strict=True))


def bytes_of(image):
    return image.numpy().tobytes()


def test_iteration_1_repeats_no_draw_of_iteration_0(rounds):
    (head_0, steps_0), (head_1, steps_1) = rounds
    drawn = [name for name, value in head_0.items() if not name.startswith("encoder.") and value.ndim == 4]
    assert drawn and not any(torch.equal(head_0[name], head_1[name]) for name in drawn)
    for column in (0, 2):  # the order of real images, and of their partners
        assert [step[column] for step in steps_0] != [step[column] for step in steps_1]
    assert [step[3].tolist() for step in steps_0] != [step[3].tolist() for step in steps_1]
    shown_0, shown_1 = (
        {each for scenes, images, *_ in steps for each in zip(scenes, map(bytes_of, images), strict=True)}
        for steps in (steps_0, steps_1)
    )
    assert {scene for scene, _ in shown_0} & {scene for scene, _ in shown_1}
    assert not shown_0 & shown_1, "no crop of an image comes again"

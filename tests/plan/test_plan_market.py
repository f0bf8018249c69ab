"""The rehearsal's market sells what the real one sells, though it remembers."""

import numpy as np
import pytest

from segfrontier.lab import Boxes, Coarse, Fine, Points, Tags
from segfrontier.market import WHOLE_IMAGE, Ledger, Market, Noise, load_prices
from segfrontier.market.answers import Answers
from segfrontier.plan.dry_market import Memory

XY, OTHER = np.array([[5, 5], [9, 3]]), np.array([[5, 5], [9, 4]])


def requests(scenes):
    some = scenes[:3]
    return [
        Fine(some), Coarse(some), Coarse(some[:2]), Coarse(scenes[1:4]), Boxes(some), Points(some, [XY] * 3),
        Points(some, [XY, XY, OTHER]), Tags(some, WHOLE_IMAGE), Tags(some, WHOLE_IMAGE, things=False), Coarse([]),
    ]  # fmt: skip


@pytest.mark.parametrize("noise", [Noise(), Noise(outlines=1.0, points=0.5, boxes=0.2, tags=0.3)])
def test_the_same_labels_at_the_same_price(toy_world, tmp_path, noise):
    prices, memory = load_prices("street"), Memory(tmp_path / "memory")

    def deliveries(name, seed, **more):
        ledger, found = Ledger(tmp_path / f"{name}.sqlite", create=True), []
        for i, request in enumerate(requests(toy_world.pool().scenes())):
            market = Market(
                toy_world.truth(), prices, ledger, f"{i}", 10**6, tmp_path / name, noise=noise, seed=seed, **more
            )
            bought = market.buy(request, stage="s")
            found.append((bought.labels.digest, bought.labels.scenes(), bought.seconds, bought.units))
        return found

    for seed in (0, 1):
        plain = deliveries(f"plain{seed}", seed)
        assert deliveries(f"a{seed}", seed, answers=memory.answers) == plain
        assert deliveries(f"b{seed}", seed, answers=memory.answers) == plain
    assert len(memory.deliveries) == 10 * (1 if noise == Noise() else 2)


def test_what_was_drawn_is_not_drawn_again(toy_world, tmp_path, monkeypatch):
    drawn = []
    plain = Answers.annotator

    def watched(answers, request):
        annotator = plain(answers, request)
        row = annotator.row
        annotator.row = lambda scene: drawn.append((request.kind, scene)) or row(scene)
        return annotator

    monkeypatch.setattr(Answers, "annotator", watched)
    ledger, memory = Ledger(tmp_path / "ledger", create=True), Memory(tmp_path / "memory")
    scenes = toy_world.pool().scenes()
    for cell, some in enumerate((scenes[:3], scenes[:3], scenes[:5])):
        terms = (toy_world.truth(), load_prices("street"), ledger, f"{cell}", 10**6, tmp_path)
        for request in (Coarse(some), Fine(some)):
            Market(*terms, answers=memory.answers, seed=cell).buy(request, stage="s")
    assert sorted(drawn) == sorted([("coarse", s) for s in scenes[:5]] + [("fine", s) for s in scenes[:3] + scenes[:5]])

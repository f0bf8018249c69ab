"""What the tests of coarse_to_fine share: small labs, small recipes, a watcher that remembers."""

from toylab import Recorder, toy_lab

from segfrontier.lab import Bench, Recipe, make_method

BENCH = Bench(device="cpu", threads=1)
RECIPE = Recipe(encoder="test_resnet", pretrained="never", steps=3, batch=4, scale=(1.0, 1.0))


def run(home, world, *, method="coarse_to_fine", hours=0.5, recipe=RECIPE, cell=None, **knobs):
    """(model, spent seconds, watcher) of a method on a toy lab."""
    watcher = Recorder()
    with toy_lab(home, world, hours=hours, bench=BENCH, watcher=watcher, cell=cell or f"{method}{hours}{knobs}") as lab:
        model = make_method(method, knobs).run(lab, recipe)
        return model, lab.spent, watcher

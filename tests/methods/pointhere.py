"""What tests of active_points share: a toy world large enough for discriminators, a small recipe, a lab on it."""

from toylab import toy_lab
from toyworld import TOY, toy_scene

from segfrontier.lab import Bench, Recipe
from segfrontier.scenes.world import World
from segfrontier.scenes.writer import WorldWriter

RECIPE = Recipe(
    encoder="test_resnet", head="deeplab_v2", pretrained="never", steps=2, batch=2, scale=(1.0, 1.0), flip=False
)
BENCH = Bench(device="cpu", threads=1)
KNOBS = {"rows": 4, "columns": 4, "patches": 2, "points": 3, "critic_width": 4, "pictures": 0}


def larger_toy(folder, *, train=6, source=5, val=3, change=lambda scene: scene):
    """Scenes of 40 x 52 pixels, which 4 x 4 patches divide one way only."""
    counts = {("source", "train"): source, ("target", "train"): train, ("target", "val"): val}
    with WorldWriter(folder, name="toy", classes=TOY, shard_bytes=10_000) as out:
        start = 0
        for (domain, split), count in counts.items():
            for number in range(start, start + count):
                out.add(change(toy_scene(number, domain=domain, split=split, height=40, width=52)))
            start += count
    return World.open(folder)


def point_lab(home, world, **settings):
    return toy_lab(home, world, **({"bench": BENCH, "hours": 1.0} | settings))

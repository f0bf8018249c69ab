"""An in-memory truth, street-like label maps, a quick market, and what the tests run in processes of their own."""

import os
import signal
from pathlib import Path

import cv2
import numpy as np

from segfrontier.errors import SegFrontierError
from segfrontier.market import Coarse, Ledger, Market, Points, _account, answers, load_prices
from segfrontier.scenes import labels
from segfrontier.scenes.classes import CITYSCAPES, VOID, ClassTable, SceneClass

TOY = ClassTable(
    name="toy",
    classes=tuple(
        SceneClass(name=name, colour=(i, i, i), thing=thing)
        for i, (name, thing) in enumerate([("ground", False), ("wall", False), ("car", True), ("person", True)])
    ),
)


class FakeTruth:
    """What the market needs of `scenes.world.Truth`, from arrays in memory."""

    def __init__(self, maps, *, instances=None, coarse=None, classes=TOY, digest="d0"):
        self.world, self.domain, self.split = "toy", "target", "train"
        self.classes, self.digest, self.components, self.stated = classes, digest, False, {}
        self._maps, self._instances, self._coarse = maps, instances or {}, coarse or {}

    def scenes(self):
        return list(self._maps)

    def size(self, scene):
        return self._maps[scene].shape

    def is_fine(self, scene):
        return True

    def has(self, scene, kind):
        return kind != "box" or scene in self._instances

    def semantic(self, scene):
        return self._maps[scene]

    def instance(self, scene):
        return self._instances.get(scene)

    def coarse(self, scene):
        return self._coarse.get(scene)


def toy_maps(number):
    """A 20 x 30 map with two cars (instances 1 and 2), a person (7), a crowd of no instance, and a strip of void."""
    semantic = np.zeros((20, 30), np.uint8)
    semantic[:10] = 1
    semantic[:, :2] = VOID
    ids = np.zeros((20, 30), np.uint16)
    for label, number_, y, x, height, width in (
        (2, 1, 8, 4 + number % 3, 6, 7),
        (2, 2, 9, 15, 5, 8),
        (3, 7, 5, 25, 9, 3),
    ):
        semantic[y : y + height, x : x + width] = label
        ids[y : y + height, x : x + width] = number_
    semantic[2:4, 10:14] = 3
    return semantic, ids


def toy_truth(scenes=6, *, digest="d0"):
    pairs = {f"s{i}": toy_maps(i) for i in range(scenes)}
    return FakeTruth({s: p[0] for s, p in pairs.items()}, instances={s: p[1] for s, p in pairs.items()}, digest=digest)


def open_market(folder, *, hours=None, seconds=10**6, truth=None, cell="c", prices="cityscapes", **more):
    """A market on a ledger in `folder`."""
    prices = load_prices(prices) if isinstance(prices, str) else prices
    ledger = Ledger(Path(folder) / "ledger.db", create=True)
    return Market(truth or toy_truth(), prices, ledger, cell, seconds, Path(folder) / "labels", **more)


def street_like(seed, height=96, width=192):
    """A map of big regions in the 19 classes: sky, buildings, trees, road, sidewalks, cars, people, poles."""
    rng = np.random.default_rng(seed)
    horizon = int(height * rng.uniform(0.4, 0.55))
    m = np.full((height, width), 10, np.uint8)
    x = 0
    while x < width:
        step = int(width * rng.uniform(0.08, 0.25))
        m[int(horizon * rng.uniform(0.1, 0.8)) : horizon, x : x + step] = rng.choice([2, 2, 8, 3])
        x += step
    m[horizon:] = 1
    middle = width * rng.uniform(0.4, 0.6)
    road = [[middle - 4, horizon], [middle + 4, horizon], [width * 1.1, height], [-width * 0.1, height]]
    cv2.fillPoly(m, [np.array(road, np.int32)], 0)
    for _ in range(rng.integers(2, 7)):
        depth = rng.uniform(0.1, 1)
        size = int(height * 0.35 * depth) + 2
        at = int(rng.uniform(0, width - size)), int(horizon + (height - horizon) * depth * 0.5)
        cv2.rectangle(m, at, (at[0] + int(size * 1.4), at[1] + size // 2), 13, -1)
    for _ in range(rng.integers(1, 5)):
        at, size = (
            (int(rng.uniform(0, width)), int(rng.uniform(horizon, height * 0.7))),
            int(height * rng.uniform(0.1, 0.3)),
        )
        cv2.ellipse(m, at, (max(1, size // 4), size // 2), 0, 0, 360, 11, -1)
    for _ in range(rng.integers(1, 5)):
        at = int(rng.uniform(0, width))
        cv2.rectangle(m, (at, int(horizon * 0.3)), (at + max(1, width // 100), int(height * 0.6)), 5, -1)
    m[-max(1, height // 25) :] = VOID
    assert len(CITYSCAPES) == 19
    return m


STEPS = ("in a row", "written", "before", "torn", "after", "published")
"""Between which steps of a purchase a kill may fall; it is charged from `after` on."""


def buy_and_die(folder, step):
    """Buy two coarse masks and be killed at a step of the purchase."""
    shop = open_market(folder)

    def dying(name, owner, *, first=True):
        call = getattr(owner, name)

        def call_and_die(*args, **more):
            if first:
                call(*args, **more)
            os.kill(os.getpid(), signal.SIGKILL)

        setattr(owner, name, call_and_die)

    if step == "in a row":
        dying("_encode", labels)
    elif step == "written":
        dying("write_labels", answers)
    elif step == "published":
        dying("_publish", shop)
    elif step == "torn":
        write = os.pwrite
        os.pwrite = lambda fd, data, at: write(fd, data[: len(data) // 2], at) and os.kill(os.getpid(), signal.SIGKILL)
    else:
        dying("append", _account.Pen, first=step == "after")
    shop.buy(Coarse(["s0", "s1"]), stage="t")


def buy_points_until_broke(folder, seconds, worker, gate, results):
    """Buy single points of one cell, each worker its own pixels, until the budget refuses."""
    shop = open_market(folder, seconds=seconds)
    gate.wait()
    bought = 0
    for n in range(600):
        x, y = n % 30, n // 30
        try:
            order = Points([f"s{worker % 6}"], [np.array([[x, y]])]) if worker < 6 else Coarse([f"s{n % 6}"])
            bought += shop.buy(order, stage=f"w{worker}").seconds
        except SegFrontierError as error:
            results.put((worker, bought, type(error).__name__))
            return
    results.put((worker, bought, "all"))


def buy_what_fits(folder, seconds, worker, gate, results):
    """One greedy purchase of every coarse mask that still fits, in an order of one's own."""
    shop = open_market(folder, seconds=seconds, truth=toy_truth(64))
    order = [f"s{(i * 7 + worker * 8) % 64}" for i in range(64)]
    gate.wait()
    got = shop.buy(Coarse(order), stage=f"w{worker}", at_most=10**6)
    results.put((worker, got.seconds, len(got.labels)))


def append_for_ever(path, worker):
    """Charge one act after the other until killed."""
    from segfrontier.market.acts import Acts
    from segfrontier.market.ledger import PurchaseOrder, Terms

    ledger, terms = Ledger(path), Terms(truth="t", annotators="a", prices=load_prices("street"))
    for n in range(10**6):
        acts = {f"s{n}": Acts.of([0, 1, 2], [1, 1, 1], [1, 1, 1])}
        order = PurchaseOrder(f"c{worker}", "t", "point", acts, f"labels-{n}", "digest", terms)
        ledger.charge(order, cost=lambda totals: sum(t.units for t in totals.values()), budget=10**9)

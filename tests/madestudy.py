"""Studies made of records that nobody trained: what the outputs of a frontier are tested on."""

from segfrontier.basics.atomic import write_json
from segfrontier.home.layout import Home
from segfrontier.home.records import Counted, Record, StageNote
from segfrontier.market import Ledger, load_prices
from segfrontier.market.acts import Acts
from segfrontier.market.ledger import PurchaseOrder, Terms

STREET = load_prices("street")
WORDS = "street:train=48,size=64x128 resnet18/fpn 40x8 #aaaa1111"


def record(method, hours, seed, score, *, knobs=None, acts=None, facet="aaaa1111", words=WORDS, state="done", **more):
    """An ended cell; `acts` by kind are units, under the prices of the street."""
    knobs = knobs or {}
    counted = {kind: Counted(scenes=n, acts=n, units=n, asked=2 * n) for kind, n in (acts or {}).items()}
    told = " ".join([method, *(f"{k}={v}" for k, v in knobs.items())])
    label = f"{told}, {'all labels' if hours == 'all' else f'{hours:g} h'}, seed {seed}"
    cell = {"method": method, "knobs": knobs, "hours": hours, "seed": seed, "label": label, "split": {}}
    stage = StageNote(kind="train", key="k", seconds=1800, devices=2, gpu=False, found=False)
    plain = {
        "key": f"{label} {facet}".replace(" ", "_").replace("/", "_"), "cell": cell, "facet": facet,
        "facet_words": words, "seconds": STREET.bill(counted), "prices": f"street {STREET.digest}", "acts": counted,
        "values": {"miou_present": score}, "iou": {"road": score, "pole": score / 2, "train": float("nan")},
        "stages": (stage,), "ended": 1000.0 + seed,
    }  # fmt: skip
    return Record(**(plain | {"state": state} | more))


def study(folder, records, *, name="made", yaml="name: made\nseeds: [0, 1, 2]\n", waiting=()):
    """Its home, with a ledger that knows the price list of each facet."""
    home = Home(folder)
    place = home.study(name)
    for r in records:
        r.write(home)
    write_json(place.path / "cells.json", [r.key for r in records] + list(waiting))
    place.file.write_text(yaml)
    ledger = Ledger(home.ledger, create=True)
    terms = Terms(truth="t", annotators="a", prices=STREET)
    for r in {r.facet: r for r in reversed(records) if r.acts}.values():
        acts = {"scene": Acts.of([0], [1], [2])}
        order = PurchaseOrder(r.key, "buy-1", next(iter(r.acts)), acts, "labels", "digest", terms)
        ledger.charge(order, cost=lambda totals: STREET.bill(totals), budget=10**9)
    return place


def baselines(seeds=(0, 1, 2)):
    """Three methods with scores that are easy to check by hand: 8 points, two of them at 0 h and at all labels."""
    made = [record("synthetic", 0.0, s, 0.30 + 0.01 * s) for s in seeds]
    for hours, fine, coarse in ((6, 0.40, 0.50), (12, 0.50, 0.58), (24, 0.60, 0.59)):
        made += [record("fine", hours, s, fine + 0.01 * s, acts={"fine": hours * 2 // 3}) for s in seeds]
        made += [record("coarse", hours, s, coarse + 0.01 * s, acts={"coarse": hours * 8}) for s in seeds]
    return made + [record("oracle", "all", s, 0.80 + 0.01 * s, acts={"fine": 48}) for s in seeds]

"""Requests that try to pay less than they get: each is refused with a sentence, or delivers just what it pays for."""

import threading
from collections.abc import Mapping

import numpy as np
import pytest
from market_fakes import open_market, toy_truth

from segfrontier.errors import BadInput, BadPrices, BudgetExceeded, SegFrontierError
from segfrontier.market import Boxes, Coarse, Fine, Points, Request, Tags, Tiling, open_window
from segfrontier.market.requests import frozen

ALL = [[x, y] for y in range(20) for x in range(30)]


class CheapFine(Fine):
    kind = "point"


class FreeCoarse(Coarse):
    labels = "fine"


class Two(Points):
    """One pixel when it is priced, all of them when it is delivered."""

    asked = 0

    def pixels(self, scene):
        self.__class__.asked += 1
        return np.array(ALL[:1] if self.asked < 3 else ALL)


class Bare(Request):
    kind, labels = "point", "fine"


class Disguised:
    """An object that says that it is a `Fine`."""

    kind, labels, scenes = "point", "fine", ("s0",)
    __class__ = Fine


class Shape(Tiling):
    def crops(self, height, width):
        return np.array([[x, y, x + 1, y + 1] for x, y in ALL])


class Name(str):
    """A scene's name that is equal to every other one, or to none."""

    same = True

    def __eq__(self, other):
        return self.same

    def __hash__(self):
        return 1

    def __str__(self):
        return "s1"


class Number(int):
    """A number that grows, or shrinks, whenever it is looked at."""

    def __index__(self):
        return 0

    def __int__(self):
        return 10**9

    def __add__(self, other):
        return 10**9

    __radd__ = __add__

    def __lt__(self, other):
        return False

    __gt__ = __le__ = __ge__ = __lt__


class Swings:
    """What counts as a whole number, and another one each time."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def __index__(self):
        return self.answers.pop(0)


class Pixels:
    """What turns into an array, and another one each time."""

    def __init__(self):
        self.asked = 0

    def __array__(self, dtype=None, copy=None):
        self.asked += 1
        return np.array(ALL[: self.asked])


class Sly(np.ndarray):
    """An array whose methods lie."""

    def astype(self, *args, **more):
        return np.array(ALL)

    def copy(self, *args):
        return np.array(ALL)

    def __len__(self):
        return 1


class Book(Mapping):
    """A mapping that gives more at every look."""

    def __init__(self):
        self.asked = 0

    def __getitem__(self, scene):
        self.asked += 1
        return ALL[: self.asked]

    def __iter__(self):
        return iter(["s0"])

    def __len__(self):
        return 1


class Ledgered(dict):
    """A dictionary whose look-ups lie."""

    def __getitem__(self, scene):
        return ALL

    def get(self, scene, default=None):
        return ALL


class Names(list):
    """A list that names one scene more at every walk."""

    walks = 0

    def __iter__(self):
        self.walks += 1
        return iter([f"s{i}" for i in range(self.walks)])

    def __len__(self):
        return 1


def bent(request, **changes):
    """A request of a right type whose frozen fields were changed after all."""
    for name, value in changes.items():
        object.__setattr__(request, name, value)
    return request


def swapped(request, content):
    """A request whose whole dictionary was exchanged."""
    object.__setattr__(request, "__dict__", content)
    return request


REFUSED = {
    "a subclass with another kind": lambda: CheapFine(["s0"]),
    "a subclass with other labels": lambda: FreeCoarse(["s0"]),
    "a subclass that answers twice": lambda: Two(["s0"], [ALL[:1]]),
    "a request of no kind": lambda: Bare(["s0"]),
    "an object in disguise": Disguised,
    "a local class of the same name": lambda: type("Fine", (Fine,), {"kind": "point"})(["s0"]),
    "a tiling that lies": lambda: Tags(["s0"], Shape(width=1, height=1, columns=1, rows=1, of=(30, 20))),
    "a tiling put in later": lambda: bent(
        Tags(["s0"], Tiling(width=30, height=20, columns=1, rows=1, of=(30, 20))),
        tiling=Shape(width=1, height=1, columns=1, rows=1, of=(30, 20)),
    ),
    "a tiling of fractions": lambda: Tiling(width=0.5, height=1, columns=1, rows=1, of=(30, 20)),
    "a tiling of three sides": lambda: Tiling(width=1, height=1, columns=1, rows=1, of=(30, 20, 7)),
    "pixels as objects": lambda: Points(["s0"], [np.array(ALL[:2], object)]),
    "pixels as fractions": lambda: Points(["s0"], [np.array(ALL[:2], float)]),
    "pixels of uneven rows": lambda: Points(["s0"], [[[1, 2], [3]]]),
    "the same pixel twice": lambda: Points(["s0"], [[[1, 2], [1, 2]]]),
    "a pixel beyond 64 bits": lambda: Points(["s0"], [[[2**70, 1]]]),
    "a pixel that wraps around": lambda: Points(["s0"], [np.array([[2**64 - 1, 0]], np.uint64)]),
    "a pixel before the first": lambda: Points(["s0"], [[[-1, 0]]]),
    "the same scene twice by another type": lambda: Fine([Name("s0"), "s0"]),
    "a scene that is equal to all": lambda: Fine([Name("nowhere")]),
    "scenes as bytes": lambda: Fine([b"s0"]),
    "scenes as one text": lambda: Fine("s0"),
    "pixels put in later": lambda: bent(Points(["s0"], [ALL[:1]]), xy={"s0": ALL[:1], "s1": ALL}),
    "things that are no answer": lambda: Tags(["s0"], Tiling(width=3, height=2, columns=1, rows=1, of=(30, 20)), "x"),
}


@pytest.mark.parametrize("trick", REFUSED)
def test_what_is_refused_costs_nothing_and_gives_nothing(tmp_path, trick):
    with open_window(open_market(tmp_path)) as window:
        with pytest.raises(BadInput):
            window.buy(REFUSED[trick](), stage="t")
        with pytest.raises(BadInput):
            window.quote(REFUSED[trick]())
        assert window.spent == 0
    assert not list((tmp_path / "labels").rglob("*.arrow"))


def written(tmp_path):
    shop = open_market(tmp_path)
    return open_window(shop), shop.ledger


@pytest.mark.parametrize(
    ("trick", "scenes"),
    [
        (lambda: bent(Fine(["s0"]), kind="point", labels="points"), ["s0"]),
        (lambda: bent(Fine(["s0"]), scenes=Names()), ["s0"]),
        (lambda: swapped(Fine(["s0"]), {"scenes": ["s3"], "kind": "tag", "labels": "tags"}), ["s3"]),
        (lambda: bent(Fine(["s0"]), __post_init__=lambda: None, frozen=None), ["s0"]),
        (lambda: Fine([Name("s0")]), ["s0"]),
        (lambda: Fine(np.array(["s0", "s1"])), ["s0", "s1"]),
        (lambda: Fine(name for name in ["s1", "s0"]), ["s1", "s0"]),
    ],
)
def test_a_bent_request_for_masks_pays_for_masks(tmp_path, trick, scenes):
    window, ledger = written(tmp_path)
    bought = window.buy(trick(), stage="t")
    assert bought.labels.scenes() == scenes and bought.labels.kind == "fine"
    assert bought.seconds == 5400 * len(scenes) == window.spent
    assert ledger.totals("c")["c"]["fine"].units == len(scenes)
    assert all(type(name) is str for name in bought.labels.scenes())


@pytest.mark.parametrize(
    "trick",
    [
        lambda: Points(["s0"], [Pixels()]),
        lambda: bent(Points(["s0"], [ALL[:1]]), xy={"s0": Pixels()}),
        lambda: Points(["s0"], [np.array(ALL[:1]).view(Sly)]),
        lambda: Points(["s0"], Book()),
        lambda: bent(Points(["s0"], [ALL[:1]]), xy=Book()),
        lambda: Points(["s0"], Ledgered(s0=ALL[:1])),
        lambda: bent(Points(["s0"], [ALL[:1]]), xy=Ledgered(s0=ALL[:1])),
        lambda: bent(Points(["s0"], [ALL[:1]]), pixels=lambda scene: np.array(ALL)),
        lambda: Points([Name("s0")], {Name("s0"): ALL[:1]}),
        lambda: Points(["s0"], [np.broadcast_to(np.array([[3, 4]]), (1, 2))]),
    ],
)
def test_a_bent_request_for_points_pays_for_each_point(tmp_path, trick):
    window, ledger = written(tmp_path)
    bought = window.buy(trick(), stage="t")
    known = int((bought.labels.map("s0") != 255).sum())
    rows = len(bought.labels.values("s0"))
    assert known <= rows == bought.units == ledger.totals("c")["c"]["point"].units
    assert bought.seconds == -(-rows * 24 // 10) > 0


def test_an_array_that_changes_while_it_is_bought_changes_nothing(tmp_path, monkeypatch):
    """The owner still holds the array, and even the request's own copy of it; a second thread writes without a rest."""
    array, over = np.array(ALL[:50]), threading.Event()
    request = Points(["s0"], [array])

    def scribble():
        own = request.pixels("s0")
        own.setflags(write=True)
        while not over.is_set():
            array[:, 0] = (array[:, 0] + 1) % 30
            own[:, 0] = (own[:, 0] + 1) % 30

    thread = threading.Thread(target=scribble)
    thread.start()
    try:
        window, ledger = written(tmp_path)
        for _ in range(20):
            bought = window.buy(request, stage="t")
            values = bought.labels.values("s0")
            assert len(values) == 50 and len({tuple(v) for v in values[:, :2].tolist()}) == 50
            owned = set(ledger.owned("c", "point")["s0"].tolist())
            assert {y * 30 + x for x, y in values[:, :2].tolist()} <= owned, "every pixel that came was charged"
    except BadInput as error:  # caught in the middle of a stroke: two pixels became one
        assert "distinct" in str(error)
    finally:
        over.set()
        thread.join()


def test_a_market_never_hands_out_its_copy_of_a_request():
    given = Points(["s0"], [ALL[:2]])
    copy = frozen(given)
    assert copy is not given and copy.pixels("s0") is not given.pixels("s0")
    assert not np.shares_memory(copy.pixels("s0"), given.pixels("s0")) and not copy.pixels("s0").flags.writeable
    tiling = Tiling(width=3, height=2, columns=1, rows=1, of=(30, 20))
    assert frozen(Tags(["s0"], tiling)).tiling is not tiling


@pytest.mark.parametrize("at_most", [Number(5), Swings(10**7, -1, 10**7), np.int64(100), True, -1, 2.5, "9", 10**30])
def test_the_sum_that_may_be_spent_is_asked_for_once(tmp_path, at_most):
    window, _ = written(tmp_path)
    try:
        bought = window.buy(Fine([f"s{i}" for i in range(6)]), stage="t", at_most=at_most)
    except BadPrices as error:
        assert "whole number of seconds" in str(error)
        assert window.spent == 0 and at_most in (True, -1, 2.5, "9", 10**30)
    else:
        limit = 10**7 if isinstance(at_most, Swings) else 100
        assert bought.seconds == window.spent <= limit


def test_a_grown_number_does_not_pass_the_budget(tmp_path):
    window = open_window(open_market(tmp_path, seconds=6000))
    bought = window.buy(Fine([f"s{i}" for i in range(6)]), stage="t", at_most=Swings(10**9, 10**9, 10**9))
    assert len(bought.labels) == 1 and bought.spent == 5400
    with pytest.raises(BudgetExceeded):
        window.buy(Fine(["s1", "s2"]), stage="t")


@pytest.mark.parametrize("counts", [(30, 20), (Swings(30, 1), Swings(20, 1))])
def test_a_tiling_asks_about_the_crops_that_are_paid_for(tmp_path, counts):
    tiling = Tiling(width=1, height=1, columns=counts[0], rows=counts[1], of=(30, 20))
    object.__setattr__(tiling, "crops", lambda *size: np.zeros((0, 4), int))
    object.__setattr__(tiling, "copied", lambda: Shape(width=1, height=1, columns=1, rows=1, of=(30, 20)))
    window, _ = written(tmp_path)
    bought = window.buy(Tags(["s0"], tiling), stage="t")
    assert bought.seconds == bought.units == len(bought.labels.values("s0")) == (toy_truth().semantic("s0") < 4).sum()


def test_hooks_run_where_no_market_is_on_the_stack(tmp_path):
    """Code inside a request runs before the market is asked: walking its frames leads to the window and no further."""
    from segfrontier.market import Market

    seen = []

    class Looks:
        def __array__(self, dtype=None, copy=None):
            import sys

            frame = sys._getframe()
            while frame is not None:
                seen.extend(type(value) for value in frame.f_locals.values())
                frame = frame.f_back
            return np.array(ALL[:1])

    window = written(tmp_path)[0]
    for ask in (window.quote, lambda request: window.buy(request, stage="t")):
        ask(bent(Points(["s0"], [ALL[:1]]), xy={"s0": Looks()}))
    assert seen and Market not in seen and type(toy_truth()) not in seen


@pytest.mark.parametrize("kind", ["gold", Name("coarse"), ["coarse"], None])
def test_only_known_kinds_are_sold(tmp_path, kind):
    window, _ = written(tmp_path)
    with pytest.raises(SegFrontierError):
        window.sold(kind, ["s0"])


def test_boxes_come_for_the_scenes_that_are_paid_for(tmp_path):
    window, ledger = written(tmp_path)
    bought = window.buy(bent(Boxes(["s0"]), scenes=Names(), kind="tag"), stage="t")
    assert bought.labels.scenes() == ["s0"] and bought.seconds == 3 * 7
    assert ledger.totals("c")["c"]["box"].units == 3

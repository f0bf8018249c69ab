"""The read barrier: from nothing that a method is given does a way lead to target truth, nor does pickling carry it."""

import copy
import gc
import os
import pickle
import types
from pathlib import Path

import numpy as np
import pytest
from market_fakes import FakeTruth, open_market, toy_truth

from segfrontier.errors import BudgetExceeded, SegFrontierError
from segfrontier.market import (
    WHOLE_IMAGE,
    Boxes,
    Coarse,
    Fine,
    Ledger,
    Market,
    Points,
    Tags,
    answers,
    load_prices,
    open_window,
)
from segfrontier.scenes.world import Truth, World

FORBIDDEN = (Truth, World, FakeTruth, Market)
SCALARS = (str, bytes, int, float, complex, bool, type(None), np.ndarray, np.generic)


def reachable(root):
    """Every object that attributes, slots, closures, bound methods, defaults, errors and containers lead to.

    Types and modules are not followed, and so neither are a function's globals: see the window's docstring.
    """
    seen, todo = {}, [root]
    while todo:
        thing = todo.pop()
        if id(thing) in seen or isinstance(thing, types.ModuleType | type):
            continue
        seen[id(thing)] = thing
        if isinstance(thing, SCALARS):
            continue
        todo += neighbours(thing)
    return list(seen.values())


def neighbours(thing):
    if isinstance(thing, dict):
        yield from [*thing.keys(), *thing.values()]
    elif isinstance(thing, list | tuple | set | frozenset):
        yield from thing
    yield from vars(thing).values() if hasattr(thing, "__dict__") else ()
    for kind in type(thing).__mro__:
        slots = getattr(kind, "__slots__", ())
        for slot in [slots] if isinstance(slots, str) else slots:
            if hasattr(thing, slot):
                yield getattr(thing, slot)
        for name, value in vars(kind).items():
            if isinstance(value, types.FunctionType):
                yield from neighbours(value)
                yield getattr(thing, name, None)
    for name in ("__self__", "__func__", "__wrapped__", "__defaults__", "__kwdefaults__", "__closure__"):
        yield getattr(thing, name, None)
    if isinstance(thing, types.CellType):
        yield thing.cell_contents
    if isinstance(thing, BaseException):
        yield from (thing.__cause__, thing.__context__, thing.__traceback__, thing.args)
    if isinstance(thing, types.TracebackType):
        yield from (thing.tb_next, thing.tb_frame)
    if isinstance(thing, types.FrameType) and thing.f_code.co_filename != __file__:
        yield thing.f_locals


def assert_leads_nowhere(thing, *, secret):
    found = reachable(thing)
    assert [type(t).__name__ for t in found if isinstance(t, FORBIDDEN)] == []
    texts = [t for t in found if isinstance(t, str)]
    assert [t for t in texts if secret in t] == []


@pytest.fixture
def shop(toy_world, tmp_path):
    """A window on a real world, the pool beside it, and the path of the folder that nobody may find."""
    truth = toy_world.truth()
    ledger = Ledger(tmp_path / "run" / "ledger.db", create=True)
    counter = Market(truth, load_prices("street"), ledger, "c", 30_000, tmp_path / "run" / "labels")
    with open_window(counter) as window:
        yield window, toy_world.pool(), str(tmp_path / "toy" / "truth")


def test_the_walk_itself_finds_truth_where_it_can_be_found(toy_world, tmp_path):
    """The proof is worth as much as its walker: plant truth in every hiding place that it should look into."""
    truth, secret = toy_world.truth(), str(tmp_path / "toy" / "truth")

    class Slotted:
        __slots__ = ("inside",)

    slotted, plain = Slotted(), types.SimpleNamespace(a=[{"b": (truth,)}])
    slotted.inside = truth

    def fails(held):
        raise ValueError("no")

    caught = []
    try:
        counter = open_market(tmp_path, truth=truth)
        counter.buy(Coarse(["nowhere"]), stage="t")
    except SegFrontierError as error:
        caught.append(error)
    hiding = [slotted, plain, lambda: truth, truth.semantic, lambda x=truth: x, toy_world, counter.buy, caught[0]]
    for place in hiding:
        with pytest.raises(AssertionError):
            assert_leads_nowhere(place, secret=secret)
    with pytest.raises(AssertionError):
        assert_leads_nowhere({"path": secret + "/x.parquet"}, secret=secret)


def test_nothing_that_a_method_holds_leads_to_truth(shop):
    window, pool, secret = shop
    scenes = pool.scenes()
    held = [window, pool, window.buy, window.quote, pool.image]
    requests = [
        Fine(scenes[:1]),
        Coarse(scenes[:2]),
        Points(scenes[:1], [[[3, 4]]]),
        Boxes(scenes[:1]),
        Tags(scenes[:1], WHOLE_IMAGE),
    ]
    for request in requests:
        bought = window.buy(request, stage="t")
        held += [request, bought, bought.labels, bought.labels.map]
        for scene in bought.labels.scenes():
            held.append(bought.labels.size(scene))
    for thing in held:
        assert_leads_nowhere(thing, secret=secret)


def test_errors_bring_no_frames_of_the_market_along(shop, monkeypatch):
    window, pool, secret = shop
    scenes = pool.scenes()
    errors = [
        raised_by(lambda: window.buy(Fine(scenes), stage="t")),
        raised_by(lambda: window.buy(Fine(["nowhere"]), stage="t")),
        raised_by(lambda: window.quote(Fine(["nowhere"]))),
        raised_by(lambda: window.buy(Coarse(scenes[:1]), stage="t", at_most=-1)),
    ]
    assert isinstance(errors[0], BudgetExceeded) and "nowhere" in str(errors[1])

    def broken(*args, **more):
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(answers, "annotator_for", broken)
    errors.append(raised_by(lambda: window.quote(Fine(scenes[:1]))))
    assert "ZeroDivisionError: a fault of ours" in errors[-1].__notes__[0], "a fault can still be found"
    for error in errors:
        assert_leads_nowhere(error, secret=secret)


def raised_by(call):
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError("it should have raised")


def test_label_sets_and_pools_travel_and_the_window_does_not(shop):
    window, pool, secret = shop
    bought = window.buy(Coarse(pool.scenes()[:2]), stage="t")
    for thing in (pool, bought, bought.labels):
        data = pickle.dumps(thing)
        assert secret.encode() not in data and b"Truth" not in data
        assert_leads_nowhere(pickle.loads(data), secret=secret)
    assert (pickle.loads(pickle.dumps(bought)).labels.map(pool.scenes()[0]) != 255).any()
    for travel in (pickle.dumps, copy.copy, copy.deepcopy):
        for thing in (window, {"a": [window]}, window.buy):
            if travel is copy.copy and thing is not window:
                continue
            with pytest.raises(TypeError, match="stays in its process: buy here and send the LabelSet"):
                travel(thing)


def test_the_labels_lie_apart_from_the_truth(shop):
    window, pool, secret = shop
    bought = window.buy(Coarse(pool.scenes()[:1]), stage="t")
    assert not bought.labels.path.startswith(secret) and not any(f.startswith(secret) for f in pool.files)


def test_only_what_was_bought_is_in_the_file(shop):
    window, pool, _ = shop
    scenes = pool.scenes()
    bought = window.buy(Points(scenes[:1], [[[3, 4], [5, 6]]]), stage="t")
    assert bought.labels.scenes() == scenes[:1]
    assert (bought.labels.map(scenes[0]) != 255).sum() == 2 and bought.labels.instance(scenes[0]) is None
    assert scenes[1].encode() not in Path(bought.labels.path).read_bytes()


def test_a_window_tells_what_is_spent_and_shuts(tmp_path):
    window = open_window(open_market(tmp_path, seconds=500))
    assert window.quote(Coarse(["s0"])) == 420 and (window.spent, window.remaining) == (0, 500)
    window.buy(Coarse(["s0"]), stage="t", at_most=450)
    assert (window.spent, window.remaining) == (420, 80)
    window.close()
    window.close()
    for question in (lambda: window.spent, lambda: window.remaining, lambda: window.quote(Coarse(["s0"]))):
        with pytest.raises(RuntimeError, match="this one is closed"):
            question()


def test_a_closed_window_keeps_no_market_alive(tmp_path):
    truth = toy_truth()
    with open_window(open_market(tmp_path, truth=truth)) as window:
        window.buy(Coarse(["s0"]), stage="t")
    gc.collect()
    assert not [m for m in gc.get_objects() if isinstance(m, Market) and m._truth is truth]


def test_a_forked_child_has_no_market(tmp_path):
    with open_window(open_market(tmp_path)) as window:
        child = os.fork()
        if child == 0:
            try:
                _ = window.spent
            except RuntimeError:
                os._exit(7)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert window.spent == 0

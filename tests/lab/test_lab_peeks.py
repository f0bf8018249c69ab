"""Peeks for early stopping look at a model as its final score does: the way of looking belongs to the model."""

import pytest
from toylab import Peeking, Plain, fine_part, toy_lab

from segfrontier.lab import Bench, Looking, Plan, Stream


@pytest.mark.parametrize("looking", [None, Looking(resize=(12, 16))])
def test_the_last_peek_is_the_final_score(toy_world, tmp_path, looking):
    watcher = Peeking()
    with toy_lab(tmp_path / "home", toy_world, watcher=watcher, bench=Bench(device="cpu", log_steps=1)) as lab:
        streams = {"labelled": Stream(parts=(fine_part(toy_world, tmp_path / "labels"),), batch=2)}
        model = lab.train(Plain(lr=0.02), streams, Plan(steps=6), looking=looking)
        assert model.looking == (looking or Looking())
        final, whole = lab.score(model).miou, lab.score(model.looked(Looking())).miou
    assert watcher.peeks == [(2.0, final)]
    assert looking is None or final != whole, "the ways of looking must differ here"


def test_a_way_of_looking_moves_no_key_of_a_training(toy_world, tmp_path):
    keys = set()
    for looking in (None, Looking(resize=(12, 16))):
        with toy_lab(tmp_path / "home", toy_world, bench=Bench(device="cpu")) as lab:
            streams = {"labelled": Stream(parts=(fine_part(toy_world, tmp_path / "labels"),), batch=2)}
            keys.add(lab.train(Plain(), streams, Plan(steps=1), looking=looking).key)
    assert len(keys) == 1

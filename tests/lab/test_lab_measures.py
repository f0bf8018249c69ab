"""Measures: numbers of fixed shapes for each image, one mapped file for a pool, bad images named and left out."""

import pickle
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from test_lab_verbs import BENCH, labelled
from toylab import Plain, Recorder, toy_lab, watcher_of
from toyworld import write_toy

from segfrontier.errors import BadInput, StageError
from segfrontier.lab import Fine, Gauge, Looking, Part, Plan
from segfrontier.lab.passes.gauges import GaugeRow, write_measures


@dataclass(frozen=True)
class Portrait(Gauge):
    """The class shares of a prediction in `cells` columns, its largest logit, and how much was known."""

    cells: int = 2
    refuses: tuple[int, ...] = ()
    spoilt: bool = False

    def shapes(self, classes):
        return {"shares": (self.cells, classes), "largest": (), "known": (1,)}

    def measure(self, predictor, image, known):
        if int(image.sum()) in self.refuses:
            raise BadInput("this image is beyond me")
        logits = predictor.look(image, Looking()).scores_NKHW[0].cpu()
        columns = logits.softmax(0).tensor_split(self.cells, dim=2)
        seen = 0 if known is None else (known.map() != 255).sum()
        return {
            "shares": np.stack([c.mean((1, 2)).numpy() for c in columns])[self.spoilt :],
            "largest": np.asarray(logits.max().numpy(), np.float32),
            "known": np.asarray([seen], np.float32),
        }


@pytest.fixture
def lab(toy_world, tmp_path):
    with toy_lab(tmp_path / "home", toy_world, bench=BENCH, watcher=Recorder()) as lab:
        yield lab


def trained(lab):
    return lab.train(Plain(), labelled(lab, scenes=lab.pool.scenes()[:3]), Plan(steps=20))


def test_columns_hold_what_the_gauge_says_of_each_image(lab):
    """Against a plain restatement: predict each image, take means."""
    model, order = trained(lab), tuple(lab.pool.scenes()[::-1])
    measures = lab.measure(model, Part(images=lab.pool, scenes=order), Portrait())
    assert len(measures) == 6 and measures.scenes() == list(order) and measures.faults == []
    module = model.build(torch.device("cpu"))
    for i, scene in enumerate(order):
        pixels = torch.from_numpy(lab.pool.image(scene)).permute(2, 0, 1)[None].float() / 255
        with torch.no_grad():
            logits = module(pixels).logits[0][0]
        shares = logits.softmax(0)
        want = np.stack([shares[:, :, :16].mean((1, 2)), shares[:, :, 16:].mean((1, 2))])
        np.testing.assert_allclose(measures.column("shares")[i], want, rtol=1e-6)
        assert measures.column("largest")[i] == pytest.approx(logits.max().item())
    assert measures.column("largest").shape == (6,) and (measures.column("known") == 0).all()
    with pytest.raises(BadInput, match="columns shares, largest, known; found 'share'"):
        measures.column("share")


def test_columns_are_views_of_one_file_and_the_handle_travels(lab):
    measures = lab.measure(trained(lab), Part(images=lab.pool), Portrait())
    once, again = measures.column("shares"), pickle.loads(pickle.dumps(measures)).column("shares")
    assert not once.flags.writeable and not once.flags.owndata and once.dtype == np.float32
    assert once.__array_interface__["data"] == measures.column("shares").__array_interface__["data"]
    np.testing.assert_array_equal(once, again)
    assert len(pickle.dumps(measures)) < 1000


def test_labels_that_exist_are_shown_to_the_gauge(lab):
    model, labels = trained(lab), lab.buy(Fine(lab.pool.scenes()[:2]))
    measures = lab.measure(model, Part(images=lab.pool, labels=labels), Portrait())
    known = [(labels.map(scene) != 255).sum() for scene in labels.scenes()]
    assert measures.column("known")[:, 0].tolist() == known


def test_measures_are_a_stage_like_any_other(toy_world, tmp_path):
    digests, keys = [], []
    for cells in (2, 2, 3):
        with toy_lab(tmp_path / "home", toy_world, bench=BENCH, watcher=Recorder()) as lab:
            measures = lab.measure(trained(lab), Part(images=lab.pool), Portrait(cells))
            digests.append(measures.digest)
            keys.append(measures.path)
            heard = watcher_of(lab)
        if len(keys) == 2:
            assert heard.kinds == [] and heard.reused_kinds == ["train", "measure"]
    assert digests[0] == digests[1] != digests[2] and keys[0] == keys[1] != keys[2]
    assert heard.kinds == ["measure"] and len(heard.steps) == 6


def test_one_bad_image_in_many_is_named_and_left_out(tmp_path):
    world = write_toy(tmp_path / "w", target_train=120, target_val=1)
    with toy_lab(tmp_path / "home", world, bench=BENCH) as lab:
        model, bad = trained(lab), int(lab.pool.image("target/train/041").sum())
        measures = lab.measure(model, Part(images=lab.pool), Portrait(refuses=(bad,)))
        assert len(measures) == 119 and "target/train/041" not in measures.scenes()
        assert measures.faults == ["target/train/041: this image is beyond me"]
        whole = lab.measure(model, Part(images=lab.pool), Portrait())
        np.testing.assert_array_equal(np.delete(whole.column("shares"), 41, 0), measures.column("shares"))


def test_too_many_bad_images_and_unsaid_shapes_stop_the_stage(lab):
    model, bad = trained(lab), tuple(int(lab.pool.image(f"target/train/00{n}").sum()) for n in (5, 7))
    with pytest.raises(StageError, match=r"2 of 6 images could not be measured.*beyond me"):
        lab.measure(model, Part(images=lab.pool), Portrait(refuses=bad))
    with pytest.raises(StageError, match=r"just what its shapes say.*\(2, 3\).*measured.*\(1, 3\)"):
        lab.measure(model, Part(images=lab.pool), Portrait(spoilt=True))


def test_rows_stream_to_the_file_and_shapes_are_checked(tmp_path):
    rows = (GaugeRow(f"s{i}", np.full(6, i, "<f4").tobytes()) for i in range(1000))
    measures = write_measures(tmp_path, shapes={"a": (2, 2), "b": (2,)}, rows=rows, faults=[])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["measures.arrow", "measures.json"]
    np.testing.assert_array_equal(measures.column("b"), np.arange(1000)[:, None].repeat(2, 1))
    assert measures.column("a").shape == (1000, 2, 2) and measures.scenes()[7] == "s7"
    empty = write_measures(tmp_path / "..", shapes={"a": (2, 2)}, rows=[], faults=["x: no"])
    assert empty.column("a").shape == (0, 2, 2) and empty.scenes() == [] and empty.faults == ["x: no"]
    for shapes in ({}, {"a": (0, 2)}, {"scene": (2,)}):
        with pytest.raises(ValueError, match="at least one number in each column"):
            write_measures(tmp_path, shapes=shapes, rows=[], faults=[])

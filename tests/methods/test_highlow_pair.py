"""The pair that high_low leaves: it answers as its rule does, is labelled with, exported and loaded as one model."""

import json

import numpy as np
import pytest
import torch
from highlowhere import KNOBS, RECIPE, highlow_lab, run_highlow
from toylab import Recorder

from segfrontier.lab import Argmax, Part
from segfrontier.lab.leaving.exporting import export_network
from segfrontier.lab.leaving.loading import load_model
from segfrontier_methods.high_low import HighLow
from segfrontier_methods.high_low.data import bought
from segfrontier_methods.high_low.fusion import Fusion, TwoBranchSpec
from segfrontier_methods.high_low.thresholds import chosen


def test_the_pair_answers_as_its_rule_and_as_a_slow_reference(world, home):
    with highlow_lab(home, world, cell="fusing") as lab:
        knobs = KNOBS | {"tau": 0.5, "note_tags": False}
        model = HighLow(**knobs).run(lab, RECIPE)
        spec = model.blueprints["joined"]
        assert isinstance(spec, TwoBranchSpec) and spec.tau == 0.5
        pool = world.pool(split="val")
        network, silenced = model.build(torch.device("cpu")), 0
        for scene in pool.scenes():
            image = pool.image(scene)
            pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255
            with torch.inference_mode():
                scores = network.classifier(pixels).logits.sigmoid()[0].numpy()
                probs = network.segmenter(pixels).mean_logits.double().softmax(1)[0].numpy()
            kept = scores > 0.5 if (scores > 0.5).any() else np.ones(3, bool)
            silenced += (~kept).sum()
            wanted = np.argmax(probs * kept[:, None, None], 0)
            assert np.array_equal(network(pixels).mean_logits.argmax(1)[0].numpy(), wanted)
        assert silenced, "something was silenced"


def test_the_pair_labels_and_scores_by_the_rule(world, home):
    with highlow_lab(home, world, cell="rule", watcher=(heard := Recorder())) as lab:
        model = HighLow(**(KNOBS | {"tau": 0.5})).run(lab, RECIPE)
        segmenter, classifier = trained_parts(lab, heard)
        rule = Fusion(tau=0.5)
        parts = {"segmenter": segmenter, "classifier": classifier}
        assert lab.score(parts, rule=rule).values["miou_present"] == pytest.approx(lab.score(model).miou)
        part = Part(images=lab.pool, scenes=tuple(lab.pool.scenes()[:2]))
        fused, joined = lab.label(parts, part, rule), lab.label(model, part, Argmax())
        assert all(np.array_equal(fused.map(scene), joined.map(scene)) for scene in part.names())


def trained_parts(lab, heard):
    """The two models behind a pair, asked for once more: nothing is trained again."""
    from segfrontier_methods.high_low.data import bought as buy

    method, data = HighLow(**KNOBS), buy(lab, labelled=None, split=0.0, draw=None)
    before = len(heard.begun)
    found = method._low(lab, RECIPE.share(0, of=2), data), method._high(lab, RECIPE.share(1, of=2), data)
    assert len(heard.begun) == before
    return found


def test_a_pair_leaves_and_predicts(world, home):
    model, _, _ = run_highlow(home, world, {"note_tags": False})
    loaded = load_model(model.file().parent, device="cpu")
    image = world.pool(split="val").image(world.pool(split="val").scenes()[0])
    network = model.build(torch.device("cpu"))
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        wanted = network(pixels).mean_logits.argmax(1)[0].numpy()
    assert np.array_equal(loaded.predict(image), wanted)


@pytest.mark.parametrize("knobs", [{"note_tags": False, "tau": 0.5}, {"high": "class_thresholds"}], ids=str)
def test_what_is_fused_is_exported_with_its_answers(world, home, tmp_path, knobs):
    model, _, _ = run_highlow(home, world, knobs)
    card = json.loads((model.file().parent / "model.json").read_text())
    assert export_network(model.build(torch.device("cpu")), card, tmp_path / "pair.pt2", to="torch").holds


@pytest.mark.parametrize("each", [False, True])
def test_thresholds_are_those_that_are_best_on_the_bought_masks(world, home, each):
    with highlow_lab(home, world, cell="sizes") as lab:
        data = bought(lab, labelled=None, split=0.0, draw=None)
        model = HighLow(**(KNOBS | {"high": "none", "low": "supervised"})).run(lab, RECIPE)
        steps = (0.1, 0.3, 0.6)
        least = chosen(lab, model, data.masked, thresholds=steps, each=each, all_masked="unmasked")
        wanted = slow_thresholds(model, data.masked, (0.0, *steps), each=each)
        assert least == wanted and len(least) == 3


def slow_thresholds(model, masked, candidates, *, each):
    network, table = model.build(torch.device("cpu")), []
    for threshold in candidates:
        hits, union = np.zeros(3), np.zeros(3)
        for scene in masked.names():
            pixels = torch.from_numpy(np.array(masked.images.image(scene))).permute(2, 0, 1)[None].float() / 255
            with torch.inference_mode():
                probs = network(pixels).mean_logits.softmax(1)[0].numpy()
            share = [(probs.argmax(0) == k).mean() for k in range(3)]
            kept = [share[k] > 0 and share[k] >= threshold for k in range(3)]
            found = np.argmax(probs * np.array(kept if any(kept) else [True] * 3)[:, None, None], 0)
            truth = masked.labels.map(scene)
            for k in range(3):
                said, told = (found == k) & (truth != 255), truth == k
                hits[k] += (said & told).sum()
                union[k] += (said | told).sum()
        table.append([hits[k] / union[k] if union[k] else np.nan for k in range(3)])
    if each:
        return tuple(candidates[int(t)] for t in np.nan_to_num(np.array(table)).argmax(0))
    return (candidates[int(np.argmax([np.nanmean(row) for row in table]))],) * 3

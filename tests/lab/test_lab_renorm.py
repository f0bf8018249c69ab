"""Batch-norm statistics estimated anew: what the images show, and nothing else of a model moves; kills; workers."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from elsewhere import together
from torch import nn
from toylab import Plain, Recorder, Tiny, TinyNet, toy_lab, watcher_of

from segfrontier.errors import BadInput, Stopped
from segfrontier.lab import Bench, Ema, Fine, Looking, Part, Plan, Stream
from segfrontier.lab.renorm import renorm_job
from segfrontier.lab.training.loop import run
from segfrontier.lab.worker import Worker

CPU = Worker(device=torch.device("cpu"))
BENCH = Bench(device="cpu", threads=1, log_steps=1, checkpoint_seconds=0)


class Dropping(TinyNet):
    """Dropout before the norm would move its statistics; another norm never sees a batch; a third is frozen."""

    def __init__(self, classes, channels):
        super().__init__(classes, channels, norm=True)
        self.unused, self.frozen = nn.BatchNorm2d(4), nn.BatchNorm2d(8)
        nn.init.constant_(self.unused.running_mean, 7.0)

    def train(self, mode=True):
        super().train(mode)
        self.frozen.eval()
        return self

    def forward(self, images):
        features = nn.functional.dropout(self.encoder(images), 0.5, self.training)
        logits = self.head(torch.relu(self.norm(self.frozen(features))))
        return SimpleNamespace(logits=(logits,), aux=None, mean_logits=logits)


@dataclass(frozen=True)
class DroppingSpec(Tiny):
    def build(self, *, seed):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return Dropping(self.classes, self.channels)


def trained(lab, blueprint, *, ema=None):
    part = Part(images=lab.pool, labels=lab.buy(Fine(lab.pool.scenes()[:3])))
    objective = Plain(blueprint=blueprint, ema=ema)
    return lab.train(objective, {"labelled": Stream(parts=(part,), batch=2)}, Plan(steps=4))


def weights(model):
    return torch.load(model.file(), weights_only=True)


def images_of(lab, *, batch=6, scenes=None):
    return Stream(parts=(Part(images=lab.pool, scenes=scenes),), batch=batch)


def features(model, lab):
    """(scenes, H, W, 8) what the norm of a trained `TinyNet` sees of the pool."""
    tensors = weights(model)["segmenter"]
    images = torch.stack([torch.from_numpy(np.array(lab.pool.image(s))) for s in lab.pool.scenes()])
    pixels = images.permute(0, 3, 1, 2).float() / 255
    seen = nn.functional.conv2d(pixels, tensors["encoder.weight"], tensors["encoder.bias"], padding=1)
    if "frozen.weight" in tensors:
        seen = seen / (1 + 1e-5) ** 0.5  # a norm that was never trained
    return seen.permute(0, 2, 3, 1)


@pytest.mark.parametrize("blueprint", [Tiny(), DroppingSpec()], ids=["plain", "dropout and others"])
def test_statistics_are_those_of_the_images_and_all_else_stays(toy_world, tmp_path, blueprint):
    with toy_lab(tmp_path / "home", toy_world, bench=BENCH, watcher=Recorder()) as lab:
        model = trained(lab, blueprint).looked(Looking(resize=(16, 16)))
        steps = lab.trained.steps
        again = lab.renorm(model, images_of(lab))
        assert lab.trained.steps == steps == 4, "no optimiser stepped"
        seen = features(model, lab).reshape(-1, 8)
        ear = watcher_of(lab)
    before, after = weights(model)["segmenter"], weights(again)["segmenter"]
    torch.testing.assert_close(after["norm.running_mean"], seen.mean(0), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(after["norm.running_var"], seen.var(0), rtol=1e-5, atol=1e-6)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"norm.running_mean", "norm.running_var", "norm.num_batches_tracked"}
    assert ear.kinds == ["train", "renorm"] and again.looking == model.looking and again.network == "segmenter"


def test_batches_count_alike_and_every_image_is_seen_once(toy_world, tmp_path):
    """Not the running mean of training, in which the last batch weighs most: six images in three batches."""
    with toy_lab(tmp_path / "home", toy_world, bench=BENCH) as lab:
        model = trained(lab, Tiny())
        again = lab.renorm(model, images_of(lab, batch=2))
        seen = features(model, lab)
    after = weights(again)["segmenter"]
    assert after["norm.num_batches_tracked"] == 3
    torch.testing.assert_close(after["norm.running_mean"], seen.mean((0, 1, 2)), rtol=1e-5, atol=1e-6)


def test_a_teacher_is_estimated_anew_as_the_network_it_is(toy_world, tmp_path):
    with toy_lab(tmp_path / "home", toy_world, bench=BENCH) as lab:
        model = trained(lab, Tiny(), ema=Ema(decay=0.5))
        again = lab.renorm(model.teacher(), images_of(lab))
        assert lab.score(again).scenes == 3
    found, both = weights(again), weights(model)
    assert list(found) == ["segmenter"] and again.key != model.key
    assert torch.equal(found["segmenter"]["head.weight"], both["segmenter/teacher"]["head.weight"])
    assert not torch.equal(found["segmenter"]["head.weight"], both["segmenter"]["head.weight"])


def test_it_is_a_stage_that_the_model_and_the_images_decide(toy_world, tmp_path):
    with toy_lab(tmp_path / "home", toy_world, bench=BENCH, watcher=Recorder()) as lab:
        model = trained(lab, Tiny())
        some = tuple(lab.pool.scenes()[:4])
        keys = [lab.renorm(model, images_of(lab, scenes=some if few else None)).key for few in (True, False, False)]
        assert keys[0] != keys[1] == keys[2] and watcher_of(lab).reused_kinds == ["renorm"]
        assert lab.renorm(lab.renorm(model, images_of(lab)), images_of(lab)).key not in keys
        assert lab.history(lab.renorm(model, images_of(lab, batch=4)))[-1]["step"] == 2


def test_a_network_without_free_norms_is_refused(toy_world, tmp_path):
    with toy_lab(tmp_path / "home", toy_world, bench=BENCH) as lab:
        model = trained(lab, Tiny(norm=False))
        with pytest.raises(BadInput, match="batch norms that are not frozen; found none in 'segmenter'"):
            lab.renorm(model, images_of(lab))


def renormed(worker, job, work, out):
    run(job, worker, BENCH, work=work, out=out)


@pytest.mark.parametrize("stop_after", [1, 2])
def test_killed_and_gone_on_equals_undisturbed(toy_world, tmp_path, stop_after):
    with toy_lab(tmp_path / "home", toy_world, bench=BENCH) as lab:
        job = renorm_job(trained(lab, Tiny()), images_of(lab, batch=2), seed=3)
        run(job, CPU, BENCH, work=tmp_path / "whole", out=tmp_path / "one")
        calls = iter(range(1, 100))
        with pytest.raises(Stopped):
            run(job, CPU, BENCH, work=tmp_path / "cut", out=tmp_path / "two", stop=lambda: next(calls) == stop_after)
        run(job, CPU, BENCH, work=tmp_path / "cut", out=tmp_path / "two")
    one, two = (torch.load(tmp_path / n / "weights.pt", weights_only=True)["segmenter"] for n in ("one", "two"))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_two_workers_keep_the_mean_of_what_both_have_seen(toy_world, tmp_path, pools):
    with toy_lab(tmp_path / "home", toy_world, bench=BENCH) as lab:
        model = trained(lab, Tiny())
        job = renorm_job(model, images_of(lab, batch=2), seed=3)
        together(pools, renormed, tmp_path / "pair", job, tmp_path / "work", tmp_path / "out")
        seen = features(model, lab)
    after = torch.load(tmp_path / "out" / "weights.pt", weights_only=True)["segmenter"]
    torch.testing.assert_close(after["norm.running_mean"], seen.mean((0, 1, 2)), rtol=1e-5, atol=1e-6)
    each = seen.flatten(1, 2).var(1).mean(0)  # a worker's share of a batch of two is one image
    torch.testing.assert_close(after["norm.running_var"], each, rtol=1e-4, atol=1e-6)

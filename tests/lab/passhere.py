"""Toy methods that need what no method of today does: boxes and tags, no model, several models, instances."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional
from toylab import Plain
from toyworld import TOY

from segfrontier.lab import (
    SEMANTIC,
    WHOLE_IMAGE,
    Adam,
    Boxes,
    Detections,
    Fine,
    Gauge,
    Instances,
    Loss,
    MultiLabel,
    Network,
    Objective,
    Panoptic,
    Part,
    Plan,
    Rule,
    SceneLabels,
    Stream,
    Tags,
    known_map,
)


@dataclass(frozen=True, kw_only=True)
class FilledBoxes(Rule):
    """No model: every box of a class that was tagged is an instance; what no box holds is ground."""

    def label(self, models, image, known):
        assert not models
        size = image.shape[:2]
        semantic, instance = np.zeros(size, np.uint8), np.zeros(size, np.uint16)
        tagged = set(known["tags"].tags[:, 1].tolist())
        boxes = [box for box in known["boxes"].boxes.tolist() if box[4] in tagged]
        masks = np.zeros((len(boxes), *size), np.bool_)
        for n, (x0, y0, x1, y1, label, _) in enumerate(boxes):
            semantic[y0:y1, x0:x1], instance[y0:y1, x0:x1] = label, n + 1
            masks[n, y0:y1, x0:x1] = True
        found = Detections(
            label=np.array([box[4] for box in boxes], np.uint8), score=np.ones(len(boxes), np.float32), mask=masks
        )
        return SceneLabels(size=size, semantic=semantic, instance=instance, detections=found)


@dataclass(frozen=True, kw_only=True)
class Painted(Rule):
    """No model: the toy world's colours say the class, what hangs together is one car; the first `cars` are found."""

    cars: int = 2

    def label(self, models, image, known):
        assert not models
        semantic = np.square(image[:, :, None].astype(int) - TOY.palette[:3]).sum(-1).argmin(-1).astype(np.uint8)
        _, apart = cv2.connectedComponents((semantic == 2).astype(np.uint8))
        void = set(apart[:, 0].tolist())  # which is black, and nearest to a car's blue
        order = [n for n in dict.fromkeys(apart.T.ravel().tolist()) if n and n not in void][: self.cars]
        masks = np.stack([apart == n for n in order])
        instance = sum(np.uint16(n + 1) * mask for n, mask in enumerate(masks)).astype(np.uint16)
        semantic = np.where((semantic == 2) & (instance == 0), 255, semantic).astype(np.uint8)
        found = Detections(label=np.full(len(masks), 2, np.uint8), score=np.ones(len(masks), np.float32), mask=masks)
        return SceneLabels(size=semantic.shape, semantic=semantic, instance=instance, detections=found)


@dataclass(frozen=True, kw_only=True)
class Columns(Rule):
    """A model's classes; each column half of a countable class is an instance."""

    def label(self, models, image, known):
        semantic = models.look(image).confidence()[1][0].byte().cpu().numpy()
        half = np.arange(semantic.shape[1]) * 2 // semantic.shape[1]
        masks = [(semantic == 2) & (half == side) for side in (0, 1)]
        kept = [mask for mask in masks if mask.any()]
        instance = sum((np.uint16(n + 1) * mask for n, mask in enumerate(kept)), np.zeros(semantic.shape, np.uint16))
        found = Detections(
            label=np.full(len(kept), 2, np.uint8),
            score=np.array([mask.mean() for mask in kept], np.float32),
            mask=np.array(kept, np.bool_).reshape(len(kept), *semantic.shape),
        )
        return SceneLabels(
            size=semantic.shape, semantic=semantic, instance=instance.astype(np.uint16), detections=found
        )


class TagNet(nn.Module):
    """One logit a class for a whole image: nothing that a segmenter answers."""

    def __init__(self, classes):
        super().__init__()
        self.encoder, self.head = nn.Conv2d(3, 16, 3, padding=1), nn.Linear(32, classes)

    def forward(self, images):
        maps = torch.relu(self.encoder(images))
        return self.head(torch.cat([maps.amax((2, 3)), maps.mean((2, 3))], 1))


@dataclass(frozen=True)
class Tagger:
    """Blueprint of a `TagNet`."""

    classes: int = 3

    def build(self, *, seed):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return TagNet(self.classes)

    def origin(self):
        return "random"


@dataclass(frozen=True, kw_only=True)
class Tagging(Objective):
    """Which classes an image shows, each for itself."""

    def networks(self):
        return {"classifier": Network(blueprint=Tagger(), optimiser=Adam(lr=0.02))}

    def step(self, nets, batch, at):
        one = batch["labelled"]
        shown = torch.stack([(one.label == k).any(2).any(1) for k in range(3)], 1).float()
        yield Loss("tags", functional.binary_cross_entropy_with_logits(nets["classifier"](one.image), shown))


@dataclass(frozen=True, kw_only=True)
class Fused(Rule):
    """Two segmenters' mean, over the classes that a classifier sees in the image."""

    above: float = 0.3

    def label(self, models, image, known):
        probs = [models[name].look(image).scores_NKHW.softmax(1)[0].cpu() for name in ("first", "second")]
        classifier = models["classifier"]
        pixels = torch.from_numpy(image).to(classifier.device).permute(2, 0, 1)[None].float() / 255
        with torch.inference_mode():
            seen = classifier.sound(classifier.module(pixels)).sigmoid()[0].cpu()
        mean = (probs[0] + probs[1]) / 2
        mean[seen < min(self.above, float(seen.max()))] = 0
        sure, labels = mean.max(0)
        semantic, before = labels.byte().numpy(), known_map(known)
        if before is not None:
            semantic = np.where(before == 255, semantic, before)
        return SceneLabels(size=image.shape[:2], semantic=semantic, confidence=sure.numpy(), tag_scores=seen.numpy())


@dataclass(frozen=True, kw_only=True)
class Apart(Gauge):
    """Where two segmenters differ."""

    def shapes(self, classes):
        return {"share": ()}

    def measure(self, models, image, known):
        first, second = (models[name].look(image).confidence()[1] for name in ("first", "second"))
        return {"share": np.asarray((first != second).float().mean().item(), np.float32)}


def trained(lab, labels, *, objective=Plain(), steps=12):  # noqa: B008  # frozen
    stream = Stream(parts=(Part(images=lab.pool, labels=labels),), batch=2)
    return lab.train(objective, {"labelled": stream}, Plan(steps=steps))


def through_boxes(lab):
    """Boxes and tags are bought, a pass without models fills them, a model learns that, instances are scored."""
    scenes = lab.pool.scenes()[:4]
    sets = {"boxes": lab.buy(Boxes(scenes)), "tags": lab.buy(Tags(scenes, WHOLE_IMAGE))}
    made = lab.label(None, Part(images=lab.pool, labels=sets), FilledBoxes())
    model = trained(lab, made, steps=40)
    return made, model, lab.score(model, rule=Columns(), tasks=(*SEMANTIC, Panoptic(), Instances()))


def three_models(lab, *, scenes=3, steps=(20, 15, 40)):
    """Two segmenters and a classifier, trained."""
    fine = lab.buy(Fine(lab.pool.scenes()[:scenes]))
    objectives = {"first": Plain(), "second": Plain(lr=0.05), "classifier": Tagging()}
    return {
        name: trained(lab, fine, objective=objective, steps=count)
        for (name, objective), count in zip(objectives.items(), steps, strict=True)
    }


def through_several(lab):
    """Two segmenters and a classifier, fused when measuring, labelling and scoring."""
    models = three_models(lab)
    apart = lab.measure(models, Part(images=lab.pool), Apart())
    made = lab.label(models, Part(images=lab.pool), Fused())
    return models, apart, made, lab.score(models, rule=Fused(), tasks=(*SEMANTIC, MultiLabel()))

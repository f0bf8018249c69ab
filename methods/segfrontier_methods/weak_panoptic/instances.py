"""The instance side of weak_panoptic, as a method uses it.

    things, stuff = lab.classes.things, lab.classes.stuff
    # 1. a detector learns from the bought boxes
    network = detector_network(recipe, things, width=64)
    detector = lab.train(Detecting(detector=network), {"boxes": recipe.stream(boxed_part)}, recipe.plan())
    # 2. its detections of the training images, as a label set
    found = lab.label(detector, Part(images=lab.pool, scenes=...), Detect(above=0.5, nms=0.3))
    # 3. one network of segmenter and detector: this is piecewise training's result
    spec = PanopticSpec(segmenter=segmenter.blueprints["segmenter"], detector=..., stuff=stuff)
    model = lab.join(spec, {"segmenter": segmenter, "detector": detector})
    # 4. end to end, from there: masks with instances, and the detections by the name `detections`
    part = Part(images=lab.pool, labels={"masks": masks, "detections": found})
    model = lab.train(MatchedInstances(panoptic=Network(blueprint=spec, optimiser=...)), {"masks": recipe.stream(part)},
                      recipe.plan(), start={PANOPTIC: model})
    # 5. what it is judged for beside its semantic map
    return Judged(model=model, rule=Panoptically(), tasks=(Panoptic(), Instances(...)))

`join_panoptic` does step 3. The joined model answers as any segmentation network does (the segmenter's own map), so it
is scored, exported and looked at like one; `Panoptically` is the rule that unites both. A detector that finds nothing
leaves the dummies of stuff, whose classes then share out all pixels; a world without stuff and without finds has no
segment at all. `rank` orders instances for AP: by detection score, or by the mean probability of their class inside.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from segfrontier.errors import BadInput
from segfrontier.lab import Detections, Known, Lab, Model, Predictors, Rule, SceneLabels
from segfrontier.models.detector import DetectorSpec
from segfrontier.models.model import ModelSpec
from segfrontier_methods.weak_panoptic.detector import Detect, as_detections
from segfrontier_methods.weak_panoptic.instance_crf import Boxed, PanopticNet, PanopticSpec

_VOID = 255
Rank = Literal["detection", "confidence"]
"""By what instances are ordered for AP; the `oracle` order is the task's, `Instances(rankings=("score", "oracle"))`."""


def join_panoptic(lab: Lab, segmenter: Model, detector: Model, **settings: Any) -> Model:
    """A trained segmenter and a trained detector as one model; `settings` are fields of `PanopticSpec`."""
    first, second = (model.blueprints[model.network.partition("/")[0]] for model in (segmenter, detector))
    if not isinstance(first, ModelSpec) or not isinstance(second, DetectorSpec):
        raise BadInput(
            f"a panoptic model joins a segmenter and a detector; found a {type(first).__name__} and a "
            f"{type(second).__name__}. Give both in this order."
        )
    parts: dict[str, Any] = {"segmenter": first, "detector": second, "stuff": lab.classes.stuff}
    spec = PanopticSpec(**(parts | settings))
    return lab.join(spec, {"segmenter": segmenter, "detector": detector})


@dataclass(frozen=True, kw_only=True)
class Panoptically(Rule):
    """What a joined model makes of an image: class and instance of each pixel, and the instances with their scores."""

    detect: Detect = field(default_factory=Detect)
    rank: Rank = "confidence"

    def label(self, models: Predictors, image: NDArray[np.uint8], known: Known) -> SceneLabels:  # noqa: ARG002
        """See `Rule.label`. Segmenter, views and windows as the model is looked at; the detector sees it whole."""
        model = models.only
        net, size = model.module, (image.shape[0], image.shape[1])
        if not isinstance(net, PanopticNet):
            raise BadInput(f"instances are those of a joined panoptic model; found {type(net).__name__}. Join one.")
        pixels = torch.from_numpy(image).to(model.device).permute(2, 0, 1)[None].float().div_(255)
        ways = self.detect
        with torch.inference_mode():
            logits_KHW = model.look(image).scores_NKHW[0]
            (raw,) = net.detector.detect(pixels, above=ways.above, nms=ways.nms, most=ways.most)
            found = as_detections(raw, size)
            scores_LHW = net.unite(logits_KHW, pixels[0], Boxed.of(found, model.device))
            return united_labels(scores_LHW, logits_KHW.softmax(0), found, net.spec, rank=self.rank)


def united_labels(
    scores_LHW: Tensor, probs_KHW: Tensor, found: Detections, spec: PanopticSpec, *, rank: Rank
) -> SceneLabels:
    """The likeliest label of each pixel, as maps and as instances with scores; labels of no pixel are left out."""
    height, width = probs_KHW.shape[1:]
    size, classes = (height, width), np.concatenate([found.label, np.array(spec.stuff, np.uint8)])
    if not len(classes):
        return SceneLabels(
            size=size, semantic=np.full(size, _VOID, np.uint8), instance=np.zeros(size, np.uint16), detections=found
        )
    confidence_HW, winner_HW = scores_LHW.softmax(0).max(0)
    winner = winner_HW.cpu().numpy()
    shown = np.flatnonzero(np.bincount(winner.ravel(), minlength=len(classes)))
    numbers = np.zeros(len(classes), np.uint16)
    counted = shown[shown < len(found.label)]
    numbers[counted] = 1 + np.arange(len(counted))
    masks = winner[None] == shown[:, None, None]
    scores = np.concatenate([found.score, np.ones(len(spec.stuff), np.float32)])[shown]
    if rank == "confidence":
        probs = probs_KHW.cpu().numpy()
        scores = np.array([probs[classes[one]][mask].mean() for one, mask in zip(shown, masks, strict=True)])
    return SceneLabels(
        size=size,
        semantic=classes[winner],
        instance=numbers[winner],
        detections=Detections(label=classes[shown], score=scores.astype(np.float32), mask=masks),
        confidence=confidence_HW.cpu().numpy(),
    )

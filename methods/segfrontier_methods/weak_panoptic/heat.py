"""Where the classifier saw each kind of stuff, as heat over the image: what seeds are cut from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from segfrontier.lab import Part, Predictors, Sketch
from segfrontier.maths import cam_masks
from segfrontier_methods.weak_panoptic.tags import TAGS, StuffSeeds

_HEAT = 0.75
"""How much of a pixel is its heat; the rest is the image, so that one sees what lies there."""
_LINE = (255, 255, 255)


@dataclass(frozen=True, kw_only=True)
class Heat(Sketch):
    """One panel for each kind of stuff that is tagged, at most `most` of them: those tagged in the most crops."""

    note: ClassVar[str] = (
        "Each panel: how much each pixel speaks for a class (Grad-CAM), in the crops that are tagged with it. Dark "
        "violet is nothing, yellow the most in its crop; white lines go round what becomes a seed, before classes "
        "that overlap are settled. Grey: no crop there is tagged with it."
    )

    width: ClassVar[int] = 240

    rule: StuffSeeds
    most: int = 6

    def panels(self, models: Predictors, part: Part, scene: str) -> Sequence[tuple[str, NDArray[np.uint8]]]:
        """See `Sketch.panels`; one model, the classifier, and the part's set `tags`."""
        image = part.images.image(scene)
        size = (image.shape[0], image.shape[1])
        crops, heats, seeds = Counter[int](), dict[int, NDArray[np.float32]](), dict[int, NDArray[np.bool_]]()
        for cams_KHW, labels, (y, x) in self.rule.seen(models, image, part.sets()[TAGS].labels(scene)):
            there = np.s_[y : y + cams_KHW.shape[1], x : x + cams_KHW.shape[2]]
            masks = cam_masks(cams_KHW, share=self.rule.share)
            for label, cam_HW, mask_HW in zip(labels, cams_KHW, masks, strict=True):
                crops[label] += 1
                heat = heats.setdefault(label, np.full(size, np.nan, np.float32))[there]
                np.fmax(heat, share_of_most(cam_HW), out=heat)
                seeds.setdefault(label, np.zeros(size, np.bool_))[there] |= mask_HW
        names, shown = models.only.classes.names, sorted(label for label, _ in crops.most_common(self.most))
        return [
            (scene, image),
            *((_caption(names[n], crops[n], seeds[n]), over(image, heats[n], seeds[n])) for n in shown),
        ]


def share_of_most(cam_HW: NDArray[np.float32]) -> NDArray[np.float32]:
    """A map as shares of its own maximum; 0 of one that is 0 everywhere."""
    most = float(cam_HW.max())
    return np.asarray(cam_HW / most if most > 0 else np.zeros_like(cam_HW), np.float32)


def over(image: NDArray[np.uint8], heat_HW: NDArray[np.float32], seed_HW: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """(H, W, 3): heat from 0 to 1 over the grey image, which alone is seen where heat is NaN; a seed's rim in white."""
    grey = np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    known = ~np.isnan(heat_HW)
    bytes_HW = np.rint(np.nan_to_num(heat_HW) * 255).astype(np.uint8)
    hot = cv2.cvtColor(cv2.applyColorMap(bytes_HW, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)
    picture = np.where(known[..., None], cv2.addWeighted(hot, _HEAT, grey, 1 - _HEAT, 0), grey)
    thick = max(1, round(image.shape[1] / Heat.width))  # seen when the sheet makes it smaller, too
    inner = cv2.erode(seed_HW.astype(np.uint8), np.ones((2 * thick + 1,) * 2, np.uint8))
    picture[seed_HW & (inner == 0)] = _LINE
    return np.asarray(picture, np.uint8)


def _caption(name: str, crops: int, seed_HW: NDArray[np.bool_]) -> str:
    found = f"seed on {seed_HW.mean():.0%}" if seed_HW.any() else "nothing seen"
    return f"{name}: {crops} crop{'s' * (crops != 1)}, {found}"

"""A trained model looking at single images: the shared part of labelling and scoring.

One image at a time, unless a bench says otherwise: a convolution's rounding depends on the batch it is in, and results
should not depend on how a pool was cut into batches. Where several are looked at together, which a GPU wants of small
images, the model foresees them: rules and gauges ask of single images as ever, and find the answer there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from segfrontier.errors import BadInput, Diverged
from segfrontier.lab.handles import Model
from segfrontier.lab.looking import Looking
from segfrontier.maths import ViewMean, mean_over_views, require_finite, slide
from segfrontier.models.lean import Answer, LeanModel
from segfrontier.models.model import SegModel
from segfrontier.scenes.classes import ClassTable


class Way(NamedTuple):
    """How a model looks."""

    looking: Looking
    lean: bool


class Foreseen:
    """What a model has said of images that are still to be asked about, by the image itself and the way of looking."""

    def __init__(self) -> None:
        self._found: dict[tuple[int, Way], tuple[NDArray[np.uint8], ViewMean]] = {}
        self._asked: dict[Way, None] = {}  # since the last `begin`, in order

    def begin(self) -> tuple[Way, ...]:
        """Forget what nobody asked for; the ways in which somebody has asked since."""
        ways = tuple(self._asked)
        self._found.clear()
        self._asked.clear()
        return ways

    def keep(self, images: Sequence[NDArray[np.uint8]], way: Way, seen: ViewMean) -> None:
        """What was seen of each. The image is kept as well: while it lives, no other has its identity."""
        for n, image in enumerate(images):
            one = slice(n, n + 1)
            of_it = replace(seen, scores_NKHW=seen.scores_NKHW[one], agree_NHW=seen.agree_NHW[one])
            self._found[id(image), way] = image, of_it

    def take(self, image: NDArray[np.uint8], way: Way) -> ViewMean | None:
        """What was seen of an image, once."""
        self._asked[way] = None
        return self._found.pop((id(image), way), (image, None))[1]


class Predictor:
    """A model on a device."""

    def __init__(self, model: Model, *, device: torch.device) -> None:
        self.device, self.classes, self.looking = device, model.classes, model.looking
        self.module, self._foreseen = model.build(device), Foreseen()
        self.name = f"{model.network} of stage {model.key[:8]}"

    @classmethod
    def of(
        cls, module: nn.Module, classes: ClassTable, *, device: torch.device, looking: Looking | None = None
    ) -> Self:
        """A network that is no stored model yet, in evaluation mode on its device, and left as it is meanwhile."""
        predictor = cls.__new__(cls)
        predictor.device, predictor.classes, predictor.module = device, classes, module
        predictor._foreseen, predictor.name = Foreseen(), "the network"
        predictor.looking = Looking() if looking is None else looking
        return predictor

    def look(self, image: NDArray[np.uint8], looking: Looking | None = None, *, lean: bool = False) -> ViewMean:
        """Mean logits over the views, at the image's size; in the model's own way unless another is given.

        `lean`: by the network's lean copy, which is faster and says the same up to rounding.
        """
        way = Way(self.looking if looking is None else looking, lean)
        found = self._foreseen.take(image, way)
        return self._seen([image], way) if found is None else found

    def foresee(self, images: Sequence[NDArray[np.uint8]]) -> None:
        """Look at images together, size by size, in the ways that were asked for lately: `look` finds what it asks.

        What fails together, for want of memory or for one of the images, is looked at one by one.
        """
        by_size: dict[tuple[int, ...], list[NDArray[np.uint8]]] = {}
        for image in images:
            by_size.setdefault(image.shape, []).append(image)
        for way in self._foreseen.begin():
            for group in by_size.values():
                with suppress(RuntimeError, ValueError, BadInput, Diverged):
                    self._foreseen.keep(group, way, self._seen(group, way))

    @torch.inference_mode()
    def _seen(self, images: Sequence[NDArray[np.uint8]], way: Way) -> ViewMean:
        looking, lean = way
        stacked = torch.from_numpy(images[0][None] if len(images) == 1 else np.stack(images))
        pixels = stacked.to(self.device).permute(0, 3, 1, 2).float().div_(255)
        size = (images[0].shape[0], images[0].shape[1])
        if looking.resize is not None and looking.resize != size:
            pixels = torch.nn.functional.interpolate(
                pixels, size=looking.resize, mode="bilinear", antialias=True, align_corners=False
            )
        network = self._grown if lean else self._logits
        return mean_over_views(lambda images: _looked(network, images, looking), pixels, views=looking.views, size=size)

    @torch.inference_mode()
    def answer(self, images: Tensor) -> Answer:
        """What the network says of images (N, C, H, W) in [0, 1] on its own grid, by the cheapest way there.

        The same as `look` sees, up to rounding; a network of another kind than ours answers at full size.
        """
        if self._lean is not None:
            answer = self._lean.answer(images)
            self.sound(answer.logits)
            return answer
        return Answer(self._logits(images), (images.shape[-2], images.shape[-1]), False)

    @cached_property
    def _lean(self) -> LeanModel | None:
        return LeanModel(self.module) if isinstance(self.module, SegModel) else None

    def _logits(self, images: Tensor) -> Tensor:
        logits: Tensor = self.module(images).mean_logits
        return self.sound(logits)

    def sound(self, answers: Tensor) -> Tensor:
        """The model's answers as they are; `Diverged`, with its name, where one is no finite number.

        What asks `module` by itself passes its answers through here: no rule may go by NaN, which is below every
        threshold and would pass for a network that is unsure, or sees nothing.
        """
        require_finite(f"the answers of {self.name}", answers)
        return answers

    def _grown(self, images: Tensor) -> Tensor:
        """The lean network's answer, grown as the network would have grown it."""
        answer, (height, width) = self.answer(images), images.shape[-2:]
        if answer.logits.shape[-2:] == (height, width):
            return answer.logits
        grown = torch.nn.functional.interpolate(
            answer.logits, size=answer.padded, mode="bilinear", align_corners=answer.align_corners
        )
        return grown[..., :height, :width]


def _looked(network: Callable[[Tensor], Tensor], images: Tensor, looking: Looking) -> Tensor:
    if looking.window is None:
        return network(images)
    height, width = looking.window
    stride = looking.stride or (-(-height * 2 // 3), -(-width * 2 // 3))
    return slide(network, images, window=looking.window, stride=stride, blend="gaussian")


class Predictors(Mapping[str, Predictor]):
    """The models that take part in a pass, by name. Where it is one alone, this looks and answers as it does."""

    def __init__(self, predictors: Mapping[str, Predictor]) -> None:
        self._by_name = dict(predictors)

    @classmethod
    def built(cls, models: Mapping[str, Model], *, device: torch.device) -> Self:
        """The models, on a device."""
        return cls({name: Predictor(model, device=device) for name, model in models.items()})

    def __getitem__(self, name: str) -> Predictor:
        if name not in self._by_name:
            raise BadInput(f"the models of this pass are {', '.join(self._by_name) or 'none'}; found {name!r}")
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    @property
    def only(self) -> Predictor:
        """The one model."""
        if len(self._by_name) != 1:
            raise BadInput(
                f"here one model looks; this pass has {', '.join(self._by_name) or 'none'}. Give it one, or bring what "
                f"names its models."
            )
        return next(iter(self._by_name.values()))

    def look(self, image: NDArray[np.uint8], looking: Looking | None = None, *, lean: bool = False) -> ViewMean:
        """See `Predictor.look`."""
        return self.only.look(image, looking, lean=lean)

    def foresee(self, images: Sequence[NDArray[np.uint8]]) -> None:
        """Each of the models looks together at images that it will be asked about; see `Predictor.foresee`."""
        for predictor in self._by_name.values():
            predictor.foresee(images)

    def answer(self, images: Tensor) -> Answer:
        """See `Predictor.answer`."""
        return self.only.answer(images)

    @property
    def classes(self) -> ClassTable:
        """The classes of the one model."""
        return self.only.classes

    @property
    def device(self) -> torch.device:
        """Where the one model is."""
        return self.only.device


def as_labels(labels: Tensor) -> NDArray[np.uint8]:
    """(H, W) uint8 from the (1, H, W) class indices of one image."""
    return labels[0].to(torch.uint8).cpu().numpy()


def spread(names: Sequence[str], count: int) -> list[str]:
    """Up to `count` names, evenly spaced: the fixed set of scenes that pictures show."""
    if not names or count < 1:
        return []
    at = np.linspace(0, len(names) - 1, min(count, len(names))).round().astype(int)
    return [names[i] for i in sorted(set(at.tolist()))]

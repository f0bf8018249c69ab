"""A trained network made lean for looking: the same answers up to rounding, in less time and less memory."""

from __future__ import annotations

import copy
import dataclasses
from typing import NamedTuple

import torch
from torch import Tensor, nn

from segfrontier.models.folding import fold_norms
from segfrontier.models.heads import Head
from segfrontier.models.model import SegModel
from segfrontier.models.network import DRY_IMAGES


class Answer(NamedTuple):
    """What a network says of images, before its logits are grown to their size."""

    logits: Tensor
    """(N, K, h, w)"""
    padded: tuple[int, int]
    """The height and width of image that they stretch over, at least that of the images."""
    align_corners: bool
    """How the network would grow them."""


class LeanModel:
    """Answers on the network's own grid. The network must not be trained on: some of its weights are copied.

    Batch norms are folded into convolutions, tensors lie channels last, which is how a CPU convolves fastest, and heads
    with wide maps make them strip by strip.
    """

    def __init__(self, model: SegModel) -> None:
        shared = {id(t): t for t in [*model.parameters(), *model.buffers()]}
        self._model: SegModel = copy.deepcopy(model, shared).eval()
        self._model.spec = dataclasses.replace(model.spec, upsample=False)
        self._model.aux = None
        with torch.inference_mode(False), torch.no_grad():
            batch, height, width = DRY_IMAGES
            fold_norms(self._model, torch.empty(batch, model.spec.in_channels, height, width))
            for conv in self._model.modules():
                if isinstance(conv, nn.Conv2d):
                    weight = conv.weight.contiguous(memory_format=torch.channels_last)
                    conv.weight = nn.Parameter(weight, requires_grad=False)
        for head in self._model.modules():
            if isinstance(head, Head):
                head.lean = True

    @torch.inference_mode()
    def answer(self, images: Tensor) -> Answer:
        """What the network says of images (N, C, H, W) in [0, 1] of any size."""
        logits = self._model(images.contiguous(memory_format=torch.channels_last)).mean_logits
        padded = self._model.encoder.padded_size(images.shape[-2], images.shape[-1])
        return Answer(logits.contiguous(), padded, self._model.spec.align_corners)

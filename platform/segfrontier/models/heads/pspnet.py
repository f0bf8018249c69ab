"""PSPNet: features pooled to coarse grids and joined with the originals (Zhao et al., CVPR 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from segfrontier.errors import BadInput
from segfrontier.models.heads.base import (
    Head,
    PooledNorm,
    classifier,
    conv_norm_relu,
    deepest,
    upsample_concat,
)
from segfrontier.models.norms import BatchNorm2d
from segfrontier.models.pyramid import Level


class PSPNet(Head):
    """Pyramid pooling on the deepest level.

    The default is the code of Chitta et al. (512 channels a branch, a 3x3 convolution to 512, dropout 0.1). Their text
    describes `reduce="quarter", hidden=0`: a quarter of the channels a branch, then the 1x1 classifier directly.
    The branch pooled to one point has group norm: batch norm would see a single value per image.
    """

    taps = staticmethod(deepest)

    def __init__(
        self,
        levels: Sequence[Level],
        num_classes: int,
        *,
        dropout: float | None = None,
        bins: Sequence[int] = (1, 2, 3, 6),
        reduce: int | Literal["quarter"] = 512,
        hidden: int = 512,
    ) -> None:
        super().__init__()
        inputs = levels[-1].channels
        width = max(1, inputs // 4) if reduce == "quarter" else reduce
        if not bins or not isinstance(width, int) or min(*bins, width) < 1 or hidden < 0:
            raise BadInput(
                f"pspnet needs bins of 1 or more, reduce 'quarter' or 1 or more, hidden 0 or more; found bins "
                f"{bins!r}, reduce {reduce!r}, hidden {hidden!r}; correct them"
            )
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.AdaptiveAvgPool2d(b), conv_norm_relu(inputs, width, norm=PooledNorm if b == 1 else BatchNorm2d)
            )
            for b in bins
        )
        joined = inputs + len(bins) * width
        self.hidden = conv_norm_relu(joined, hidden, kernel=3) if hidden else nn.Identity()
        self.classify = classifier(hidden or joined, num_classes, dropout=0.1 if dropout is None else dropout)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Logits at the stride of the deepest level."""
        x = features[-1]
        logits: Tensor = self.classify(self.hidden(upsample_concat([x, *(branch(x) for branch in self.branches)])))
        return logits

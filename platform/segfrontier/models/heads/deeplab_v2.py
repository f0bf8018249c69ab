"""DeepLab-v2: parallel dilated convolutions on the deepest features, summed to logits (Chen et al., TPAMI 2018)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from segfrontier.errors import BadInput
from segfrontier.models.heads.base import Head, deepest
from segfrontier.models.pyramid import Level


class DeepLabV2(Head):
    """Atrous spatial pyramid pooling: one 3x3 convolution to logits per dilation, all summed.

    `branches=2` is the head behind the published numbers of AdaptSegNet, DACS and s4GAN, whose code returns inside its
    loop: only the first two dilations are ever used. Here the others are then not made, so no weight goes unused.
    """

    taps = staticmethod(deepest)

    def __init__(
        self,
        levels: Sequence[Level],
        num_classes: int,
        *,
        dropout: float | None = None,
        dilations: Sequence[int] = (6, 12, 18, 24),
        branches: int | None = None,
    ) -> None:
        super().__init__()
        branches = len(dilations) if branches is None else branches
        if not 1 <= branches <= len(dilations):
            raise BadInput(f"branches must lie in 1..{len(dilations)}, one a dilation; found {branches}; correct it")
        self.dropout = nn.Dropout2d(dropout or 0.0)
        channels = levels[-1].channels
        self.branches = nn.ModuleList(_branch(channels, num_classes, dilation) for dilation in dilations[:branches])

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Logits at the stride of the deepest level."""
        x = self.dropout(features[-1])
        logits: Tensor = self.branches[0](x)
        for conv in list(self.branches)[1:]:
            logits = logits + conv(x)
        return logits

    def last_filters(self) -> list[Tensor]:
        """See `Head.last_filters`. Every branch makes logits."""
        return self.filters()


def _branch(channels: int, num_classes: int, dilation: int) -> nn.Conv2d:
    conv = nn.Conv2d(channels, num_classes, 3, padding=dilation, dilation=dilation)
    nn.init.normal_(conv.weight, std=0.01)
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    return conv

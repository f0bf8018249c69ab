"""The game between a network and the critic that guesses which domain its answers come from (AdvEnt's form)."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from segfrontier.maths.checks import require_word

Domain = Literal["source", "target"]
_LABELS: dict[Domain, float] = {"source": 0.0, "target": 1.0}


def domain_loss(logits: Tensor, domain: Domain) -> Tensor:
    """Mean binary cross-entropy between a critic's logits and one domain: 0 for source, 1 for target, as in the code.

    A critic learns with the true domain. A network that wants to fool it asks for `source` on its target answers: the
    non-saturating form, whose gradient does not vanish where the critic is sure. No logits at all cost 0.
    """
    require_word("domain", domain, Domain)
    logits = logits if logits.dtype == torch.float64 else logits.float()
    if not logits.numel():
        return logits.sum()
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, _LABELS[domain]))

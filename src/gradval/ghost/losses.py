"""The cross-entropy of each sample, precise also where the model is confident."""

import math

import torch.nn.functional as F
from torch import Tensor

from gradval.ghost.separability import check_labels

# Beyond it `log(1 + exp(x))` is x in float64 too.
LINEAR_FROM = 40


def per_sample_losses(logits: Tensor, labels: Tensor, first: int = 0) -> Tensor:
    """Cross-entropy `(N,)` in nats, as `cross_entropy`; `first` is the first sample's index.

    Raises:
        ValueError: a label is not one of the K classes.
    """
    check_labels(labels, logits.shape[1], first)
    return cross_entropy(logits, labels)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """`log(1 + exp(m))`, `(N,)`, m = log of the sum over the other classes of `exp(z_k - z_y)`.

    That is the cross-entropy. Computed from the softmax as PyTorch does, in float32 it is zero from
    a margin of about 17 on, and its gradient and the gradient's own derivative have lost part of
    their terms, as `1 - p_y` has no digits left. Here each keeps its relative precision.
    """
    own = labels[:, None]
    others = logits.scatter(1, own, -math.inf).logsumexp(1)
    return F.softplus(others - logits.gather(1, own)[:, 0], threshold=LINEAR_FROM)

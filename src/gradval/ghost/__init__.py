"""Per-sample gradient geometry without per-sample weight gradients ("ghost" norms).

Everything refers to all parameters that require gradients; frozen ones do not count. Models are
run layer by layer where rules cover every trainable parameter, else through `torch.func.vmap`, else
one sample at a time, with a warning on the logger "gradval" in both cases. Models that mix samples
are refused.
"""

from gradval.ghost import batch_norm as _batch_norm  # noqa: F401  (registers its layer rules)
from gradval.ghost import conv as _conv  # noqa: F401
from gradval.ghost import group_norm as _group_norm  # noqa: F401
from gradval.ghost import linear as _linear  # noqa: F401
from gradval.ghost import standardised_conv as _standardised_conv  # noqa: F401
from gradval.ghost.clipping import ClippedGradients, clipped_gradient_sum
from gradval.ghost.coverage import covers
from gradval.ghost.passes import SampleGradients, input_gradients, sample_gradients
from gradval.ghost.rules import LayerRule, register_layer_rule
from gradval.ghost.separability import check_labels, check_private, check_separable
from gradval.ghost.tape import LayerTape
from gradval.ghost.ways import choose_way

__all__ = [
    "ClippedGradients",
    "LayerRule",
    "LayerTape",
    "SampleGradients",
    "check_labels",
    "check_private",
    "check_separable",
    "choose_way",
    "clipped_gradient_sum",
    "covers",
    "input_gradients",
    "register_layer_rule",
    "sample_gradients",
]

"""Whether a model has learnt anything: its answers beside one that is the same for every image.

The constant answer gives each class the share that it has among the samples: its accuracy is the
share of the largest class, its mean loss the entropy of the shares. Scores of a model that is no
better say little about the samples.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Beyond so many standard errors of the mean difference a model is better.
STANDARD_ERRORS = 2.0


@dataclass(frozen=True)
class ConstantAnswer:
    """A model beside the constant answer, on the same samples.

    Attributes:
        accuracy, constant_accuracy: shares in [0, 1].
        loss, constant_loss: mean cross-entropy in nats.
        constant_label: the class that the constant answer names.
        better: whether accuracy or loss is better by more than two standard errors.
    """

    accuracy: float
    constant_accuracy: float
    loss: float
    constant_loss: float
    constant_label: int
    better: bool

    def sentence(self, name: str) -> str:
        """What there is to say; `name` is what the class of the constant answer is called."""
        numbers = (
            f"accuracy {self.accuracy:.1%} against {self.constant_accuracy:.1%}, mean loss "
            f"{self.loss:.3f} against {self.constant_loss:.3f}"
        )
        if self.better:
            return f"the final model against the constant answer {name!r}: {numbers}"
        return (
            f"the final model is no better than the constant answer {name!r} ({numbers}): its "
            "scores say little about the images. Are size, mean, std and the order of the classes "
            "those of its training, and are the checkpoints its own? Else train it longer, or with "
            "another learning rate"
        )


def against_constant_answer(
    losses: NDArray[np.floating], predicted: NDArray[np.integer], labels: NDArray[np.integer]
) -> ConstantAnswer:
    """Compare a model's answers with the constant one.

    Args:
        losses: `(N,)` cross-entropy of each sample in nats.
        predicted: `(N,)` the class with the largest logit.
        labels: `(N,)`, N > 0.
    """
    classes, positions, counts = np.unique(labels, return_inverse=True, return_counts=True)
    shares = counts / len(labels)
    largest = int(classes[counts.argmax()])
    correct, constantly = predicted == labels, labels == largest
    constant_losses = -np.log(shares)[positions]
    better = len(classes) == 1 or (
        _clearly_positive(constant_losses - losses)
        or _clearly_positive(correct.astype(float) - constantly)
    )
    return ConstantAnswer(
        accuracy=float(correct.mean()),
        constant_accuracy=float(constantly.mean()),
        loss=float(np.mean(losses, dtype=np.float64)),
        constant_loss=float(constant_losses.mean()),
        constant_label=largest,
        better=better,
    )


def _clearly_positive(differences: NDArray[np.floating]) -> bool:
    count = len(differences)
    error = float(np.std(differences, ddof=1)) / math.sqrt(count) if count > 1 else math.inf
    return float(np.mean(differences)) > STANDARD_ERRORS * error

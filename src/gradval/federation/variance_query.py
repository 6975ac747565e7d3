"""VoG as a "differentially private variance query", as the paper reads, and what that promises.

Section 4.7 of the paper: "For VoG values, we can perform differentially private variance queries
(epsilon, 0)". A variance query is about a set of values; those of a sample's VoG are its K
gradients, one a checkpoint. Read so, neighbours differ in one of these gradients, and what is
hidden is how one checkpoint sees a sample, not the sample: of another image all K gradients differ.

With gradients clipped to [-c, c] and w = 2 c, the sum of squared deviations of K values moves by at
most w^2 (K - 1) / K if one value changes, and is w^2 floor(K / 2) ceil(K / 2) / K at most. Eq. 2
divides it by sqrt(K) and takes the mean over pixels, which changes neither bound's ratio:

- noise for one gradient at epsilon hides the whole sample at
  epsilon floor(K / 2) ceil(K / 2) / (K - 1), that is 1.5 epsilon for K = 5, about K / 4;
- to hide the sample at epsilon needs noise for the whole range of VoG. That is a release of
  clipped VoG (`gradval.privacy.release`), whose bounds may be far tighter than this range.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gradval.privacy.release import release

Values = NDArray[np.float64]


@dataclass(frozen=True)
class VarianceQuery:
    """A variance query of the VoG of each sample.

    Attributes:
        bound: c, public; gradients with respect to pixels are clipped to [-c, c].
        checkpoints: K >= 2, public.
        epsilon: pure, > 0, of one of a sample's K gradients.
    """

    bound: float
    checkpoints: int
    epsilon: float

    def __post_init__(self) -> None:
        if not (0 < self.bound < math.inf and self.checkpoints >= 2 and self.epsilon > 0):
            raise ValueError(
                "a variance query needs a positive bound, at least 2 checkpoints and a positive "
                f"epsilon, got {self.bound}, {self.checkpoints} and {self.epsilon}"
            )

    @property
    def gradient_sensitivity(self) -> float:
        """By how much one gradient of a sample can move its VoG."""
        count = self.checkpoints
        return (2 * self.bound) ** 2 * (count - 1) / count / math.sqrt(count)

    @property
    def record_sensitivity(self) -> float:
        """By how much another sample in its place can: the largest VoG, as the least is 0."""
        count = self.checkpoints
        halves = (count // 2) * (count - count // 2)
        return (2 * self.bound) ** 2 * halves / count / math.sqrt(count)

    @property
    def record_epsilon(self) -> float:
        """What the query costs the whole sample."""
        return self.epsilon * self.record_sensitivity / self.gradient_sensitivity

    def draw(self, vog: ArrayLike) -> Values:
        """Answer for each sample, with noise of the operating system.

        Args:
            vog: `(N,)` of clipped gradients (`clipped_vog`).

        Returns:
            `(N,)`; each sample is hidden at `record_epsilon`, each of its gradients at `epsilon`.

        Raises:
            ValueError: a value is NaN.
        """
        # The range that the mechanism may take for granted is the record's.
        return release(vog, (0.0, self.record_sensitivity), self.record_epsilon)

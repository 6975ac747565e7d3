"""Opacus's optimizers of DP-SGD with the noise of `gradval.privacy.noise` in place of theirs.

Opacus adds up the clipped gradients, refuses to use any twice, and divides. Its noise is float32
from PyTorch's generator, without a tail beyond 5.8 standard deviations on the CPU. Importing this
module imports Opacus, which takes seconds.
"""

from typing import Any

from opacus.optimizers import DPOptimizer, DPOptimizerFastGradientClipping
from opacus.optimizers.optimizer import _check_processed_flag, _mark_as_processed

from gradval.privacy.noise import GaussianNoise, privatise
from gradval.training.optimizers import consecutive


class NoisyOptimizer(DPOptimizer):
    """Adds noise of standard deviation noise_multiplier x max_grad_norm to each sum, once a step.

    Args:
        arguments, options: of Opacus's optimizer.
        noise: source of the noise, on the device of the parameters.
    """

    def __init__(self, *arguments: Any, noise: GaussianNoise, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.noise = noise

    def add_noise(self) -> None:
        """Leave the sum and its noise in `.grad` of every parameter.

        Raises:
            ValueError: a sum has had its noise already.
        """
        deviation = self.noise_multiplier * self.max_grad_norm
        for positions in consecutive(self.params):
            parameters = [self.params[i] for i in positions]
            sizes = [parameter.numel() for parameter in parameters]
            draws = self.noise.integers(sum(sizes)).split(sizes)
            for parameter, drawn in zip(parameters, draws, strict=True):
                _check_processed_flag(parameter.summed_grad)
                noisy = privatise(parameter.summed_grad, drawn, deviation)
                parameter.grad = noisy.view_as(parameter)
                _mark_as_processed(parameter.summed_grad)


class OfSampleGradients(NoisyOptimizer):
    """For per-sample gradients in `.grad_sample`, which it clips."""


class OfSums(NoisyOptimizer, DPOptimizerFastGradientClipping):
    """For sums of clipped gradients in `.grad`."""

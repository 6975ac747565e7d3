"""Trainings that claim more privacy than they give, each by one mistake that people have made.

All are `gradval.training.loop.Trainer` but for that mistake; an audit must find them out.
"""

import torch
from torch.nn import functional as F

from gradval.training.loop import Trainer
from gradval.training.steps import BookKeepingStep, SampleObservation


class WithoutNoise(Trainer):
    """Gradients are clipped, but the noise was forgotten."""

    def _make_step(self):
        step = super()._make_step()
        step.private.noise_multiplier = 0.0
        return step


class WithoutClipping(Trainer):
    """Noise is that of the clipping norm, but nothing is clipped."""

    def _make_step(self):
        step = super()._make_step()
        step.clipping_norm = 1e9
        return step


class NoiseDividedTwice(Trainer):
    """Noise is scaled for the mean of the gradients, added to their sum and divided with it."""

    def _make_step(self):
        step = super()._make_step()
        step.private.noise_multiplier /= self.phase.expected_batch_size
        return step


class HalfTheNoise(Trainer):
    """Noise of half the accounted standard deviation."""

    part = 2

    def _make_step(self):
        step = super()._make_step()
        step.private.noise_multiplier /= self.part
        return step


class QuarterOfTheNoise(HalfTheNoise):
    """Noise of a quarter of the accounted standard deviation."""

    part = 4


class MeanClippingStep(BookKeepingStep):
    """Clips the mean gradient of the batch, not each sample's."""

    def _backward(self, images, labels):
        losses = F.cross_entropy(self.model(images), labels, reduction="none")
        losses.mean().backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clipping_norm)
        for parameter in self.model.parameters():
            # The optimizer divides what it takes for a sum.
            parameter.grad *= self.private.expected_batch_size
        return SampleObservation(losses.detach())


class ClippingAfterAveraging(Trainer):
    """The whole batch is one physical batch, averaged before it is clipped."""

    def _make_step(self):
        step = super()._make_step()
        step.__class__ = MeanClippingStep
        return step


class ShuffledHalves(Trainer):
    """Each epoch is a shuffled order cut in two, whatever rate is accounted."""

    def _draw(self):
        epoch, half = divmod(self.progress.step, 2)
        # A generator of its own for each epoch, so that its two batches share one order.
        order = torch.randperm(self.phase.samples, generator=torch.Generator().manual_seed(epoch))
        return order.tensor_split(2)[half]


BROKEN = {
    "no noise": WithoutNoise,
    "no clipping": WithoutClipping,
    "noise divided by the batch size twice": NoiseDividedTwice,
    "clipping after averaging": ClippingAfterAveraging,
    "shuffled halves of the data, not Poisson samples": ShuffledHalves,
}

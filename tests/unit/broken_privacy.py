"""Trainings that claim more privacy than they give, each by one mistake that people have made.

All are `gradval.audit.watch.WatchedTrainer`, the study's own training, but for that mistake; an
audit must find them out.
"""

import torch
from torch.nn import functional as F

from gradval.audit.watch import WatchedTrainer
from gradval.ghost import clipped_gradient_sum
from gradval.training.steps import BookKeepingStep, SampleObservation


class WithoutNoise(WatchedTrainer):
    """Gradients are clipped, but the noise was forgotten."""

    def _make_step(self):
        step = super()._make_step()
        step.private.noise_multiplier = 0.0
        return step


class WithoutClipping(WatchedTrainer):
    """Noise is that of the clipping norm, but nothing is clipped."""

    def _make_step(self):
        step = super()._make_step()
        step.clipping_norm = 1e9
        return step


class NoiseDividedTwice(WatchedTrainer):
    """Noise is scaled for the mean of the gradients, added to their sum and divided with it."""

    def _make_step(self):
        step = super()._make_step()
        step.private.noise_multiplier /= self.phase.expected_batch_size
        return step


class HalfTheNoise(WatchedTrainer):
    """Noise of half the accounted standard deviation."""

    def _make_step(self):
        step = super()._make_step()
        step.private.noise_multiplier /= 2
        return step


def with_step(kind):
    """A trainer whose steps are of another kind, a subclass of `BookKeepingStep`."""

    class Changed(WatchedTrainer):
        def _make_step(self):
            step = super()._make_step()
            step.__class__ = kind
            return step

    return Changed


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


class LayerwiseClippingStep(BookKeepingStep):
    """Clips a sample's gradient in each layer to the whole clipping norm."""

    def _backward(self, images, labels):
        sums, layers = {}, [layer for layer in self.model.modules() if layer._parameters]
        for layer in layers:
            self.model.requires_grad_(False)
            for parameter in layer._parameters.values():
                if parameter is not None:
                    parameter.requires_grad_(True)
            clipped = clipped_gradient_sum(self.model, images, labels, self.clipping_norm)
            sums.update(clipped.sums)
        self.model.requires_grad_(True)
        for name, total in sums.items():
            self.model.get_parameter(name).grad = total
        return SampleObservation(clipped.losses)


class DrawnBatchStep(BookKeepingStep):
    """Divides the clipped sum by the number of samples drawn, as a mean does; not so the noise."""

    drawn = 0

    def accumulate(self, images, labels):
        self.drawn += len(labels)
        return super().accumulate(images, labels)

    def update(self):
        for total in self.private.sums or []:
            total *= self.private.expected_batch_size / self.drawn
        self.drawn = 0
        super().update()


class DrawnNumberStep(BookKeepingStep):
    """Divides the noisy sum by the number of samples drawn: it says how many there are."""

    drawn = 0

    def accumulate(self, images, labels):
        self.drawn += len(labels)
        return super().accumulate(images, labels)

    def update(self):
        self.private.expected_batch_size, self.drawn = max(1, self.drawn), 0
        super().update()


class NoiseInEveryOtherStep(BookKeepingStep):
    """Accumulates two batches, and adds noise to one."""

    planned = None

    def update(self):
        noise = self.private.noise_multiplier
        self.planned = self.planned or noise
        super().update()
        self.private.noise_multiplier = 0.0 if noise else self.planned


class SameNoiseStep(BookKeepingStep):
    """Seeds the noise anew in each step."""

    start = None

    def update(self):
        if self.start is None:
            self.start = self.private.noise.get_state()
        self.private.noise.set_state(self.start)
        super().update()


class NoiseInOneLayerMissing(BookKeepingStep):
    """A layer was added later, and nobody adds noise to it."""

    def update(self):
        last = self.private.params[-1]
        exact = self.private.sums[-1].clone()
        rate, moved = self.optimizer.param_groups[0]["lr"], last.detach().clone()
        super().update()
        with torch.no_grad():
            last.copy_(moved - rate * exact / self.private.expected_batch_size)


class ThreeTimesTheRate(WatchedTrainer):
    """Batches are three times as large as what is accounted."""

    def _sample(self):
        rate = 3 * self.phase.sampling_rate
        return self.streams.sampling.bernoulli(self.phase.samples, rate).nonzero()[:, 0]


class Shuffled(WatchedTrainer):
    """Each epoch is a shuffled order cut into batches, where Poisson sampling is accounted."""

    def _sample(self):
        batches = round(1 / self.phase.sampling_rate)
        epoch, number = divmod(self.progress.step, batches)
        # A generator of its own for each epoch, so that its batches share one order.
        order = torch.randperm(self.phase.samples, generator=torch.Generator().manual_seed(epoch))
        return order.tensor_split(batches)[number]


BROKEN = {
    "no noise": WithoutNoise,
    "no clipping": WithoutClipping,
    "noise divided by the batch size twice": NoiseDividedTwice,
    "clipping after averaging": with_step(MeanClippingStep),
    "half of the noise": HalfTheNoise,
    "three times the rate": ThreeTimesTheRate,
    "noise in every other step": with_step(NoiseInEveryOtherStep),
    "the same noise in every step": with_step(SameNoiseStep),
    "no noise in one layer": with_step(NoiseInOneLayerMissing),
    "each layer clipped by itself": with_step(LayerwiseClippingStep),
    "shuffled batches": Shuffled,
    "clipped sum divided by the drawn batch": with_step(DrawnBatchStep),
}

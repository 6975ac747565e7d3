"""The server's side of federated training: what it makes of a round's answers, whoever brings them.

It knows weights and answers, no data, and works the same in one process and behind Flower's server.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from gradval.federation.plans import AveragePlan, Job, SumPlan
from gradval.federation.rounds import Arrays, set_weights, trained, weights_of
from gradval.training.checkpoints import checkpoint_steps
from gradval.training.optimizers import SGD


class Coordinator:
    """Weights, optimiser, average and checkpoints of a federated training.

    Args:
        model: with its initial weights; trained in place.
        job: as agreed.

    Attributes:
        number: of the last round that is over.
        checkpoints: K weights on the CPU, as far as they were taken; the last are the final ones.

    Raises:
        ValueError: there are fewer rounds than checkpoints.
    """

    def __init__(self, model: nn.Module, job: Job) -> None:
        self.model, self.job, self.number = model, job, 0
        recipe, plan = job.recipe, job.plan
        self.checkpoints: list[dict[str, Tensor]] = []
        self._due = set(checkpoint_steps(plan.rounds, recipe.checkpoints))
        self._optimizer = SGD(
            trained(model),
            lr=recipe.learning_rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
        )
        # As in central training, but that an average of weights moves once a round.
        self._average = AveragedModel(model, avg_fn=self._decayed) if recipe.ema_decay else None

    @property
    def over(self) -> bool:
        """Whether there is no round left."""
        return self.number == self.job.plan.rounds

    @property
    def kept(self) -> nn.Module:
        """The model that is evaluated and kept: the average if there is one."""
        return self.model if self._average is None else self._average.module

    def question(self) -> tuple[int, Arrays]:
        """Number and weights of the next round."""
        return self.number + 1, weights_of(self.model)

    def take(self, answers: Mapping[int, Arrays]) -> bool:
        """End a round: its step, if enough sites answered well; a checkpoint if it is due.

        Args:
            answers: site -> what it sent. They are added in the order of the sites.

        Returns:
            Whether there was a step.
        """
        stepped = len(answers) >= self.job.plan.least
        if stepped:
            self._step({site: answers[site] for site in sorted(answers)})
            if self._average is not None:
                self._average.update_parameters(self.model)
        self.number += 1
        if self.number in self._due:
            state = self.kept.state_dict()
            self.checkpoints.append({n: t.detach().cpu().clone() for n, t in state.items()})
        return stepped

    def _step(self, answers: Mapping[int, Arrays]) -> None:
        plan, recipe = self.job.plan, self.job.recipe
        if isinstance(plan, AveragePlan):
            sizes = [plan.sizes[site] for site in answers]
            means = [
                np.average(arrays, axis=0, weights=sizes).astype(np.float32)
                for arrays in zip(*answers.values(), strict=True)
            ]
            return set_weights(self.model, means)
        rate = recipe.learning_rate_at(self.number, plan.rounds)
        self._optimizer.param_groups[0]["lr"] = rate
        self._descend(plan, list(answers.values()))

    def _descend(self, plan: SumPlan, sums: list[Arrays]) -> None:
        """The sums' sum over the fixed denominator, as central DP-SGD takes it."""
        pairs = zip(trained(self.model), zip(*sums, strict=True), strict=True)
        for parameter, arrays in pairs:
            total = torch.from_numpy(np.sum(arrays, axis=0, dtype=np.float32))
            parameter.grad = total.to(parameter.device) / plan.batch_size
        self._optimizer.step()
        self._optimizer.zero_grad()

    def _decayed(self, average: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        # A short memory at the start, as in `gradval.training.loop`.
        decay = self.job.recipe.ema_decay**self.job.plan.steps_a_round
        return torch.lerp(current, average, min(decay, (1 + float(count)) / (10 + float(count))))

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs to go on bit by bit, but the checkpoints."""
        return {
            "number": self.number,
            "model": self.model.state_dict(),
            "average": None if self._average is None else self._average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any], checkpoints: list[dict[str, Tensor]]) -> None:
        """Go on from what `state_dict` returned."""
        self.number, self.checkpoints = state["number"], checkpoints
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        if self._average is not None:
            self._average.load_state_dict(state["average"])

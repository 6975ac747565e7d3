"""An audit of federated rounds: canaries dealt to the sites, and what their sums tell of them.

Whoever guesses sees the sum of all answers of every round, as a secure aggregator hands it out: the
guarantee of `gradval.federation.rounds` is for that. Single answers have a share of the noise.
"""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from gradval.audit.canaries import CanaryModel, in_places, with_canaries
from gradval.audit.inclusion import inclusion_scores
from gradval.audit.result import AuditPlan, AuditResult, judge
from gradval.audit.watch import joined
from gradval.data.store import Split, Store
from gradval.federation.plans import Job, SumPlan
from gradval.federation.rounds import Journal, SiteWorker, set_weights, weights_of
from gradval.privacy.accountants import SampledGaussian
from gradval.privacy.keystream import derive_key
from gradval.training.recipe import derive_seed


def audit_rounds(
    store: Store,
    sites: Sequence[Split],
    model: torch.nn.Module,
    job: Job,
    audit: AuditPlan,
    *,
    delta: float,
    accountant: str,
    seed: int,
    make_worker: type[SiteWorker] = SiteWorker,
) -> AuditResult:
    """Run all rounds with canaries at every site, and bound epsilon from below.

    Args:
        store: whose classes and constants the sites share.
        sites: what each holds.
        model: of the shared architecture, with its initial weights; on the CPU.
        job: as agreed, with sums; its batch size is fixed, whoever is there. All sites answer every
            round. Of its recipe the learning rate is used.
        audit: canaries, guesses, confidence; steps are seen.
        delta, accountant: of the claim, as in `gradval.audit.run.audit_training`.
        seed: of coins, sampling and noise.
        make_worker: a site's side, as audited.

    Raises:
        ValueError: the plan has no noise or no sums, or as `gradval.audit.result.judge`.
    """
    plan = job.plan
    if not isinstance(plan, SumPlan):
        raise ValueError("rounds of averages are not audited: each site is, as a training")
    claim = SampledGaussian(plan.sampling_rate, plan.noise_multiplier, plan.steps)
    included = np.random.default_rng(derive_seed(seed, "coins")).random(audit.canaries) < 0.5
    audited = CanaryModel(
        model,
        classes=len(store.classes),
        canaries=audit.canaries,
        clipping_norm=plan.clipping_norm,
    )
    names = [name for name, parameter in audited.named_parameters() if parameter.requires_grad]
    sinks = [i for i, name in enumerate(names) if name.startswith("sinks.")]
    seen = []
    with TemporaryDirectory() as folder:
        workers = []
        for number, site in enumerate(sites):
            # A canary that is absent is nowhere.
            own = np.flatnonzero(included & (np.arange(audit.canaries) % len(sites) == number))
            images, labels = with_canaries(
                site.images, site.labels, own, store, torch.device("cpu")
            )
            key = derive_key(b"gradval audit of rounds", seed, number)
            journal = Journal(Path(folder, f"{number}.jsonl"))
            workers.append(make_worker(audited, images, labels, job, key=key, journal=journal))
        weights = weights_of(audited)
        for number in range(1, plan.steps + 1):
            answers = [worker.answer(number, weights) for worker in workers]
            sums = [np.sum(parts, axis=0) for parts in zip(*answers, strict=True)]
            rate = np.float32(job.recipe.learning_rate / plan.batch_size)
            weights = [weight - rate * total for weight, total in zip(weights, sums, strict=True)]
            places = in_places([torch.from_numpy(sums[i]) for i in sinks], audited.places)
            seen.append(joined(places / plan.clipping_norm, audit.canaries))
        set_weights(audited, weights)
    every = torch.stack(seen).double().numpy()
    return judge(
        inclusion_scores(
            every[:, : audit.canaries],
            every[:, audit.canaries :],
            [plan.sampling_rate] * plan.steps,
        ),
        included,
        [claim],
        audit,
        delta=delta,
        accountant=accountant,
    )

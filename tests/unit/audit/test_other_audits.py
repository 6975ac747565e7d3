"""Audits of federated rounds and of what is published: the right ones, and broken ones."""

from dataclasses import replace

import numpy as np
import pytest
from small_audit import CONFIDENCE, DELTA, OPTIONS, RECIPE, small_store

from gradval.audit.releases import audit_release
from gradval.audit.result import AuditPlan
from gradval.audit.rounds import audit_rounds
from gradval.federation.plans import Job, SumPlan
from gradval.federation.rounds import SiteWorker
from gradval.models.architectures import model_for
from gradval.privacy.accountants import Laplace, Pure, SampledGaussian, epsilon
from gradval.privacy.release import release
from gradval.privacy.statistics import Publisher, Query

NOISE = 1.2
PLAN = SumPlan(0.5, 4, NOISE, 1.0, least=2, batch_size=1000.0, sites=2)


class FullTrust(SiteWorker):
    """Takes its share of the noise for one of many more sites."""

    def __init__(self, model, images, labels, job, **options):
        job = replace(job, plan=replace(job.plan, least=50))
        super().__init__(model, images, labels, job, **options)


def audited_rounds(make_worker=SiteWorker):
    store = small_store()
    halves = [store.train.subset(np.arange(n, 100, 2)) for n in range(2)]
    return audit_rounds(
        store,
        halves,
        model_for(store, OPTIONS, 0),
        Job(OPTIONS, PLAN, replace(RECIPE, learning_rate=0.1)),
        AuditPlan(3000, 200, CONFIDENCE),
        delta=DELTA,
        accountant="pld",
        seed=0,
        make_worker=make_worker,
    )


def test_the_sum_of_the_sites_answers_is_as_private_as_claimed():
    result = audited_rounds()
    assert result.claimed_epsilon == pytest.approx(epsilon([SampledGaussian(0.5, NOISE, 4)], DELTA))
    assert not result.refuted and 0.2 < result.epsilon_lower_bound / result.claimed_epsilon < 1


def test_sites_that_add_too_little_noise_are_found_out():
    assert audited_rounds(FullTrust).refuted


# Their noise is not seeded, and of the attack at its best 5% would be refuted by chance.
DRAWS = AuditPlan(2000, 400, confidence=0.9999)
OTHERS = np.full(19, 0.5)


def audited_statistic(query, key, claim):
    """The last of 20 values is the lowest or the highest that can be."""
    publisher = Publisher(query)
    return audit_release(
        lambda high: publisher.draw(np.append(OTHERS, float(high)))[key],
        [claim],
        DRAWS,
        relation=query.relation,
        seed=0,
    )


@pytest.mark.parametrize(("statistic", "points"), [("mean", ()), ("count", (0.6,))])
def test_a_published_statistic_is_as_private_as_claimed(statistic, points):
    query = Query(
        score="loss",
        statistic=statistic,
        bounds=(0.0, 1.0),
        epsilon=2.0,
        relation="replace",
        size=20,
        points=points,
    )
    result = audited_statistic(query, statistic, Pure(2.0))
    assert not result.refuted and result.epsilon_lower_bound > 0.6
    assert audited_statistic(query, statistic, Pure(0.5)).refuted


def test_a_released_score_is_as_private_as_claimed():
    def draw(high):
        return float(release([float(high), 0.5], (0.0, 1.0), 2.0)[0])

    options = {"relation": "replace a score", "seed": 0}
    result = audit_release(draw, [Laplace(0.5)], DRAWS, **options)
    assert not result.refuted and result.epsilon_lower_bound > 0.6
    # Who claims a quarter of its epsilon is found out.
    assert audit_release(draw, [Laplace(2.0)], DRAWS, **options).refuted

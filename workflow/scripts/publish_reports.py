"""Every site scores its own samples with the shared checkpoints, and publishes statistics."""

from pathlib import Path

import pandas as pd
import torch

from gradval.data.images import NormalisedImages
from gradval.data.store import open_store, sha256_of
from gradval.federation.accounts import read_site_events
from gradval.federation.clipped_vog import clipped_vog
from gradval.federation.guarantees import guarantees, site_ledger
from gradval.federation.persons import CLIPPED_VOG
from gradval.federation.plan import scenario_from
from gradval.federation.reports import ReportOptions, publish_report
from gradval.federation.sites import partition_sites
from gradval.models.architectures import model_for
from gradval.privacy.budget import Budget
from gradval.privacy.events import read_events
from gradval.runtime.devices import job_device
from gradval.runtime.files import atomic_path, write_json, write_text
from gradval.runtime.jobs import job
from gradval.scores.compute import score_samples
from gradval.training.checkpoints import Checkpoints, load_weights

with job(snakemake.log[0]):
    params, files, output = snakemake.params, snakemake.input, snakemake.output
    store = open_store(Path(files.store[0]).parent)
    scenario = scenario_from(snakemake.wildcards.scenario, params.scenario)
    trainings, device = read_site_events(files.site_events), job_device()
    sigma = read_events(files.events).noise_scale
    block = dict(params.options)
    limit = block.pop("budget")
    options = ReportOptions(**block)
    model = model_for(store, params.model).to(device)
    model.load_state_dict(load_weights(files.weights))
    checkpoints = Checkpoints(files.checkpoints, model_for(store, params.model).to(device))
    source = sha256_of(files.checkpoints)

    reports, tables, ledgers, promised = [], [], {}, []
    for site in partition_sites(store, scenario, int(snakemake.wildcards.seed)):
        images = NormalisedImages(site.split.images, store.mean, store.std, device)
        labels = torch.from_numpy(site.split.labels)
        raw = score_samples(
            model,
            checkpoints,
            images,
            labels,
            list(params.scores.values()),
            options=params.score_options,
            sigma=sigma,
        )
        scores = {name: values.double().numpy() for name, values in raw.items()}
        clipped = {}
        if params.query:
            found = clipped_vog(checkpoints, images, labels, params.query["bound"])
            clipped = {CLIPPED_VOG: found.double().numpy()}
        budget = Budget(Path(params.budgets, f"{site.name}.jsonl"), limit)
        rows = publish_report(scores, site.split.groups, options, budget, source=source)
        reports += [{"site": site.number, **row} for row in rows]
        held = {"site": site.number, "index": site.positions, "group": site.split.groups}
        tables.append(pd.DataFrame({**held, **scores, **clipped}))
        training, groups = trainings[site.name], site.split.groups
        ledgers[site.name] = site_ledger(
            training,
            options,
            len(set(groups)) if options.unit == "group" else len(site),
            delta=params.delta,
            accountants=params.accountants,
            trained=params.training,
        )
        rows = guarantees(training, options, groups, ledgers[site.name], trained=params.training)
        promised += [{"site": site.number, **row} for row in rows]
    write_text(output.report, pd.DataFrame(reports).to_csv(index=False))
    write_json(output.ledgers, ledgers)
    write_text(output.guarantees, pd.DataFrame(promised).to_csv(index=False))
    with atomic_path(output.scores) as temporary:
        pd.concat(tables, ignore_index=True).to_parquet(temporary, index=False)

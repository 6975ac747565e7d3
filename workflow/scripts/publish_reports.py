"""Every site scores its own samples with the shared checkpoints, and publishes statistics."""

from pathlib import Path

import pandas as pd
import torch

from gradval.data.images import NormalisedImages
from gradval.data.store import open_store, sha256_of
from gradval.federation.plan import scenario_from
from gradval.federation.reports import ReportOptions, publish_report, report_events
from gradval.federation.sites import partition_sites
from gradval.models.architectures import model_for
from gradval.privacy.budget import Budget
from gradval.privacy.events import read_events
from gradval.privacy.ledger import compose
from gradval.runtime.devices import job_device
from gradval.runtime.files import atomic_path, write_json, write_text
from gradval.runtime.jobs import job
from gradval.scores.compute import score_samples
from gradval.training.checkpoints import Checkpoints, load_weights

with job(snakemake.log[0]):
    params, files, output = snakemake.params, snakemake.input, snakemake.output
    store = open_store(Path(files.store[0]).parent)
    scenario = scenario_from(snakemake.wildcards.scenario, params.scenario)
    training, device = read_events(files.events), job_device()
    block = dict(params.options)
    limit = block.pop("budget")
    options = ReportOptions(**block)
    model = model_for(store, params.model).to(device)
    model.load_state_dict(load_weights(files.weights))
    checkpoints = Checkpoints(files.checkpoints, model_for(store, params.model).to(device))
    source = sha256_of(files.checkpoints)

    reports, tables, ledgers = [], [], {}
    for site in partition_sites(store, scenario, int(snakemake.wildcards.seed)):
        raw = score_samples(
            model,
            checkpoints,
            NormalisedImages(site.split.images, store.mean, store.std, device),
            torch.from_numpy(site.split.labels),
            list(params.scores.values()),
            options=params.score_options,
            sigma=training.noise_scale,
        )
        scores = {name: values.double().numpy() for name, values in raw.items()}
        budget = Budget(Path(params.budgets, f"{site.name}.jsonl"), limit)
        rows = publish_report(scores, site.split.groups, options, budget, source=source)
        reports += [{"site": site.number, **row} for row in rows]
        tables.append(pd.DataFrame({"site": site.number, "index": site.positions, **scores}))
        ledgers[site.name] = compose(
            report_events(training, options, len(site)),
            delta=params.delta,
            target_epsilon=None,
            accountants=params.accountants,
        )
    write_text(output.report, pd.DataFrame(reports).to_csv(index=False))
    write_json(output.ledgers, ledgers)
    with atomic_path(output.scores) as temporary:
        pd.concat(tables, ignore_index=True).to_parquet(temporary, index=False)

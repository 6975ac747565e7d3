"""Hold what sites published against what they are worth, over all scenarios and seeds."""

from pathlib import Path

import pandas as pd

from gradval.federation.judgement import JudgementOptions, judge, summary
from gradval.federation.persons import judge_persons
from gradval.federation.variance_query import VarianceQuery
from gradval.report.federation import federation_tables, paid_sites
from gradval.report.tables import write_tables
from gradval.runtime.files import write_text
from gradval.runtime.jobs import job

with job(snakemake.log[0]):
    files, params, output = snakemake.input, snakemake.params, snakemake.output
    bounds = {score: tuple(ends) for score, ends in params.options["bounds"].items()}
    options = JudgementOptions(bounds, params.epsilons, params.draws, params.options["bins"])
    query = params.query and VarianceQuery(**params.query, epsilon=1.0)
    judged, every_site, promised = [], [], []
    for i, path in enumerate(files.sites):
        seed_folder = Path(path).parent
        key = {
            "scenario": seed_folder.parent.name,
            "seed": int(seed_folder.name.removeprefix("seed")),
        }
        sites, truth = pd.read_csv(path, keep_default_na=False), pd.read_csv(files.values[i])
        table = pd.read_parquet(files.scores[i])
        scores = {
            score: [held[score].to_numpy() for _, held in table.groupby("site")] for score in bounds
        }
        judged.append(judge(sites, truth, scores, options, key["seed"]).assign(**key))
        worth = dict(zip(sites["site"], sites["worth"], strict=True))
        grouped = params.options["unit"] == "group"
        persons = judge_persons(table, worth, bounds, params.epsilons, groups=grouped, query=query)
        judged.append(persons.assign(**key))
        promised.append(pd.read_csv(files.guarantees[i]).assign(**key))
        every_site.append(
            paid_sites(sites.merge(truth, on="site"), pd.read_csv(files.reports[i]), bounds).assign(
                **key
            )
        )
    by_seed, sites, guarantees = map(pd.concat, (judged, every_site, promised))
    found = summary(by_seed)
    write_text(output.by_seed, by_seed.to_csv(index=False))
    write_text(output.sites, sites.to_csv(index=False))
    write_text(output.guarantees, guarantees.to_csv(index=False))
    write_tables(
        [output.summary, output.html, output.md],
        federation_tables(sites, found, guarantees),
        title="The federation: what sites publish, are worth, and are paid",
        data=found,
    )

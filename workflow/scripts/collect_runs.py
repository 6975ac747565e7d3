"""Gather accuracies, times and privacy ledgers of many runs into one table each."""

from pathlib import Path

import numpy as np
import pandas as pd

from gradval.evidence.constant import (
    ADVICE,
    beside_constant_answer,
    constant_accuracy,
    no_better,
)
from gradval.evidence.runs import scoring_gradients
from gradval.privacy.ledger import check
from gradval.report.ledgers import TITLE, ledger_frame, ledger_rows, ledger_table
from gradval.report.runs import write_runs
from gradval.report.tables import write_tables
from gradval.runtime.files import read_json
from gradval.runtime.jobs import job, warn
from gradval.study.names import run_key

with job(snakemake.log[0]):
    files = snakemake.input
    pruned = snakemake.wildcards.kind == "pruned"
    # What the first phase spent counts for every run that goes on from it.
    first = {
        tuple(run_key(path).values()): read_json(path)
        | read_json(Path(path).with_name("timing.json"))
        for path in (files.first if pruned else [])
    }
    rows, ledgers = [], []
    for i, path in enumerate(files.summary):
        key = run_key(path)
        run = tuple(key.values())
        summary, ledger = read_json(path), read_json(files.ledger[i])
        check(ledger, files.ledger[i])
        seconds = read_json(files.timing[i])["training_seconds"]
        row = {**key, **summary, "training_seconds": seconds}
        row["training_gradients"] = summary["sample_gradients"]
        scored = first[run] if pruned else summary
        row["scoring_gradients"] = scoring_gradients(scored["samples"], scored["checkpoints"])
        if pruned:
            key["removal"] = row["removal"] = Path(path).parent.name
            row["fraction"] = snakemake.params.fraction
            row["training_seconds"] += scored["training_seconds"]
            row["training_gradients"] += scored["sample_gradients"]
            row |= {"first_epochs": scored["epochs"], "second_epochs": summary["epochs"]}
            if ledger["private"]:
                row["randomness"] = ledger["randomness"]
                spent = {g["name"]: g["epsilon"][ledger["accountant"]] for g in ledger["groups"]}
                row["epsilon_kept"] = spent.get("kept", spent.get("everyone"))
                row["epsilon_removed"] = spent.get("removed")
        else:
            if files.scoring:
                row["scoring_seconds"] = read_json(files.scoring[i])["scoring_seconds"]
        rows.append(row)
        ledgers += ledger_rows(ledger, key)
    constant = {Path(p).parent.name: constant_accuracy(np.load(p)) for p in files.labels}
    runs = beside_constant_answer(pd.DataFrame(rows), constant)
    for sentence in no_better(runs):
        warn(f"{sentence}: {ADVICE}")
    output, stated = snakemake.output, ledger_frame(ledgers)
    write_tables([output.ledgers, output.ledger], [ledger_table(stated)], title=TITLE, data=stated)
    write_runs(runs, [output.runs, output.page])

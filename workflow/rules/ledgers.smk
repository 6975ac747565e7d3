# What the events of a run cost is stated apart from the run: another sentence or accountant trains
# nothing. One job for all runs of a setting, whose events are the same: accountants take seconds
# to load, and each distinct composition is computed once. A ledger that is asked for by its name
# needs the runs of its own setting alone.
rule write_ledgers:
    input:
        events=of_every_run("full/events.json"),
    output:
        ledgers=of_every_run("full/ledger.json"),
    log:
        "logs/write_ledgers/{dataset}/{model}/{privacy}.log",
    benchmark:
        "logs/write_ledgers/{dataset}/{model}/{privacy}.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        mem_mb=2000,
        runtime=short,
    params:
        statement=stated_privacy,
        code=code_of("write_ledgers"),
    message:
        "Writing the privacy ledgers of {wildcards.model} on {wildcards.dataset}, "
        "{wildcards.privacy}"
    script:
        "../scripts/write_ledgers.py"


use rule write_ledgers as write_pruned_ledgers with:
    input:
        events=of_every_run(*retrained("events.json")),
    output:
        ledgers=of_every_run(*retrained("ledger.json")),
    log:
        "logs/write_pruned_ledgers/{dataset}/{model}/{privacy}.log",
    benchmark:
        "logs/write_pruned_ledgers/{dataset}/{model}/{privacy}.jsonl"
    message:
        "Writing the privacy ledgers of {wildcards.model} on {wildcards.dataset}, "
        "{wildcards.privacy}, before and after pruning"


use rule write_ledgers as write_release_ledgers with:
    input:
        events=of_every_run("{phase}/released_scores.events.json"),
    output:
        ledgers=of_every_run("{phase}/released_scores.ledger.json"),
    log:
        "logs/write_release_ledgers/{dataset}/{model}/{privacy}/{phase}.log",
    benchmark:
        "logs/write_release_ledgers/{dataset}/{model}/{privacy}/{phase}.jsonl"
    message:
        "Writing the privacy ledgers of the scores of {wildcards.model} on {wildcards.dataset}, "
        "{wildcards.privacy} ({wildcards.phase}), as released"

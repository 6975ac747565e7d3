# Before a private model is made of a data set with a budget. The first of these jobs refuses a study
# that does not fit as a whole, before anything is spent.
rule charge_run:
    input:
        dataset=f"{DATA}/dataset.json",
        plans=plans_of,
    output:
        charged=temp(f"{RUN}/{{job}}.charged"),
    log:
        "logs/charge_run/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}/{job}.log",
    benchmark:
        "logs/charge_run/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}/{job}.jsonl"
    wildcard_constraints:
        job="full|first|pruned|audit",
    conda:
        "../../envs/gradval.yaml"
    resources:
        mem_mb=2000,
        runtime=short,
    params:
        budget=data_budget,
        planned=lambda wildcards: planned_jobs(wildcards.dataset),
        removals=REMOVALS,
        audited=STUDY.audit.run,
        release=lambda wildcards: [STUDY.release.share, len(STUDY.pruning.scores)],
        unit=STUDY.privacy.unit,
        secret_noise=secret_noise,
        code=code_of("charge_run"),
    message:
        "Charging {wildcards.model} on {wildcards.dataset}, {wildcards.privacy}, seed "
        "{wildcards.seed}, draw {wildcards.draw} ({wildcards.job}) to the budget"
    script:
        "../scripts/charge_run.py"


rule build_privacy_cost:
    input:
        unpack(cost_inputs),
    output:
        csv="results/privacy_cost.csv",
        md="results/privacy_cost.md",
        html=report(
            "results/privacy_cost.html",
            caption="../report/privacy_cost.rst",
            category="Privacy",
            labels={"table": "What the whole study cost"},
        ),
    log:
        "logs/build_privacy_cost.log",
    benchmark:
        "logs/build_privacy_cost.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        mem_mb=2000,
        runtime=short,
    params:
        # An input would be made anew: the default target does not ask for audits.
        audits=audits_there,
        deltas={name: block.delta for name, block in STUDY.datasets.items()},
        budgets={name: block.budget for name, block in STUDY.datasets.items()},
        accountant=STUDY.privacy.accountants[0],
        notice=seeded_notice(),
        code=code_of("build_privacy_cost"),
    message:
        "Composing what the whole study cost"
    script:
        "../scripts/build_privacy_cost.py"


rule privacy_cost:
    input:
        rules.build_privacy_cost.output,

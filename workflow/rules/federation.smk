rule train_federation:
    input:
        store=federation_store,
    output:
        sites=f"{FEDERATED}/sites.csv",
        weights=f"{FEDERATED}/weights.safetensors",
        checkpoints=f"{FEDERATED}/checkpoints.safetensors",
        metrics=f"{FEDERATED}/metrics.csv",
        summary=f"{FEDERATED}/summary.json",
        timing=f"{FEDERATED}/timing.json",
        events=f"{FEDERATED}/events.json",
        site_events=f"{FEDERATED}/site_events.json",
    log:
        "logs/train_federation/{scenario}/seed{seed}.log",
    benchmark:
        "logs/train_federation/{scenario}/seed{seed}.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        gpu=GPUS,
        mem_mb=federation_memory,
        runtime=LONGEST,
    params:
        scenario=scenario_of,
        setting=lambda wildcards: federation_setting(FEDERATION.privacy),
        training=FEDERATION.training if FEDERATION else "central",
        local_steps=FEDERATION.local_steps if FEDERATION else 1,
        code=code_of("train_federation", federation_architecture),
    message:
        "Training the model that all sites share ({wildcards.scenario}, seed {wildcards.seed})"
    script:
        "../scripts/train_federation.py"


rule publish_reports:
    input:
        store=federation_store,
        weights=rules.train_federation.output.weights,
        checkpoints=rules.train_federation.output.checkpoints,
        events=rules.train_federation.output.events,
        site_events=rules.train_federation.output.site_events,
    output:
        report=f"{FEDERATED}/report.csv",
        ledgers=f"{FEDERATED}/ledgers.json",
        guarantees=f"{FEDERATED}/guarantees.csv",
        scores=f"{FEDERATED}/scores.parquet",
    log:
        "logs/publish_reports/{scenario}/seed{seed}.log",
    benchmark:
        "logs/publish_reports/{scenario}/seed{seed}.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        gpu=GPUS,
        mem_mb=federation_memory,
        runtime=LONGEST,
    params:
        # Beside the data and not among results: who deletes those has not had his epsilon back.
        budgets="resources/budgets/{scenario}/seed{seed}",
        scenario=scenario_of,
        model=lambda wildcards: MODELS[FEDERATION.model],
        scores=lambda wildcards: {s: SCORES[s] for s in FEDERATION.scores},
        score_options=lambda wildcards: {s: score_options(s) for s in FEDERATION.scores},
        options=lambda wildcards: federation_report(),
        training=FEDERATION.training if FEDERATION else "central",
        query=lambda wildcards: variance_query(),
        delta=lambda wildcards: STUDY.datasets[FEDERATION.dataset].delta,
        accountants=STUDY.privacy.accountants,
        code=code_of("publish_reports", federation_architecture),
    message:
        "Every site scores its samples and publishes statistics ({wildcards.scenario}, "
        "seed {wildcards.seed})"
    script:
        "../scripts/publish_reports.py"


rule value_coalitions:
    input:
        store=federation_store,
    output:
        utilities=f"{FEDERATED}/utilities.csv",
        values=f"{FEDERATED}/values.csv",
    log:
        "logs/value_coalitions/{scenario}/seed{seed}.log",
    benchmark:
        "logs/value_coalitions/{scenario}/seed{seed}.jsonl"
    # The longest jobs of the federation.
    priority: 10
    conda:
        "../../envs/gradval.yaml"
    resources:
        gpu=GPUS,
        mem_mb=federation_memory,
        runtime=LONGEST,
    params:
        scenario=scenario_of,
        setting=lambda wildcards: federation_setting(
            FEDERATION.utility_privacy, FEDERATION.utility_training
        ),
        code=code_of("value_coalitions", federation_architecture),
    message:
        "Training a model of every coalition of sites ({wildcards.scenario}, "
        "seed {wildcards.seed})"
    script:
        "../scripts/value_coalitions.py"


rule judge_federation:
    input:
        sites=lambda wildcards: federated_files("sites.csv"),
        scores=lambda wildcards: federated_files("scores.parquet"),
        values=lambda wildcards: federated_files("values.csv"),
        reports=lambda wildcards: federated_files("report.csv"),
        guarantees=lambda wildcards: federated_files("guarantees.csv"),
    output:
        by_seed="results/federation/by_seed.csv",
        summary="results/federation/summary.csv",
        sites="results/federation/sites.csv",
        guarantees="results/federation/guarantees.csv",
        html=report(
            "results/federation/federation.html",
            caption="../report/federation.rst",
            category="Federation",
            labels={"table": "Sites, values and rewards"},
        ),
        md="results/federation/federation.md",
    log:
        "logs/judge_federation.log",
    benchmark:
        "logs/judge_federation.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        mem_mb=2000,
        runtime=short,
    params:
        options=lambda wildcards: federation_report(),
        epsilons=FEDERATION.epsilons if FEDERATION else [],
        draws=FEDERATION.draws if FEDERATION else 0,
        query=lambda wildcards: variance_query(),
        code=code_of("judge_federation"),
    message:
        "Holding what sites published against what they are worth"
    script:
        "../scripts/judge_federation.py"


rule plot_federation:
    input:
        summary=rules.judge_federation.output.summary,
        sites=rules.judge_federation.output.sites,
    output:
        values=report(
            "results/figures/federation_values.png",
            caption="../report/federation.rst",
            category="Federation",
            labels={"figure": "Published values and noise"},
        ),
        values_pdf="results/figures/federation_values.pdf",
        sites=report(
            "results/figures/federation_sites.png",
            caption="../report/federation.rst",
            category="Federation",
            labels={"figure": "Sites: worth and pay"},
        ),
        sites_pdf="results/figures/federation_sites.pdf",
    log:
        "logs/plot_federation.log",
    benchmark:
        "logs/plot_federation.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        mem_mb=2000,
        runtime=short,
    params:
        code=code_of("plot_federation"),
    message:
        "Drawing the federation"
    script:
        "../scripts/plot_federation.py"


rule federation:
    input:
        lambda wildcards: needs_federation() or federation_targets(),


rule federation_reports:
    input:
        lambda wildcards: federated_files(
            "report.csv", "ledgers.json", "guarantees.csv"
        ),


rule federation_truth:
    input:
        lambda wildcards: federated_files("values.csv"),


rule federation_values:
    input:
        rules.plot_federation.output.values,


rule federation_sites:
    input:
        rules.plot_federation.output.sites,

rule prune_dataset:
    input:
        store=[f"{DATA}/{name}" for name in STORE_FILES],
        scores=f"{RUN}/first/scores.parquet",
    output:
        kept=f"{RUN}/pruned/{{removal}}/kept.csv",
    log:
        "logs/prune_dataset/{dataset}/{model}/{privacy}/seed{seed}/{removal}.log",
    benchmark:
        "logs/prune_dataset/{dataset}/{model}/{privacy}/seed{seed}/{removal}.jsonl"
    conda:
        "../../envs/gradval.yaml"
    params:
        fraction=config["pruning"]["fraction"],
        scope=config["pruning"]["scope"],
        scale=config["selection"]["scale"],
        code=digest("prune_dataset"),
    message:
        "Pruning {wildcards.dataset} ({wildcards.model}, {wildcards.privacy}, "
        "seed {wildcards.seed}): {wildcards.removal}"
    script:
        "../scripts/prune_dataset.py"


rule retrain_pruned:
    input:
        store=[f"{DATA}/{name}" for name in STORE_FILES],
        plan=rules.plan_privacy.output.plan,
        kept=rules.prune_dataset.output.kept,
        weights=f"{RUN}/first/weights.safetensors",
        ledger=f"{RUN}/first/ledger.json",
    output:
        weights=f"{RUN}/pruned/{{removal}}/weights.safetensors",
        metrics=f"{RUN}/pruned/{{removal}}/metrics.csv",
        summary=f"{RUN}/pruned/{{removal}}/summary.json",
        timing=f"{RUN}/pruned/{{removal}}/timing.json",
        ledger=f"{RUN}/pruned/{{removal}}/ledger.json",
    log:
        "logs/retrain_pruned/{dataset}/{model}/{privacy}/seed{seed}/{removal}.log",
    benchmark:
        "logs/retrain_pruned/{dataset}/{model}/{privacy}/seed{seed}/{removal}.jsonl"
    conda:
        "../../envs/gradval.yaml"
    params:
        model=model_of,
        recipe=recipe_of,
        privacy=privacy_options,
        code=digest("retrain_pruned"),
    message:
        "Retraining {wildcards.model} on {wildcards.dataset}, {wildcards.privacy}, "
        "seed {wildcards.seed}, after removal: {wildcards.removal}"
    script:
        "../scripts/retrain_pruned.py"

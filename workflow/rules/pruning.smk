rule prune_dataset:
    input:
        **when(RELEASED, released=f"{RUN}/first/released_scores.parquet"),
        store=[f"{DATA}/{name}" for name in names.STORE_FILES],
        scores=score_files(f"{RUN}/first", STUDY.pruning.scores),
    output:
        kept=f"{RUN}/pruned/kept.csv",
    log:
        "logs/prune_dataset/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}.log",
    benchmark:
        "logs/prune_dataset/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        mem_mb=data_memory,
        runtime=short,
    params:
        fraction=STUDY.pruning.fraction,
        scope=STUDY.pruning.scope,
        scale=STUDY.selection.scale,
        removals=REMOVALS,
        code=code_of("prune_dataset"),
    message:
        "Pruning {wildcards.dataset} by the scores of {wildcards.model}, "
        "{wildcards.privacy}, seed {wildcards.seed}, draw {wildcards.draw}"
    script:
        "../scripts/prune_dataset.py"


# One job for all removals of a run: most of a short run is the start of its process.
rule retrain_pruned:
    input:
        unpack(charged("pruned")),
        **when(RELEASED, released=f"{RUN}/first/released_scores.events.json"),
        store=[f"{DATA}/{name}" for name in names.STORE_FILES],
        plan=rules.plan_privacy.output.plan,
        kept=rules.prune_dataset.output.kept,
        weights=f"{RUN}/first/weights.safetensors",
        events=f"{RUN}/first/events.json",
    output:
        weights=[f"{RUN}/pruned/{removal}/weights.safetensors" for removal in REMOVALS],
        metrics=[f"{RUN}/pruned/{removal}/metrics.csv" for removal in REMOVALS],
        summary=[f"{RUN}/pruned/{removal}/summary.json" for removal in REMOVALS],
        timing=[f"{RUN}/pruned/{removal}/timing.json" for removal in REMOVALS],
        events=[f"{RUN}/pruned/{removal}/events.json" for removal in REMOVALS],
    log:
        "logs/retrain_pruned/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}.log",
    benchmark:
        "logs/retrain_pruned/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}.jsonl"
    # The longest jobs of a short study: started early, they do not trail behind.
    priority: 10
    conda:
        "../../envs/gradval.yaml"
    resources:
        gpu=GPUS,
        mem_mb=model_memory,
        runtime=minutes_of("retrain"),
    params:
        model=lookup(dpath="{model}", within=MODELS),
        recipe=recipe_of,
        secret_noise=secret_noise,
        removals=REMOVALS,
        code=code_of("retrain_pruned", architecture),
    message:
        "Retraining {wildcards.model} on what pruning left of {wildcards.dataset}, "
        "{wildcards.privacy}, seed {wildcards.seed}, draw {wildcards.draw}"
    script:
        "../scripts/retrain_pruned.py"

rule score_samples:
    input:
        store=[f"{DATA}/{name}" for name in names.STORE_FILES],
        weights=rules.train_model.output.weights,
        checkpoints=rules.train_model.output.checkpoints,
        events=rules.train_model.output.events,
    output:
        scores=f"{RUN}/{{phase}}/scores.parquet",
        timing=f"{RUN}/{{phase}}/scoring.json",
    log:
        "logs/score_samples/{dataset}/{model}/{privacy}/seed{seed}/{phase}.log",
    benchmark:
        "logs/score_samples/{dataset}/{model}/{privacy}/seed{seed}/{phase}.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        gpu=GPUS,
        mem_mb=scoring_memory,
        runtime=minutes_of("score"),
    params:
        model=model_of,
        scores=SCORES,
        options=scoring_options(),
        code=digest("score_samples"),
    message:
        "Scoring every sample of {wildcards.dataset} with {wildcards.model}, "
        "{wildcards.privacy}, seed {wildcards.seed} ({wildcards.phase})"
    script:
        "../scripts/score_samples.py"


rule release_scores:
    input:
        scores=rules.score_samples.output.scores,
        events=rules.train_model.output.events,
    output:
        scores=f"{RUN}/{{phase}}/released_scores.parquet",
        events=f"{RUN}/{{phase}}/released_scores.events.json",
    log:
        "logs/release_scores/{dataset}/{model}/{privacy}/seed{seed}/{phase}.log",
    benchmark:
        "logs/release_scores/{dataset}/{model}/{privacy}/seed{seed}/{phase}.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        mem_mb=data_memory,
        runtime=short,
    params:
        scores=SCORES,
        bounds=config["release"]["bounds"],
        epsilon=release_epsilon,
        code=digest("release_scores"),
    message:
        "Releasing the scores of {wildcards.model} on {wildcards.dataset}, "
        "{wildcards.privacy}, seed {wildcards.seed} ({wildcards.phase})"
    script:
        "../scripts/release_scores.py"

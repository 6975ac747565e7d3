rule plan_privacy:
    input:
        dataset=f"{DATA}/dataset.json",
    output:
        plan=f"{SETTING}/plan.json",
    log:
        "logs/plan_privacy/{dataset}/{model}/{privacy}.log",
    benchmark:
        "logs/plan_privacy/{dataset}/{model}/{privacy}.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        mem_mb=2000,
        runtime=short,
    params:
        **when(BY_GROUP, images_per_group=STUDY.privacy.images_per_group),
        **when(STUDY.release.full, full_release_epsilons=full_release_epsilons),
        schedule=schedule_of,
        removed_fraction=STUDY.pruning.fraction,
        release_epsilon=release_epsilon if RELEASED else None,
        privacy=planned_privacy,
        code=code_of(PLANNING),
    message:
        "Solving for the noise of {wildcards.model} on {wildcards.dataset}, {wildcards.privacy}"
    script:
        f"../scripts/{PLANNING}.py"


rule train_model:
    input:
        unpack(charged()),
        store=[f"{DATA}/{name}" for name in names.STORE_FILES],
        plan=rules.plan_privacy.output.plan,
    output:
        **when(STUDY.scores.free, free_scores=f"{RUN}/{{phase}}/free_scores.parquet"),
        weights=f"{RUN}/{{phase}}/weights.safetensors",
        checkpoints=kept_if_asked(f"{RUN}/{{phase}}/checkpoints.safetensors"),
        metrics=f"{RUN}/{{phase}}/metrics.csv",
        summary=f"{RUN}/{{phase}}/summary.json",
        timing=f"{RUN}/{{phase}}/timing.json",
        events=f"{RUN}/{{phase}}/events.json",
    log:
        "logs/train_model/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}/{phase}.log",
    benchmark:
        "logs/train_model/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}/{phase}.jsonl"
    wildcard_constraints:
        model=one_of(set(STUDY.models) - set(ADOPTED)),
    conda:
        "../../envs/gradval.yaml"
    resources:
        gpu=GPUS,
        mem_mb=model_memory,
        runtime=minutes_of(),
    params:
        model=lookup(dpath="{model}", within=MODELS),
        recipe=recipe_of,
        secret_noise=secret_noise,
        code=code_of(TRAINING, architecture),
    message:
        "Training {wildcards.model} on {wildcards.dataset}, {wildcards.privacy}, "
        "seed {wildcards.seed}, draw {wildcards.draw} ({wildcards.phase})"
    script:
        f"../scripts/{TRAINING}.py"


# The other producer of a model: its files are the same, and so is all that follows from them.
rule adopt_checkpoints:
    input:
        unpack(adopted_inputs),
        store=[f"{DATA}/{name}" for name in names.STORE_FILES],
    output:
        weights=f"{RUN}/full/weights.safetensors",
        checkpoints=kept_if_asked(f"{RUN}/full/checkpoints.safetensors"),
        metrics=f"{RUN}/full/metrics.csv",
        summary=f"{RUN}/full/summary.json",
        timing=f"{RUN}/full/timing.json",
        events=f"{RUN}/full/events.json",
    log:
        "logs/adopt_checkpoints/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}.log",
    benchmark:
        "logs/adopt_checkpoints/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}.jsonl"
    wildcard_constraints:
        model=one_of(ADOPTED),
    conda:
        "../../envs/gradval.yaml"
    resources:
        gpu=GPUS,
        mem_mb=scoring_memory,
        runtime=short,
    params:
        model=lookup(dpath="{model}", within=MODELS),
        training=lambda wildcards: STUDY.models[wildcards.model].checkpoints.training,
        code=code_of("adopt_checkpoints", architecture),
    message:
        "Taking the checkpoints of {wildcards.model} for {wildcards.dataset}, "
        "{wildcards.privacy}, seed {wildcards.seed}, draw {wildcards.draw}"
    script:
        "../scripts/adopt_checkpoints.py"

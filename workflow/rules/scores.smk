ruleorder: score_samples > score_samples_by
ruleorder: gather_scores > gather_scores_by


# The paper's scores together: three share a pass, and most of a short job is its start.
rule score_samples:
    input:
        store=[f"{DATA}/{name}" for name in names.STORE_FILES],
        weights=rules.train_model.output.weights,
        checkpoints=rules.train_model.output.checkpoints,
        events=rules.train_model.output.events,
    output:
        scores=score_files(f"{RUN}/{{phase}}", SHARED_SCORES),
        timing=f"{RUN}/{{phase}}/scoring.json",
    log:
        "logs/score_samples/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}/{phase}.log",
    benchmark:
        "logs/score_samples/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}/{phase}.jsonl"
    wildcard_constraints:
        dataset=one_of(SCORED_AT_ONCE),
    conda:
        "../../envs/gradval.yaml"
    resources:
        gpu=GPUS,
        mem_mb=scoring_memory,
        runtime=minutes_of("score"),
    params:
        model=lookup(dpath="{model}", within=MODELS),
        scores={name: SCORES[name] for name in SHARED_SCORES},
        score_options={name: score_options(name) for name in SHARED_SCORES},
        options=STUDY.scores.model_dump(include={"normalisation", "batch_size"}),
        code=code_of("score_samples", scored_by(*SHARED_SCORES)),
    message:
        "Scoring every sample of {wildcards.dataset} with {wildcards.model}, "
        "{wildcards.privacy}, seed {wildcards.seed}, draw {wildcards.draw} ({wildcards.phase})"
    script:
        "../scripts/score_samples.py"


# Those for comparison together: they share the passes over the checkpoints.
if COMPARED_SCORES:

    ruleorder: score_for_comparison > score_samples_by

    rule score_for_comparison:
        input:
            **scored_files(),
        output:
            scores=score_files(f"{RUN}/{{phase}}", COMPARED_SCORES),
        log:
            "logs/score_for_comparison/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}/{phase}.log",
        benchmark:
            "logs/score_for_comparison/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}/{phase}.jsonl"
        wildcard_constraints:
            dataset=one_of(SCORED_AT_ONCE),
        conda:
            "../../envs/gradval.yaml"
        resources:
            gpu=GPUS,
            mem_mb=scoring_memory,
            runtime=minutes_of("score"),
        params:
            model=lookup(dpath="{model}", within=MODELS),
            recipe=recipe_of,
            scores={name: SCORES[name] for name in COMPARED_SCORES},
            score_options={name: score_options(name) for name in COMPARED_SCORES},
            options=STUDY.scores.model_dump(include={"normalisation", "batch_size"}),
            code=code_of("score_checkpoints", scored_by(*COMPARED_SCORES)),
        message:
            "Scoring {wildcards.dataset} for comparison with {wildcards.model}, "
            "{wildcards.privacy}, seed {wildcards.seed}, draw {wildcards.draw} ({wildcards.phase})"
        script:
            "../scripts/score_checkpoints.py"


# Any other score by itself: to add one computes nothing else.
rule score_samples_by:
    input:
        **scored_files(),
    output:
        scores=[f"{RUN}/{{phase}}/scores/{{score}}.parquet"],
    log:
        "logs/score_samples/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}/{phase}/{score}.log",
    benchmark:
        "logs/score_samples/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}/{phase}/{score}.jsonl"
    wildcard_constraints:
        dataset=one_of(SCORED_AT_ONCE),
    conda:
        "../../envs/gradval.yaml"
    resources:
        gpu=GPUS,
        mem_mb=scoring_memory,
        runtime=minutes_of("score"),
    params:
        model=lookup(dpath="{model}", within=MODELS),
        recipe=recipe_of,
        scores=lambda wildcards: {wildcards.score: SCORES[wildcards.score]},
        score_options=lambda wildcards: {
            wildcards.score: score_options(wildcards.score)
        },
        options=STUDY.scores.model_dump(include={"normalisation", "batch_size"}),
        code=code_of("score_checkpoints", scored_by()),
    message:
        "Scoring every sample of {wildcards.dataset} by {wildcards.score} with "
        "{wildcards.model}, {wildcards.privacy}, seed {wildcards.seed}, draw {wildcards.draw} ({wildcards.phase})"
    script:
        "../scripts/score_checkpoints.py"


# Own definitions of the scores of checkpoints, for the question whether the choice matters.
rule score_variants:
    input:
        **scored_files(),
    output:
        variants=f"{RUN}/{{phase}}/variants.parquet",
    log:
        "logs/score_variants/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}/{phase}.log",
    benchmark:
        "logs/score_variants/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}/{phase}.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        gpu=GPUS,
        mem_mb=scoring_memory,
        runtime=minutes_of("score"),
    params:
        model=lookup(dpath="{model}", within=MODELS),
        recipe=recipe_of,
        scores=lambda wildcards: {v.name: v.choice for v in variants_of(wildcards)},
        score_options=lambda wildcards: {
            v.name: dict(v.options) for v in variants_of(wildcards)
        },
        options=STUDY.scores.model_dump(include={"batch_size"}),
        code=code_of("score_checkpoints", variant_code),
    message:
        "Scoring {wildcards.dataset} by variants of scores with {wildcards.model}, "
        "{wildcards.privacy}, seed {wildcards.seed}, draw {wildcards.draw} ({wildcards.phase})"
    script:
        "../scripts/score_checkpoints.py"


# A part of the samples of a large data set, by the paper's scores together, by those for
# comparison together, or by another by itself.
rule score_shard:
    input:
        **scored_files(),
    output:
        values=temp(f"{RUN}/{{phase}}/shards/{{scored}}/{{shard}}of{{shards}}.parquet"),
        timing=temp(f"{RUN}/{{phase}}/shards/{{scored}}/{{shard}}of{{shards}}.json"),
    log:
        "logs/score_shard/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}/{phase}/{scored}/{shard}of{shards}.log",
    benchmark:
        "logs/score_shard/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}/{phase}/{scored}/{shard}of{shards}.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        gpu=GPUS,
        mem_mb=scoring_memory,
        runtime=minutes_of("score"),
    params:
        model=lookup(dpath="{model}", within=MODELS),
        recipe=recipe_of,
        scores=lambda wildcards: {
            name: SCORES[name] for name in scored_together(wildcards)
        },
        score_options=lambda wildcards: {
            name: score_options(name) for name in scored_together(wildcards)
        },
        options=STUDY.scores.model_dump(include={"batch_size"}),
        code=code_of("score_shard", scored_in_shards),
    message:
        "Scoring shard {wildcards.shard} of {wildcards.shards} of {wildcards.dataset} with "
        "{wildcards.model}, {wildcards.privacy}, seed {wildcards.seed}, draw {wildcards.draw} ({wildcards.phase})"
    script:
        "../scripts/score_shard.py"


rule gather_scores:
    input:
        unpack(shard_files(SHARED)),
        store=[f"{DATA}/{name}" for name in names.STORE_FILES],
        weights=rules.train_model.output.weights,
    output:
        scores=score_files(f"{RUN}/{{phase}}", SHARED_SCORES),
        timing=f"{RUN}/{{phase}}/scoring.json",
    log:
        "logs/gather_scores/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}/{phase}.log",
    benchmark:
        "logs/gather_scores/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}/{phase}.jsonl"
    wildcard_constraints:
        dataset=one_of(SCORED_IN_SHARDS),
    conda:
        "../../envs/gradval.yaml"
    resources:
        mem_mb=data_memory,
        runtime=short,
    params:
        normalisation=STUDY.scores.normalisation,
        code=code_of("gather_scores"),
    message:
        "Gathering the scores of {wildcards.dataset} by {wildcards.model}, "
        "{wildcards.privacy}, seed {wildcards.seed}, draw {wildcards.draw} ({wildcards.phase})"
    script:
        "../scripts/gather_scores.py"


if COMPARED_SCORES:

    ruleorder: gather_for_comparison > gather_scores_by

    use rule gather_scores as gather_for_comparison with:
        input:
            unpack(shard_files(COMPARED)),
            store=[f"{DATA}/{name}" for name in names.STORE_FILES],
            weights=rules.train_model.output.weights,
        output:
            scores=score_files(f"{RUN}/{{phase}}", COMPARED_SCORES),
            timing=f"{RUN}/{{phase}}/scores_for_comparison.json",
        log:
            "logs/gather_for_comparison/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}/{phase}.log",
        benchmark:
            "logs/gather_for_comparison/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}/{phase}.jsonl"
        message:
            "Gathering the scores for comparison of {wildcards.dataset} by {wildcards.model}, "
            "{wildcards.privacy}, seed {wildcards.seed}, draw {wildcards.draw} ({wildcards.phase})"


rule gather_scores_by:
    input:
        unpack(shard_files()),
        store=[f"{DATA}/{name}" for name in names.STORE_FILES],
        weights=rules.train_model.output.weights,
    output:
        scores=[f"{RUN}/{{phase}}/scores/{{score}}.parquet"],
        timing=f"{RUN}/{{phase}}/scores/{{score}}.json",
    log:
        "logs/gather_scores/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}/{phase}/{score}.log",
    benchmark:
        "logs/gather_scores/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}/{phase}/{score}.jsonl"
    wildcard_constraints:
        dataset=one_of(SCORED_IN_SHARDS),
    conda:
        "../../envs/gradval.yaml"
    resources:
        mem_mb=data_memory,
        runtime=short,
    params:
        normalisation=STUDY.scores.normalisation,
        code=code_of("gather_scores"),
    message:
        "Gathering {wildcards.score} of {wildcards.dataset} by {wildcards.model}, "
        "{wildcards.privacy}, seed {wildcards.seed}, draw {wildcards.draw} ({wildcards.phase})"
    script:
        "../scripts/gather_scores.py"


# One value a group: no score of one of its images, and as private as those.
rule score_groups:
    input:
        samples=f"{DATA}/samples.parquet",
        scores=score_files(f"{RUN}/{{phase}}", SCORES),
    output:
        scores=f"{RUN}/{{phase}}/group_scores.parquet",
    log:
        "logs/score_groups/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}/{phase}.log",
    benchmark:
        "logs/score_groups/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}/{phase}.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        mem_mb=data_memory,
        runtime=short,
    params:
        code=code_of("score_groups"),
    message:
        "Scores of the groups of {wildcards.dataset} with {wildcards.model}, "
        "{wildcards.privacy}, seed {wildcards.seed}, draw {wildcards.draw} ({wildcards.phase})"
    script:
        "../scripts/score_groups.py"


rule release_scores:
    input:
        **when(BY_GROUP, samples=f"{DATA}/samples.parquet"),
        scores=releasable_scores,
        events=rules.train_model.output.events,
    output:
        scores=f"{RUN}/{{phase}}/released_scores.parquet",
        events=f"{RUN}/{{phase}}/released_scores.events.json",
    log:
        "logs/release_scores/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}/{phase}.log",
    benchmark:
        "logs/release_scores/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}/{phase}.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        mem_mb=data_memory,
        runtime=short,
    params:
        **when(STUDY.release.draw, draw=STUDY.release.draw),
        data_budget=data_budget,
        unit=STUDY.privacy.unit,
        # Not among results: who deletes those has not had his epsilon back.
        budget_file="resources/budgets/{dataset}.jsonl",
        budget=STUDY.release.budget,
        scores=STUDY.pruning.scores,
        bounds=STUDY.release.bounds,
        epsilon=released_epsilon,
        code=code_of("release_scores"),
    message:
        "Releasing the scores of {wildcards.model} on {wildcards.dataset}, "
        "{wildcards.privacy}, seed {wildcards.seed}, draw {wildcards.draw} ({wildcards.phase})"
    script:
        "../scripts/release_scores.py"

rule correlate_scores:
    input:
        scores=score_tables(),
    output:
        csv="results/questions/correlations.csv",
        png=report(
            "results/figures/correlations.png",
            caption="../report/correlations.rst",
            category="Questions",
            labels={"figure": "Correlations of scores"},
        ),
        pdf="results/figures/correlations.pdf",
    log:
        "logs/correlate_scores.log",
    benchmark:
        "logs/correlate_scores.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        mem_mb=data_memory,
        runtime=short,
    params:
        code=code_of("correlate_scores"),
    message:
        "Correlating all scores at every privacy level"
    script:
        "../scripts/correlate_scores.py"


rule explain_scores:
    input:
        scores=score_tables(),
        store=stores_of_grid(),
    output:
        csv="results/questions/explained.csv",
        png=report(
            "results/figures/explained.png",
            caption="../report/explained.rst",
            category="Questions",
            labels={"figure": "What scores see"},
        ),
        pdf="results/figures/explained.pdf",
    log:
        "logs/explain_scores.log",
    benchmark:
        "logs/explain_scores.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        mem_mb=data_memory,
        runtime=short,
    params:
        code=code_of("explain_scores"),
    message:
        "Regressing scores on class, brightness, contrast and edges"
    script:
        "../scripts/explain_scores.py"


rule measure_reliability:
    input:
        scores=score_tables(),
    output:
        csv="results/questions/reliability.csv",
        png=report(
            "results/figures/reliability.png",
            caption="../report/reliability.rst",
            category="Questions",
            labels={"figure": "Reliability of one sample's score"},
        ),
        pdf="results/figures/reliability.pdf",
    log:
        "logs/measure_reliability.log",
    benchmark:
        "logs/measure_reliability.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        mem_mb=data_memory,
        runtime=short,
    params:
        code=code_of("measure_reliability"),
    message:
        "Measuring how far one run can be trusted with the score of one sample"
    script:
        "../scripts/measure_reliability.py"


rule compare_scales:
    input:
        scores=score_tables(SHARED_SCORES or SCORES),
    output:
        csv="results/questions/scales.csv",
        png=report(
            "results/figures/scales.png",
            caption="../report/scales.rst",
            category="Questions",
            labels={"figure": "Raw and class-normalised scores"},
        ),
        pdf="results/figures/scales.pdf",
    log:
        "logs/compare_scales.log",
    benchmark:
        "logs/compare_scales.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        mem_mb=data_memory,
        runtime=short,
    params:
        code=code_of("compare_scales"),
    message:
        "Comparing raw with class-normalised scores"
    script:
        "../scripts/compare_scales.py"


rule compare_variants:
    input:
        variants=run_files(SETTINGS, "full/variants.parquet", runs=RUNS_OF_FIRST_DRAW),
    output:
        csv="results/questions/variants.csv",
        forms=report(
            "results/figures/vog_forms.png",
            caption="../report/variants.rst",
            category="Questions",
            labels={"figure": "Forms of VoG"},
        ),
        forms_pdf="results/figures/vog_forms.pdf",
        windows=report(
            "results/figures/checkpoint_windows.png",
            caption="../report/variants.rst",
            category="Questions",
            labels={"figure": "Early, late and all checkpoints"},
        ),
        windows_pdf="results/figures/checkpoint_windows.pdf",
        counts=report(
            "results/figures/checkpoint_counts.png",
            caption="../report/variants.rst",
            category="Questions",
            labels={"figure": "Number of checkpoints"},
        ),
        counts_pdf="results/figures/checkpoint_counts.pdf",
    log:
        "logs/compare_variants.log",
    benchmark:
        "logs/compare_variants.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        mem_mb=data_memory,
        runtime=short,
    params:
        checkpoints=sorted({recipe_of(setting)["checkpoints"] for setting in SETTINGS}),
        code=code_of("compare_variants"),
    message:
        "Comparing variants of scores"
    script:
        "../scripts/compare_variants.py"


rule find_planted:
    input:
        unpack(planted_inputs),
    output:
        csv="results/questions/planted.csv",
        png=report(
            "results/figures/planted.png",
            caption="../report/planted.rst",
            category="Questions",
            labels={"figure": "Wrong labels and duplicates"},
        ),
        pdf="results/figures/planted.pdf",
    log:
        "logs/find_planted.log",
    benchmark:
        "logs/find_planted.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        mem_mb=data_memory,
        runtime=short,
    params:
        code=code_of("find_planted"),
    message:
        "Looking for wrong labels and duplicates by every score"
    script:
        "../scripts/find_planted.py"


rule plan_doses:
    input:
        plan=rules.plan_privacy.output.plan,
    output:
        plan=f"{SETTING}/doses.json",
    log:
        "logs/plan_doses/{dataset}/{model}/{privacy}.log",
    benchmark:
        "logs/plan_doses/{dataset}/{model}/{privacy}.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        mem_mb=2000,
        runtime=short,
    params:
        schedule=schedule_of,
        doses=DOSE_SHARES,
        privacy=planned_privacy,
        code=code_of("plan_doses"),
    message:
        "Solving for the noise after removals of several sizes: {wildcards.model} on "
        "{wildcards.dataset}, {wildcards.privacy}"
    script:
        "../scripts/plan_doses.py"


rule retrain_dose:
    input:
        store=[f"{DATA}/{name}" for name in names.STORE_FILES],
        plan=rules.plan_doses.output.plan,
        scores=score_files(f"{RUN}/first", DOSES.scores if DOSES else []),
        weights=f"{RUN}/first/weights.safetensors",
        events=f"{RUN}/first/events.json",
    output:
        arms=f"{DOSE}/arms.csv",
        weights=[f"{DOSE}/{arm.name}/weights.safetensors" for arm in ARMS],
        metrics=[f"{DOSE}/{arm.name}/metrics.csv" for arm in ARMS],
        summary=[f"{DOSE}/{arm.name}/summary.json" for arm in ARMS],
        timing=[f"{DOSE}/{arm.name}/timing.json" for arm in ARMS],
        events=[f"{DOSE}/{arm.name}/events.json" for arm in ARMS],
    log:
        "logs/retrain_dose/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}/{dose}.log",
    benchmark:
        "logs/retrain_dose/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}/{dose}.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        gpu=GPUS,
        mem_mb=model_memory,
        runtime=dose_minutes,
    params:
        model=lookup(dpath="{model}", within=MODELS),
        recipe=recipe_of,
        secret_noise=secret_noise,
        scale=STUDY.selection.scale,
        fraction=lambda wildcards: DOSE_SHARES[wildcards.dose],
        arms=[vars(arm) for arm in ARMS],
        code=code_of("retrain_dose", architecture),
    message:
        "Retraining {wildcards.model} on {wildcards.dataset} without {wildcards.dose}%, "
        "{wildcards.privacy}, seed {wildcards.seed}, draw {wildcards.draw}"
    script:
        "../scripts/retrain_dose.py"


rule compare_doses:
    input:
        arms=dose_inputs,
    output:
        csv="results/questions/doses.csv",
        classes="results/questions/doses_classes.csv",
        png=report(
            "results/figures/doses.png",
            caption="../report/doses.rst",
            category="Questions",
            labels={"figure": "Removals of several sizes"},
        ),
        pdf="results/figures/doses.pdf",
    log:
        "logs/compare_doses.log",
    benchmark:
        "logs/compare_doses.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        mem_mb=data_memory,
        runtime=short,
    params:
        code=code_of("compare_doses"),
    message:
        "Comparing removals of several sizes with random ones"
    script:
        "../scripts/compare_doses.py"


# Short names for what people ask for.


rule questions:
    input:
        lambda wildcards: question_targets(),


rule correlations:
    input:
        rules.correlate_scores.output,


rule explained:
    input:
        rules.explain_scores.output,


rule reliability:
    input:
        rules.measure_reliability.output,


rule scales:
    input:
        rules.compare_scales.output,


rule vog_forms:
    input:
        rules.compare_variants.output.forms,


rule checkpoint_windows:
    input:
        rules.compare_variants.output.windows,


rule checkpoint_counts:
    input:
        rules.compare_variants.output.counts,


rule planted:
    input:
        rules.find_planted.output,


rule doses:
    input:
        rules.compare_doses.output,

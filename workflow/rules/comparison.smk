rule compare_selections:
    input:
        unpack(comparison_inputs),
    output:
        statistics="results/comparisons/{comparison}/statistics.csv",
        selections="results/comparisons/{comparison}/selections.csv",
    log:
        "logs/compare_selections/{comparison}.log",
    benchmark:
        "logs/compare_selections/{comparison}.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        mem_mb=data_memory,
        runtime=short,
    params:
        comparison=lambda wildcards: COMPARISONS[wildcards.comparison].to_dict(),
        selection=STUDY.selection.model_dump(),
        code=code_of("compare_selections"),
    message:
        "Comparing selections: {wildcards.comparison}"
    script:
        "../scripts/compare_selections.py"


rule measure_levels:
    input:
        scores=levels_inputs,
    output:
        by_seed="results/levels/{dataset}.csv",
        summary="results/levels/{dataset}_summary.csv",
    log:
        "logs/measure_levels/{dataset}.log",
    benchmark:
        "logs/measure_levels/{dataset}.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        mem_mb=data_memory,
        runtime=short,
    params:
        code=code_of("measure_levels"),
    message:
        "Agreement of scores across privacy levels, draws and weights: {wildcards.dataset}"
    script:
        "../scripts/measure_levels.py"


rule compare_levels:
    input:
        unpack(compared_levels),
    output:
        csv="results/levels.csv",
        png=report(
            "results/figures/levels.png",
            caption="../report/levels.rst",
            category="Figures",
            labels={"figure": "Privacy levels"},
        ),
        pdf="results/figures/levels.pdf",
    log:
        "logs/compare_levels.log",
    benchmark:
        "logs/compare_levels.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        mem_mb=data_memory,
        runtime=short,
    params:
        code=code_of("compare_levels"),
    message:
        "Comparing what privacy levels change with what noise and weights change"
    script:
        "../scripts/compare_levels.py"

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
        seeds=SEEDS,
        selection=STUDY.selection.model_dump(),
        code=code_of("compare_selections"),
    message:
        "Comparing selections: {wildcards.comparison}"
    script:
        "../scripts/compare_selections.py"

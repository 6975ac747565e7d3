rule compare_selections:
    input:
        unpack(side_scores),
        store=comparison_store,
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
        definition=comparison_definition,
        seeds=SEEDS,
        selection=config["selection"],
        code=code_of("compare_selections"),
    message:
        "Comparing selections: {wildcards.comparison}"
    script:
        "../scripts/compare_selections.py"

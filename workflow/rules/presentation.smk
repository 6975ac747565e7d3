rule collect_runs:
    input:
        unpack(runs_inputs),
    output:
        runs="results/runs/{kind}.csv",
        ledgers="results/runs/{kind}_ledger.csv",
        ledger=report(
            "results/runs/{kind}_ledger.html",
            caption="../report/ledger.rst",
            category="Privacy",
            labels={"table": "Privacy ledger of {kind} runs"},
        ),
        page=report(
            "results/runs/{kind}.html",
            caption="../report/runs.rst",
            category="Tables",
            labels={"table": "Accuracies of {kind} runs"},
        ),
    log:
        "logs/collect_runs/{kind}.log",
    benchmark:
        "logs/collect_runs/{kind}.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        mem_mb=data_memory,
        runtime=short,
    params:
        fraction=STUDY.pruning.fraction,
        code=code_of("collect_runs"),
    message:
        "Collecting accuracies, times and ledgers of the {wildcards.kind} runs"
    script:
        "../scripts/collect_runs.py"


rule plot_figure:
    input:
        unpack(figure_inputs),
    output:
        png=report(
            "results/figures/{figure}.png",
            caption="../report/figure.rst",
            category="Figures",
            labels=figure_report_labels,
        ),
        pdf="results/figures/{figure}.pdf",
    log:
        "logs/plot_figure/{figure}.log",
    benchmark:
        "logs/plot_figure/{figure}.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        mem_mb=data_memory,
        runtime=short,
    params:
        figure=lambda wildcards: FIGURES[wildcards.figure].to_dict(),
        paper=lambda wildcards: PAPER.printed(FIGURES[wildcards.figure]),
        k=STUDY.selection.k,
        pearson_top=STUDY.selection.pearson_top,
        scale=STUDY.selection.scale,
        code=code_of("plot_figure"),
    message:
        "Drawing {wildcards.figure}"
    script:
        "../scripts/plot_figure.py"


rule plot_learning_curves:
    input:
        metrics=trained_metrics,
        labels=expand(f"{DATA}/test_labels.npy", dataset=STUDY.grid.datasets),
    output:
        png=report(
            "results/figures/learning_curves.png",
            caption="../report/learning_curves.rst",
            category="Figures",
            labels={"figure": "Learning curves"},
        ),
        pdf="results/figures/learning_curves.pdf",
    log:
        "logs/plot_learning_curves.log",
    benchmark:
        "logs/plot_learning_curves.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        mem_mb=data_memory,
        runtime=short,
    params:
        notice=seeded_notice(),
        code=code_of("plot_learning_curves"),
    message:
        "Drawing the learning curves"
    script:
        "../scripts/plot_learning_curves.py"


rule compare_free_scores:
    input:
        unpack(free_scores_inputs),
    output:
        csv="results/free_scores.csv",
        png=report(
            "results/figures/free_scores.png",
            caption="../report/free_scores.rst",
            category="Figures",
            labels={"figure": "Free scores"},
        ),
        pdf="results/figures/free_scores.pdf",
    log:
        "logs/compare_free_scores.log",
    benchmark:
        "logs/compare_free_scores.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        mem_mb=data_memory,
        runtime=short,
    params:
        k=STUDY.selection.k,
        code=code_of("compare_free_scores"),
    message:
        "Comparing the scores collected while training with those at checkpoints"
    script:
        "../scripts/compare_free_scores.py"


rule build_table1:
    input:
        runs="results/runs/pruned.csv",
    output:
        csv="results/table1.csv",
        md="results/table1.md",
        tex="results/table1.tex",
        html=report(
            "results/table1.html",
            caption="../report/table1.rst",
            category="Tables",
            labels={"table": "Table 1"},
        ),
        png=report(
            "results/figures/table1.png",
            caption="../report/table1.rst",
            category="Figures",
            labels={"figure": "Table 1"},
        ),
        pdf="results/figures/table1.pdf",
    log:
        "logs/build_table1.log",
    benchmark:
        "logs/build_table1.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        mem_mb=data_memory,
        runtime=short,
    params:
        substitutes=table1_substitutes(STUDY, PAPER),
        notice=seeded_notice(),
        claims=file_digest(CLAIMS_FILE),
        code=code_of("build_table1"),
    message:
        "Building Table 1"
    script:
        "../scripts/build_table1.py"


rule build_scorecard:
    input:
        **when(PRUNED, pruned=["results/runs/pruned.csv"]),
        full=["results/runs/full.csv"],
        statistics=comparison_files(COMPARISONS, "statistics.csv"),
        selections=comparison_files(COMPARISONS, "selections.csv"),
        levels=collect("results/levels/{dataset}.csv", dataset=STUDY.grid.datasets),
    output:
        csv="results/scorecard.csv",
        md="results/scorecard.md",
        html=report(
            "results/scorecard.html",
            caption="../report/scorecard.rst",
            category="Tables",
            labels={"table": "Scorecard"},
        ),
    log:
        "logs/build_scorecard.log",
    benchmark:
        "logs/build_scorecard.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        mem_mb=data_memory,
        runtime=short,
    params:
        comparisons=[comparison.to_dict() for comparison in COMPARISONS.values()],
        runs=run_settings(STUDY, PAPER),
        notice=seeded_notice(),
        claims=file_digest(CLAIMS_FILE),
        selection=STUDY.selection.model_dump(),
        code=code_of("build_scorecard"),
    message:
        "Building the scorecard"
    script:
        "../scripts/build_scorecard.py"


rule keep_evidence:
    input:
        **when(PRUNED, pruned=["results/runs/pruned.csv"]),
        full=["results/runs/full.csv"],
        statistics=comparison_files(COMPARISONS, "statistics.csv"),
        selections=comparison_files(COMPARISONS, "selections.csv"),
        scores=run_files(SETTINGS, *score_files("full", SCORES)),
    output:
        folder=directory("results/kept"),
    log:
        "logs/keep_evidence.log",
    benchmark:
        "logs/keep_evidence.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        mem_mb=data_memory,
        runtime=short,
    params:
        comparisons=[comparison.to_dict() for comparison in COMPARISONS.values()],
        runs=run_settings(STUDY, PAPER),
        code=code_of("keep_evidence"),
    message:
        "Keeping the tables from which the scorecard can be computed again"
    script:
        "../scripts/keep_evidence.py"


# Short names for what people ask for.


rule table1:
    input:
        rules.build_table1.output,


rule scorecard:
    input:
        rules.build_scorecard.output,


rule levels:
    input:
        rules.compare_levels.output,


rule learning_curves:
    input:
        rules.plot_learning_curves.output,


rule free_scores:
    input:
        rules.compare_free_scores.output,


for name in FIGURE_NAMES:

    rule:
        name:
            name
        input:
            figure_target(name),

rule build_report:
    input:
        unpack(page_inputs),
    output:
        page=report(
            "results/index.html",
            caption="../report/page.rst",
            category="Begin here",
            labels={"page": "What the study found"},
        ),
        facts="results/study.json",
        gallery=directory("results/gallery"),
    log:
        "logs/build_report.log",
    benchmark:
        "logs/build_report.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        mem_mb=data_memory,
        runtime=short,
    params:
        facts=page_facts,
        extras=page_extras,
        images=STUDY.report.images,
        scenarios=page_scenarios,
        notices={
            name: experiments.images_notice(STUDY, name)
            for name in STUDY.grid.datasets
        },
        claims=file_digest(CLAIMS_FILE),
        code=code_of("build_report"),
    message:
        "Writing the page of the study"
    script:
        "../scripts/build_report.py"


rule index:
    input:
        rules.build_report.output.page,

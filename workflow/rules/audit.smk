rule audit_training:
    input:
        unpack(auditable),
        store=[f"{DATA}/{name}" for name in names.STORE_FILES],
        plan=rules.plan_privacy.output.plan,
    output:
        audit=f"{RUN}/audit/audit.json",
        events=f"{RUN}/audit/events.json",
    log:
        "logs/audit_training/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}.log",
    benchmark:
        "logs/audit_training/{dataset}/{model}/{privacy}/seed{seed}/draw{draw}.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        gpu=GPUS,
        mem_mb=model_memory,
        runtime=minutes_of("audit"),
    params:
        model=lookup(dpath="{model}", within=MODELS),
        recipe=recipe_of,
        privacy=planned_privacy,
        secret_noise=secret_noise,
        run=STUDY.audit.run,
        audit=STUDY.audit.model_dump(
            include={"canaries", "guesses", "confidence", "sees"}
        ),
        code=code_of("audit_training", architecture),
    message:
        "Auditing the training of {wildcards.model} on {wildcards.dataset}, "
        "{wildcards.privacy}, seed {wildcards.seed}, draw {wildcards.draw}"
    script:
        "../scripts/audit_training.py"


rule build_audit:
    input:
        audits=run_files(AUDITED, "audit/audit.json"),
    output:
        csv="results/audit.csv",
        md="results/audit.md",
        html=report(
            "results/audit.html",
            caption="../report/audit.rst",
            category="Privacy",
            labels={"table": "Empirical privacy audit"},
        ),
    log:
        "logs/build_audit.log",
    benchmark:
        "logs/build_audit.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        mem_mb=data_memory,
        runtime=short,
    params:
        code=code_of("build_audit"),
    message:
        "Building the table of audits"
    script:
        "../scripts/build_audit.py"


rule audit:
    input:
        rules.build_audit.output,

rule prepare_dataset:
    output:
        [f"{DATA}/{name}" for name in names.STORE_FILES],
    log:
        "logs/prepare_dataset/{dataset}.log",
    benchmark:
        "logs/prepare_dataset/{dataset}.jsonl"
    conda:
        "../../envs/gradval.yaml"
    resources:
        mem_mb=data_memory,
        runtime=short,
    params:
        options=lookup(dpath="{dataset}", within=DATASETS),
        needs=dataset_needs,
        code=code_of("prepare_dataset", loader),
    message:
        "Preparing the canonical store of {wildcards.dataset}"
    script:
        "../scripts/prepare_dataset.py"

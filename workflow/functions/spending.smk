"""What the study spends on a data set, and the budget that it is charged to."""


def budget_of(dataset):
    """Limit on everything that is done with a data set; `None` if nothing is counted."""
    return STUDY.datasets[dataset].budget


def budget_file(dataset):
    """Not among results: who deletes those has not had his epsilon back."""
    return f"resources/budgets/{dataset}.spent.jsonl"


def data_budget(wildcards):
    """The budget of a data set as plain values, empty if nothing is counted."""
    if budget_of(wildcards.dataset) is None:
        return {}
    return {
        "path": budget_file(wildcards.dataset),
        "limit": budget_of(wildcards.dataset),
        "delta": STUDY.datasets[wildcards.dataset].delta,
        "accountant": STUDY.privacy.accountants[0],
        "name": wildcards.dataset,
    }


def charged(job=None):
    """Function of wildcards: the proof that a job (its phase by default) is paid for.

    It vanishes with the job's success: who makes a model anew with new noise pays anew.
    """

    def files(wildcards):
        counted = budget_of(wildcards.dataset) is not None
        if not counted or not names.is_private(wildcards.privacy):
            return {}
        return {"charged": f"{run_folder(wildcards)}/{job or wildcards.phase}.charged"}

    return files


def auditable(wildcards):
    """The same of an audit, or one line that says why there can be none."""
    if BY_GROUP:
        sys.exit(
            "config: audit: its canaries are samples, but the unit is a group (privacy.unit)"
        )
    return charged("audit")(wildcards)


def planned_jobs(dataset):
    """Every private job of the default target on a data set: setting, seed, draw, job."""
    settings = [s for s in SETTINGS if s.dataset == dataset]
    jobs = [(s, "full") for s in settings]
    jobs += [
        (s, job) for s in PRUNED if s.dataset == dataset for job in ("first", "pruned")
    ]
    if RELEASED:
        jobs += [(s, "released") for s in PRUNED if s.dataset == dataset]
    return [
        [s.model, s.privacy, seed, draw, job]
        for s, job in jobs
        for seed, draw in RUNS
        if names.is_private(s.privacy)
    ]


def plans_of(wildcards):
    """The plans of every private setting of a data set, and of the one that is asked for."""
    asked = names.Setting(wildcards.dataset, wildcards.model, wildcards.privacy)
    settings = [s for s in SETTINGS if s.dataset == wildcards.dataset]
    private = [s for s in settings if names.is_private(s.privacy)]
    return [
        f"{SETTING}/plan.json".format(**vars(s))
        for s in dict.fromkeys([asked, *private])
    ]


def cost_inputs(wildcards):
    """Events of every private run of the default target."""
    private = [s for s in SETTINGS if names.is_private(s.privacy)]
    pruned = [s for s in PRUNED if names.is_private(s.privacy)]
    inputs = {
        "full": run_files(private, "full/events.json"),
        "first": run_files(pruned, "first/events.json"),
        "pruned": run_files(
            pruned, *(f"pruned/{removal}/events.json" for removal in REMOVALS)
        ),
    }
    if RELEASED:
        inputs["released"] = run_files(pruned, "first/released_scores.events.json")
    return inputs


def audits_there(wildcards):
    """Events of the audits that were run, which the default target does not ask for."""
    return [f for f in run_files(AUDITED, "audit/events.json") if Path(f).is_file()]

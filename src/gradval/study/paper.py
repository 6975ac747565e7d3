"""The paper's experiments and its claims about them, two files that are checked with each other.

`experiments.yaml` holds comparisons, figures and Table 1 in the paper's own names, `claims.csv` one
row for each number and ordering that the paper prints. A claim quotes the setting that it is about;
one that is not the setting of its experiment is an error, so that no other run can reproduce it.
"""

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import Field, ValidationError

from gradval.study.config import AnyFigure, ComparisonBlock, Study
from gradval.study.config_errors import ConfigError, check_repeated_keys, explain
from gradval.study.experiments import (
    COMPARISON_KINDS,
    ORDERING_ONLY,
    Comparison,
    Experiments,
    Figure,
    resolve_name,
    substitutes_of,
    substitutes_text,
)
from gradval.study.fields import Block, Distinct, Name, Privacy
from gradval.study.names import NON_PRIVATE, privacy_from_print

EXPERIMENTS_FILE, CLAIMS_FILE = "experiments.yaml", "claims.csv"
# Kinds of claims that read the runs of Table 1.
TABLE1_KINDS = ("removal", "saving")
# What the rule of a claim about comparisons names that is no comparison; so does `@measure`.
REFERENCES = ("chance", "ceiling", "halfway", "reliability", "other_side", "")
EACH = "each"  # the paper's word for all data sets, models, levels or scores

Claim = Mapping[str, str]


class Table1(Block):
    """Retraining after the removal of the samples with the largest scores."""

    dataset: Name
    model: Name
    privacy: Distinct[Privacy]
    scores: Distinct[Name]


class ExperimentsFile(Block):
    """What `experiments.yaml` holds."""

    comparisons: dict[Name, ComparisonBlock] = Field(default={})
    figures: dict[Name, AnyFigure] = Field(default={})
    table1: Table1


@dataclass(frozen=True)
class Paper(Experiments):
    """The paper's comparisons, figures, Table 1 and claims, in its own names.

    Attributes:
        table1: what is removed where.
        claims: rows of `claims.csv` as text.
    """

    table1: Table1 | None = None
    claims: tuple[Claim, ...] = ()

    def printed(self, figure: Figure) -> dict[str, float]:
        """The numbers that the paper prints for a figure of one comparison, by statistic."""
        names = [comparison.name for comparison in figure.comparisons]
        return {
            claim["measure"]: float(claim["value"])
            for claim in self.claims
            if claim["kind"] == "comparison"
            and names == [claim["source"]]
            and claim["value"] != ORDERING_ONLY
        }


def read_paper(folder: str | Path) -> Paper:
    """Read and check the paper's experiments and claims.

    Raises:
        ConfigError: one line: a file is not valid, a figure or a claim names an experiment that
            there is not, or a claim and its experiment differ.
    """
    path = Path(folder, EXPERIMENTS_FILE)
    check_repeated_keys(path)
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        given = ExperimentsFile.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"{path}: {explain(error, content)}") from None
    values = given.model_dump(by_alias=True, exclude_none=True)
    try:
        found = Experiments.from_blocks(values["comparisons"], values["figures"])
    except KeyError as error:
        raise ConfigError(f"{path}: figures: there is no comparison {error}") from None
    claims = read_claims(Path(folder, CLAIMS_FILE))
    paper = Paper(found.comparisons, found.figures, given.table1, tuple(claims))
    for claim in claims:
        for difference in differences(claim, paper):
            raise ConfigError(f"{Path(folder, CLAIMS_FILE)}: {claim['id']}: {difference}")
    return paper


def read_claims(path: str | Path) -> list[dict[str, str]]:
    """The claims table as rows of text."""
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# --- Claims against experiments ------------------------------------------------------------------


class Fact(NamedTuple):
    """Something that a claim and its experiment both state: column, both values, as names."""

    column: str
    claimed: str
    found: str


def differences(claim: Claim, paper: Paper) -> Iterator[str]:
    """Where a claim and its experiments differ, in words that name both."""
    check = COMPARISON_CHECK if claim["kind"] in COMPARISON_KINDS else RUN_CHECKS.get(claim["kind"])
    if check is not None:
        yield from check(claim, paper)


def _of_comparisons(claim: Claim, paper: Paper) -> Iterator[str]:
    # A source may name the side that it is about, as in fig7/a.
    sources = [source.partition("/")[0] for source in claim["source"].split("|")]
    for name in (*sources, *_others(claim)):
        if name not in paper.comparisons:
            yield f"{EXPERIMENTS_FILE} has no comparison {name!r}"
            return
    for name in sources:
        where = f"comparisons.{name}"
        yield from _differing(_comparison_facts(claim, paper.comparisons[name]), where)


def _comparison_facts(claim: Claim, comparison: Comparison) -> Iterator[Fact]:
    # The first is that of the sources, the second that of what the rule compares them with.
    yield Fact("dataset", claim["dataset"].split("|")[0], comparison.dataset)
    models = claim["model"].split("|")
    for side, model in (("a", models[0]), ("b", models[-1])):
        part = getattr(comparison, side)
        yield Fact("model", model, part.model)
        setting = claim[f"setting_{side}"]
        # The paper does not state every setting.
        if setting:
            yield Fact(f"setting_{side}", _level(setting), part.privacy)
        yield Fact(f"score_{side}", claim[f"score_{side}"], part.score)
    class_name, end = _subset(claim["subset"])
    yield Fact("subset", f"class {class_name}", f"class {comparison.class_name or 'all'}")
    if end:
        yield Fact("subset", end, comparison.end)


def _subset(text: str) -> tuple[str, str]:
    """Class ("all" for every one) and end (empty if it does not matter) of a claim's subset."""
    match = re.fullmatch(r"(?:class (\S+) )?(largest|smallest|top|all|extremes)\b.*", text)
    if match is None:
        raise ConfigError(
            f"{CLAIMS_FILE}: the subset {text!r} is not understood; it reads like 'class bird "
            "largest', 'top 1000', 'all' or 'extremes'"
        )
    ends = {"largest": "largest", "top": "largest", "smallest": "smallest"}
    return match[1] or "all", ends.get(match[2], "")


def _of_table1(claim: Claim, paper: Paper) -> Iterator[str]:
    """Its source is removals, a privacy level (or each, all), perhaps a share: loss/eps1."""
    yield from _of_pruned_runs(claim, paper)
    score, level = claim["source"].split("/")[:2]
    facts = [Fact("score_a", claim["score_a"], score)]
    facts.append(Fact("setting_a", _level(claim["setting_a"]), level))
    yield from _differing(facts, f"the source {claim['source']}")
    # Of non-private training the paper speaks beside its table.
    known = (EACH, "all", NON_PRIVATE)
    if paper.table1 is not None and level not in (*paper.table1.privacy, *known):
        yield f"table1.privacy of {EXPERIMENTS_FILE} has no {level}"


def _of_pruned_runs(claim: Claim, paper: Paper) -> Iterator[str]:
    if paper.table1 is None:
        return
    facts = [
        Fact("dataset", claim["dataset"], paper.table1.dataset),
        Fact("model", claim["model"], paper.table1.model),
    ]
    yield from _differing(facts, "table1")
    for score in claim["source"].partition("/")[0].split("|"):
        if score not in paper.table1.scores:
            yield f"table1.scores of {EXPERIMENTS_FILE} has no {score}"


def _of_accuracy_gap(claim: Claim, paper: Paper) -> Iterator[str]:
    """Its source is two privacy levels, as eps1|eps8."""
    levels = claim["source"].split("|")
    facts = [
        Fact(f"setting_{side}", _level(claim[f"setting_{side}"]), level)
        for side, level in zip("ab", levels, strict=False)
    ]
    yield from _differing(facts, f"the source {claim['source']}")


Check = Callable[[Claim, Paper], Iterator[str]]
COMPARISON_CHECK: Check = _of_comparisons
RUN_CHECKS: Mapping[str, Check] = {
    "removal": _of_table1,
    "saving": _of_pruned_runs,
    "accuracy": _of_accuracy_gap,
}


def _differing(facts: Iterator[Fact] | list[Fact], where: str) -> Iterator[str]:
    for column, claimed, found in facts:
        if claimed not in (found, EACH):
            place = where if where.startswith("the source") else f"{where} of {EXPERIMENTS_FILE}"
            yield f"{column} is {claimed or 'empty'!r}, but {place} has {found!r}"


def _others(claim: Claim) -> list[str]:
    """The comparisons that the rule of a claim names as its reference."""
    names = claim["reference"].split("|")
    return [name for name in names if name not in REFERENCES and not name.startswith("@")]


def _level(text: str) -> str:
    try:
        return privacy_from_print(text)
    except ValueError:
        return text


# --- What is run for claims about runs -----------------------------------------------------------


def run_settings(study: Study, paper: Paper) -> dict[str, dict[str, Any] | None]:
    """What the study runs for each claim that reads runs, by its id.

    Returns:
        Arguments of `gradval.evidence.RunSetting`, or `None` for what the study does not run.
    """
    return {
        claim["id"]: _run_setting(study, paper, claim)
        for claim in paper.claims
        if claim["kind"] not in COMPARISON_KINDS
    }


def _run_setting(study: Study, paper: Paper, claim: Claim) -> dict[str, Any] | None:
    if EACH in (claim["dataset"], claim["model"]):
        return {"substitutes": substitutes_text(_all_substitutes(study, paper))}
    dataset = resolve_name(study, "datasets", claim["dataset"])
    model = resolve_name(study, "models", claim["model"])
    if dataset is None or model is None:
        return None
    pruned = (study.pruning.dataset, study.pruning.model)
    if claim["kind"] in TABLE1_KINDS and pruned != (dataset, model):
        return None
    substitutes = substitutes_of([(claim["dataset"], dataset), (claim["model"], model)])
    return {
        "dataset": dataset,
        "model_a": model,
        "model_b": model,
        "substitutes": substitutes_text(substitutes),
    }


def _all_substitutes(study: Study, paper: Paper) -> dict[str, str]:
    """Every data set and model that takes the place of one of the paper's."""
    names = {
        "datasets": [c.dataset for c in paper.comparisons.values()],
        "models": [s.model for c in paper.comparisons.values() for s in (c.a, c.b)],
    }
    return substitutes_of(
        (name, resolve_name(study, kind, name)) for kind, of in names.items() for name in of
    )


def table1_substitutes(study: Study, paper: Paper) -> dict[str, str] | None:
    """Substitutes in Table 1; `None` if what the study prunes is not the paper's Table 1 at all."""
    if paper.table1 is None:
        return None
    papers = (paper.table1.dataset, paper.table1.model)
    ours = (
        resolve_name(study, "datasets", papers[0]),
        resolve_name(study, "models", papers[1]),
    )
    if ours != (study.pruning.dataset, study.pruning.model):
        return None
    return substitutes_of(zip(papers, ours, strict=True))

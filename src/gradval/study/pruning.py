"""The blocks of a config that say what is removed from the training set; see Table 1."""

from typing import Literal

from pydantic import Field

from gradval.study.fields import Block, Distinct, Fraction, Name, Privacy
from gradval.study.names import SCORES


class Doses(Block):
    """Removals of several sizes, beside Table 1: `snakemake doses`."""

    privacy: Distinct[Privacy] = Field(min_length=1, description="levels of `grid.privacy`")
    fractions: Distinct[Fraction] = Field(
        default=[0.05, 0.1, 0.25, 0.5], min_length=1, description="shares that are removed"
    )
    scores: Distinct[Name] = Field(
        default=list(SCORES), min_length=1, description="by which samples are removed"
    )
    ends: Distinct[Literal["largest", "lowest"]] = Field(
        default=["largest", "lowest"], min_length=1, description="whose scores are removed"
    )
    scopes: Distinct[Literal["global", "class"]] = Field(
        default=["class"],
        min_length=1,
        description="class for the same share of every class, which rules out imbalance; global",
    )


class Pruning(Block):
    """Table 1: retraining on what the removal of a part of the training set left."""

    dataset: Name = Field(description="nothing is pruned unless the grid has it")
    model: Name = Field(description="nothing is pruned unless the grid has it")
    privacy: Distinct[Privacy] = Field(
        default=[], description="levels of `grid.privacy` for which it is done"
    )
    scores: Distinct[Name] = Field(
        default=list(SCORES), min_length=1, description="by which samples are removed"
    )
    fraction: Fraction = Field(
        default=0.25, description="share of the training set that is removed"
    )
    scope: Literal["global", "class"] = Field(
        default="global", description="global, or class for the same share of every class"
    )
    selection: Distinct[Literal["raw", "released"]] = Field(
        default=["raw"],
        min_length=1,
        description="scores that decide who is removed: raw (the paper; not private), or released "
        "under differential privacy, whose epsilon is then composed with that of training",
    )
    doses: Doses | None = Field(
        default=None, description="removals of several sizes from the same first phases"
    )

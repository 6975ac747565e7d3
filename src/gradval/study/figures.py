"""The keys of a user's own comparisons and figures."""

from typing import Annotated, Literal

from pydantic import Field

from gradval.study.fields import Block, Flag, Name, Privacy, Text


class SideBlock(Block):
    """One side of a comparison."""

    model: Name = Field(description="a model of the grid")
    privacy: Privacy = Field(description="a privacy level of the grid")
    score: Name = Field(description="a score")


class ComparisonBlock(Block):
    """The selections of two settings or scores, compared over all seeds."""

    dataset: Name = Field(description="a data set of the grid")
    class_name: Text | None = Field(
        default=None, alias="class", description="selections within this class; all by default"
    )
    end: Literal["largest", "smallest"] = Field(
        default="largest", description="which scores are selected"
    )
    a: SideBlock = Field(description="one side")
    b: SideBlock = Field(description="the other side")


class FigureBlock(Block):
    """What every figure states."""

    title: Text = Field(description="its heading")

    @property
    def shown(self) -> list[str]:
        """The comparisons that it shows."""
        return []


class RunFigure(FigureBlock):
    """What a figure of one run shows."""

    dataset: Name = Field(description="a data set of the grid")
    model: Name = Field(description="a model of the grid")
    privacy: Privacy = Field(description="a privacy level of the grid")
    score: Name = Field(description="a score")


class Distribution(RunFigure):
    """The distribution of one score, with examples."""

    kind: Literal["distribution"]


class Extremes(RunFigure):
    """The samples with the largest and the smallest scores."""

    kind: Literal["extremes"]
    class_name: Text | None = Field(
        default=None, alias="class", description="within this class; all by default"
    )


class Pair(FigureBlock):
    """Two selections side by side."""

    kind: Literal["pair"]
    comparison: Name = Field(description="a comparison")
    show_classes: Flag = Field(default=False, description="whether classes are counted below")

    @property
    def shown(self) -> list[str]:
        return [self.comparison]


class Agreement(FigureBlock):
    """The agreement of several comparisons."""

    kind: Literal["agreement"]
    comparisons: list[Name] = Field(min_length=1, description="comparisons")

    @property
    def shown(self) -> list[str]:
        return self.comparisons


AnyFigure = Annotated[
    Distribution | Extremes | Pair | Agreement,
    Field(discriminator="kind", description="by `kind`"),
]

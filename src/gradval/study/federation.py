"""The block of a config that describes a federation; see `gradval.federation`."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from gradval.study.fields import (
    BelowOne,
    Block,
    Count,
    Distinct,
    Fraction,
    Name,
    NotNegative,
    Positive,
    Privacy,
    Seed,
    as_whole,
)

Kind = Literal[
    "pixel_noise", "blur", "contrast", "wrong_labels", "rare_class", "duplicates", "small"
]
Deal = Literal["iid", "dirichlet", "class", "group", "folder", "column"]
Sites = Annotated[int, Field(ge=2, le=6), BeforeValidator(as_whole)]


class PlantBlock(Block):
    """What is planted in a site."""

    kind: Kind = Field(description="what is wrong, or special, with it")
    strength: NotNegative = Field(description="how much; what the number says depends on the kind")


class ScenarioBlock(Block):
    """How the training set becomes sites."""

    sites: Sites = Field(default=5, description="how many")
    deal: Deal = Field(
        default="iid",
        description="who gets what: at random; label skew by `alpha`; whole classes; whole groups "
        "(patients); a site a folder; a site a group of the store",
    )
    alpha: Positive = Field(default=1.0, description="of dirichlet; smaller is more skewed")
    planted: dict[Name, PlantBlock] = Field(
        default={}, description="`site0` and so on -> what is planted there"
    )

    @model_validator(mode="after")
    def _planted_sites_exist(self) -> Self:
        known = [f"site{number}" for number in range(self.sites)]
        for name in self.planted:
            if name not in known:
                raise ValueError(f"planted: {name!r} is not one of {', '.join(known)}")
        return self


class ReportBlock(Block):
    """What every site publishes of its scores."""

    epsilon: Positive = Field(default=1.0, description="of the whole report of a site, pure")
    statistics: Distinct[Literal["mean", "variance", "quantiles", "histogram", "count"]] = Field(
        default=["mean", "variance", "quantiles", "histogram", "count"],
        min_length=1,
        description="of each score; they share epsilon evenly",
    )
    relation: Literal["replace", "add_remove"] = Field(
        default="replace",
        description="replace: the number of samples is public; add_remove: it is secret",
    )
    unit: Literal["sample", "group"] = Field(
        default="sample", description="whose contribution is hidden: of a sample or of a patient"
    )
    bins: Annotated[int, Field(ge=2, le=100), BeforeValidator(as_whole)] = Field(
        default=10, description="of histograms, between the bounds of `release.bounds`"
    )
    threshold: Fraction = Field(
        default=0.5, description="of counts, as a share of the way between the bounds"
    )
    budget: Positive | None = Field(
        default=None,
        description="limit on the epsilon that a site ever spends, over all its reports; null: "
        "counted, but never refused, which is for studies of public data",
    )


class UtilityTraining(Block):
    """Hyper-parameters of the models of coalitions; null: those of the model."""

    epochs: Positive | None = Field(
        default=None,
        description="expected passes; every coalition trains a model, so few save much",
    )
    batch_size: Count | None = Field(
        default=None, description="expected samples a step of all sites together"
    )
    learning_rate: Positive | None = Field(default=None, description="of SGD, at its height")
    warmup: BelowOne | None = Field(
        default=None, description="share of the steps over which the learning rate rises"
    )


class Federation(Block):
    """Sites that train together, publish, and are ranked and paid: `snakemake federation`."""

    dataset: Name = Field(description="a key of `datasets`")
    model: Name = Field(description="a key of `models`")
    privacy: Privacy = Field(default="eps8", description="of the shared model")
    training: Literal["central", "sum", "average"] = Field(
        default="central",
        description="of the shared model: on all data in one place; by sums of clipped gradients, "
        "one a site and step, which equals it; or by averages of weights that each site trains "
        "under its own noise",
    )
    local_steps: Count = Field(
        default=5, description="of average: that a site takes between two averages"
    )
    utility_privacy: Privacy = Field(
        default="nonprivate", description="of the models whose test accuracy sites are valued by"
    )
    utility_training: UtilityTraining = Field(
        default=UtilityTraining(), description="what those models do otherwise"
    )
    seeds: Distinct[Seed] = Field(
        default=[0, 1], min_length=1, description="of partition, planting and weights"
    )
    scores: Distinct[Name] = Field(
        default=["loss", "grad_norm", "vog", "plis"], min_length=1, description="that are published"
    )
    report: ReportBlock = Field(default=ReportBlock(), description="what sites publish")
    gradient_bound: Positive | None = Field(
        default=None,
        description="to which the gradients of pixels are clipped for the variance query of VoG "
        "that the paper proposes, public; null: it is not asked",
    )
    epsilons: Distinct[Positive] = Field(
        default=[0.1, 0.3, 1, 4, 16],
        min_length=1,
        description="of one published statistic, in the study of what noise does",
    )
    draws: Count = Field(default=20, description="of each statistic in that study")
    scenarios: dict[Name, ScenarioBlock] = Field(min_length=1, description="scenarios by name")

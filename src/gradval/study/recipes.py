"""The keys of `training`: hyper-parameters, in blocks that are merged from general to special."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from gradval.study.fields import (
    BelowOne,
    Block,
    BlockName,
    Count,
    NotNegative,
    Positive,
    as_whole,
)

NEEDED: Any = None  # in the place of a default: some block must give the key


class RecipeBlock(Block):
    """Some hyper-parameters; those that no block gives have their default."""

    epochs: Positive = Field(default=NEEDED, description="expected passes over the data, full run")
    first_epochs: Positive = Field(
        default=NEEDED, description="the same before pruning (paper: 5 to 10)"
    )
    second_epochs: Positive = Field(
        default=NEEDED, description="the same after pruning, on what is left (paper: 10 to 20)"
    )
    batch_size: Count = Field(
        default=NEEDED, description="expected samples a step; batches are Poisson samples"
    )
    physical_batch_size: Count = Field(
        default=512,
        description="images (views) in memory at a time; does not change the result",
    )
    learning_rate: Positive = Field(default=NEEDED, description="of SGD, at its height")
    schedule: Literal["constant", "cosine"] = Field(
        default="constant", description="of the learning rate; cosine falls to zero at the end"
    )
    warmup: BelowOne = Field(
        default=0.0, description="share of the steps over which the learning rate rises"
    )
    momentum: BelowOne = Field(default=0.9, description="of SGD")
    weight_decay: NotNegative = Field(default=0.0, description="L2 penalty of SGD")
    ema_decay: BelowOne = Field(
        default=0.0,
        description="of the average of the weights that is evaluated, kept and scored; 0 for none",
    )
    clipping_norm: Positive = Field(
        default=1.0, description="L2 bound on each sample's gradient (private runs)"
    )
    clipping: Literal["bookkeeping", "hooks", "ghost", "functorch"] = Field(
        default="bookkeeping",
        description="way of clipping: ours, or one of Opacus's; does not change the result",
    )
    checkpoints: Annotated[int, Field(ge=2), BeforeValidator(as_whole)] = Field(
        default=5, description="K of VoG, spread evenly over training, the last at its end"
    )
    augmentation: Literal["none", "flip", "flip-crop"] = Field(
        default="none", description="of training images, never of scored ones"
    )
    multiplicity: Count = Field(
        default=1,
        description="augmented views of a sample each time that it is drawn; averaged, in private "
        "runs before clipping",
    )


Training = dict[BlockName, RecipeBlock]


def merged(*sources: Training, blocks: tuple[str, ...]) -> dict[str, Any]:
    """Hyper-parameters of some blocks of some sources, later ones winning, then the defaults.

    Raises:
        ValueError: none of them gives a key that has no default.
    """
    given: dict[str, Any] = {}
    for source in sources:
        for name in dict.fromkeys(blocks):
            if name in source:
                given |= source[name].model_dump(exclude_unset=True)
    defaults = {name: field.default for name, field in RecipeBlock.model_fields.items()}
    complete = defaults | given
    for name, value in complete.items():
        if value is NEEDED:
            raise ValueError(f"{name} is missing; give it in training.default")
    return complete

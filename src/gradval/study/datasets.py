"""The keys of a data set in the config: those of every one, and those of each source."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from gradval.study.fields import (
    BelowOne,
    Block,
    Checksum,
    Count,
    Fraction,
    Name,
    Number,
    Positive,
    Seed,
    Text,
    as_whole,
)
from gradval.study.recipes import Training


def _in_units_of_one(value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"must be in units of 0 to 1, not 0 to 255, but is {value:g}")
    return value


def _above_zero(value: float) -> float:
    if value <= 0:
        raise ValueError(f"must be above 0, but is {value:g}")
    return value


Constant = Annotated[
    Number,
    AfterValidator(_in_units_of_one),
    Field(json_schema_extra={"minimum": 0, "maximum": 1}),
]
Channels = Annotated[Literal[1, 3], BeforeValidator(as_whole)]


class Planted(Block):
    """What is planted in the training split, to see who finds it."""

    wrong_labels: BelowOne = Field(
        default=0.0, description="share of the training images that get a wrong label"
    )
    duplicates: BelowOne = Field(
        default=0.0, description="share of the training images of which a copy is appended"
    )
    seed: Seed = Field(default=0, description="of the draw of these images and labels")


class DatasetBlock(Block):
    """What every data set states."""

    mean: list[Constant] = Field(
        min_length=1,
        description="subtracted from the pixels: public constants, one a channel, in units of 0 to "
        "1; never computed from private images",
    )
    std: list[Annotated[Constant, AfterValidator(_above_zero)]] = Field(
        min_length=1, description="what the pixels are divided by, as `mean`"
    )
    delta: Fraction = Field(description="of every (epsilon, delta) statement about this data set")
    planted: Planted | None = Field(
        default=None, description="wrong labels and duplicates, recorded in the store"
    )
    budget: Positive | None = Field(
        default=None,
        description="limit, for good, on the epsilon at `delta` of all private trainings, audits "
        "and releases of this data set together, as composed; refused before anything is spent "
        "beyond it; null: nothing is counted",
    )
    training: Training = Field(
        default={}, description="merged over the general `training`, see there"
    )

    @property
    def colours(self) -> int:
        """The number of channels of the images."""
        raise NotImplementedError

    def options(self) -> dict[str, Any]:
        """What defines the data set: all that is stated but training and budget."""
        return self.model_dump(exclude={"training", "budget"}, exclude_none=True)

    @model_validator(mode="after")
    def _one_constant_a_channel(self) -> Self:
        for name in ("mean", "std"):
            given = len(getattr(self, name))
            if given != self.colours:
                raise ValueError(
                    f"{name} has {given} number{'s' * (given > 1)} for images of {self.colours} "
                    f"channel{'s' * (self.colours > 1)}; give one a channel"
                )
        return self


class Digits(DatasetBlock):
    """scikit-learn's 1,797 handwritten digits of 8x8 pixels."""

    source: Literal["digits"]
    test_fraction: Fraction = Field(description="share of the images that is held out for testing")
    split_seed: Seed = Field(default=0, description="of the draw of the test split")

    @property
    def colours(self) -> int:
        return 1


class ImageFiles(DatasetBlock):
    """What every source that reads image files states."""

    path: Text | None = Field(
        default=None, description="folder, or tar or zip archive of the original data"
    )
    sha256: Checksum | None = Field(default=None, description="checksum that the archive must have")
    image_size: Annotated[int, Field(ge=8), BeforeValidator(as_whole)] = Field(
        default=32, description="pixels a side; other images are resized"
    )
    channels: Channels = Field(
        default=3, description="1 for grey, 3 for colour; others are converted"
    )
    resize: Literal["squash", "crop"] = Field(
        default="squash", description="squash other shapes to the square, or crop its middle"
    )
    on_bad_image: Literal["fail", "skip"] = Field(
        default="fail", description="stop at a file that cannot be read, or leave it out"
    )
    on_duplicate: Literal["fail", "skip", "keep"] = Field(
        default="fail",
        description="stop at a training image that is in the test split too, leave it out of "
        "training, or keep it",
    )
    subfolders: Literal["fail", "join", "group"] = Field(
        default="fail",
        description="folders within a class: stop, take their images for those of the class, or "
        "take each for a group such as a patient",
    )
    ignore: list[Text] | None = Field(
        default=None, description="patterns of the names of files to leave out, as `*.txt`"
    )
    group_pattern: Text | None = Field(
        default=None,
        description="regular expression with one group in parentheses: the group, such as a "
        "patient, in the name of a file",
    )
    transparency: Literal["white", "black", "fail"] = Field(
        default="white", description="the background of transparent images, or stop at them"
    )
    pixel_range: Annotated[list[Number], Field(min_length=2, max_length=2)] | None = Field(
        default=None,
        description="[black, white] of images of more than 8 bits: values that become 0 and 255",
    )
    train_images: Count | None = Field(
        default=None, description="only so many training images, the classes in their proportions"
    )
    test_images: Count | None = Field(
        default=None, description="only so many test images, the classes in their proportions"
    )
    subset_seed: Seed = Field(default=0, description="of the draw of those subsets")

    @property
    def colours(self) -> int:
        return self.channels


class Cifar10(ImageFiles):
    """CIFAR-10; downloaded without `path`."""

    source: Literal["cifar10"]


class Cinic10(ImageFiles):
    """CINIC-10."""

    source: Literal["cinic10"]
    path: Text = Field(description="CINIC-10.tar.gz, or the folder that it contains")


class Pppd(ImageFiles):
    """Paediatric chest X-rays."""

    source: Literal["pppd"]
    path: Text = Field(description="the folder chest_xray, or an archive of it")
    image_size: Annotated[int, Field(ge=8), BeforeValidator(as_whole)] = Field(
        default=224, description="pixels a side; other images are resized"
    )
    channels: Channels = Field(
        default=1, description="1 for grey, 3 for colour; others are converted"
    )


class Folder(ImageFiles):
    """Images of one's own."""

    source: Literal["folder"]
    path: Text = Field(
        description="folder, or tar or zip archive, with `train|test/<class>/<file>` or "
        "`<class>/<file>`"
    )
    image_size: Annotated[int, Field(ge=8), BeforeValidator(as_whole)] = Field(
        description="pixels a side; other images are resized"
    )
    channels: Channels = Field(description="1 for grey, 3 for colour; others are converted")
    labels: Text | None = Field(
        default=None,
        description="a table of the columns file, label and, if wanted, group and split",
    )
    test_fraction: Fraction | None = Field(
        default=None, description="with `<class>/<file>`: share that is held out for testing"
    )
    split_seed: Seed | None = Field(
        default=None, description="of the draw of the test split; needed with `test_fraction`"
    )

    @model_validator(mode="after")
    def _a_split_needs_its_seed(self) -> Self:
        if self.test_fraction is not None and self.split_seed is None:
            raise ValueError("with 'test_fraction' the key 'split_seed' is needed too")
        return self


class Own(DatasetBlock):
    """Images that a function of one's own reads."""

    source: Literal["own"]
    loader: Text = Field(
        description="import path, `my_images:load`, of a function of the data set's name, its "
        "block and a folder for temporary data that returns a `gradval.data.store.Store`"
    )
    channels: Channels = Field(description="1 for grey, 3 for colour")
    settings: dict[Name, Any] = Field(default={}, description="whatever the function reads")

    @property
    def colours(self) -> int:
        return self.channels


Dataset = Annotated[
    Digits | Cifar10 | Cinic10 | Pppd | Folder | Own,
    Field(discriminator="source", description="by `source`"),
]

"""What is known of a run fills the options that were left open."""

from collections.abc import Mapping
from typing import Any

from gradval.scores.registry import ScoreOptions


def with_facts(options: ScoreOptions, facts: Mapping[str, Any]) -> ScoreOptions:
    """The options of a score, those that are `None` taken from what is known.

    Args:
        options: of any score.
        facts: name of an option -> its value in this run, as `mean` and `std` of the data set and
            `learning_rates` of the checkpoints; what a score does not ask for is left out.

    Raises:
        ValueError: a fact is not what the option allows.
    """
    open_ = {
        name: value
        for name, value in facts.items()
        if name in type(options).model_fields and getattr(options, name) is None
    }
    return type(options).model_validate(options.model_dump() | open_)

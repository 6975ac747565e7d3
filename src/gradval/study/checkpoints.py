"""The keys of a model that is trained already: where its checkpoints are, what is known of it."""

import re
from typing import Literal, Self

from pydantic import Field, model_validator

from gradval.study.fields import Block, Distinct, Privacy, Text
from gradval.study.names import NON_PRIVATE, is_private


def import_path(architecture: str) -> str:
    """`mine:build` for `mine.py:build`, a file beside the config; anything else as it is."""
    return re.sub(r"^(\w+)\.py:", r"\1:", architecture)


class OwnCheckpoints(Block):
    """Checkpoints of one's own, in the place of a training."""

    files: Distinct[Text] = Field(
        min_length=1,
        description="state dicts (.pt, .pth, .ckpt, .safetensors) or patterns of them, in the "
        "natural order of their names; the last is the final model. `{seed}` and `{draw}` stand "
        "for those of a run",
    )
    training: Literal["unknown", "public", "private"] = Field(
        description="unknown: no epsilon is stated; public: your word that the model was not "
        "trained, tuned or chosen with these images; private: on these images, as `events` says"
    )
    events: Text | None = Field(
        default=None, description="with `private`: the events.json of the training"
    )
    privacy: Privacy = Field(
        default=NON_PRIVATE,
        description="the level of `grid.privacy` that the model stands at; with `private` the "
        "epsilon that its events must not exceed",
    )

    def of_run(self, seed: int, draw: int) -> tuple[str, ...]:
        """The patterns of the files of one run."""
        fields = {"{seed}": str(seed), "{draw}": str(draw)}
        return tuple(re.sub(r"\{(seed|draw)\}", lambda m: fields[m[0]], f) for f in self.files)

    @model_validator(mode="after")
    def _private_is_what_events_say(self) -> Self:
        private = self.training == "private"
        if private != (self.events is not None):
            raise ValueError("events: needed with 'training: private', and only then")
        if private != is_private(self.privacy):
            level = "the epsilon that the events keep, such as eps8" if private else NON_PRIVATE
            raise ValueError(f"privacy: with 'training: {self.training}' it is {level}")
        return self

"""What a config says about the page of its study."""

from collections.abc import Iterable, Mapping
from typing import Any

from gradval.study import experiments
from gradval.study.config import Study
from gradval.study.experiments import Figure
from gradval.study.names import dataset_label


def shows_images(figure: Figure) -> bool:
    """Whether samples of the data set can be seen on a figure."""
    return figure.kind != "agreement"


def study_facts(
    study: Study, shown: Iterable[str], figures: Mapping[str, Figure]
) -> dict[str, Any]:
    """What a config says about the page of its study.

    Args:
        study: what is studied.
        shown: names of the figures on the page, in order.
        figures: all that are drawn.

    Returns:
        Arguments of `gradval.report.study_page.facts.Facts` as plain values, without how the
        study was made, the claims and the config itself.
    """
    grid = study.grid
    noise = [seeded_sentence()] if experiments.seeds_noise(study) else []
    return {
        "subtitle": "Gradient-based data valuation under differential privacy: "
        + ", ".join(map(dataset_label, grid.datasets)),
        "k": study.selection.k,
        "figures": {
            name: {
                "title": figures[name].title,
                "comparisons": [comparison.name for comparison in figures[name].comparisons],
                "images": shows_images(figures[name]),
            }
            for name in shown
        },
        "notices": noise,
        "private": [name for name in grid.datasets if experiments.images_notice(study, name)],
    }


def seeded_sentence() -> str:
    """What is to be said of every ε of a study with seeded noise, in short."""
    return (
        "Noise was drawn from seeds, so that the study can be repeated: each ε is what the same "
        "training promises with secret noise."
    )

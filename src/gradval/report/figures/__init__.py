"""The paper's figures, drawn from plain data: arrays, data frames and strings.

- ``selection``: two selections side by side with their statistics (Figures 2 and 4 to 10);
- ``extremes``: the samples at both ends of a score;
- ``sheet``: the contact sheet that these two are made of;
- ``distribution``: the distribution of one score with example images (Figure 1);
- ``agreement``: agreement of private and non-private selections, score by score (Figure 3);
- ``levels``: what a privacy level changes, beside what noise and weights do;
- ``free_scores``: agreement of the scores collected while training with the exact ones;
- ``accuracy``: test accuracy after removal (Table 1) and over training;
- ``summary``: means over seeds, chance and ceiling from rows of ``statistics.csv``;
- ``colours``: the colour of each score;
- ``style``: the common look, and `save_figure`.

Plots of statistics are seaborn's, contact sheets of images matplotlib's own.

Every ``plot_*`` function returns a `matplotlib.figure.Figure` that belongs to no window and to no
global state. Importing this package loads none of PyTorch, seaborn and SciPy's statistics.
"""

from gradval.report.figures.accuracy import plot_learning_curves, plot_table1
from gradval.report.figures.agreement import plot_consistency
from gradval.report.figures.distribution import plot_score_distribution
from gradval.report.figures.extremes import plot_extremes
from gradval.report.figures.free_scores import plot_free_scores
from gradval.report.figures.levels import plot_levels
from gradval.report.figures.selection import plot_selection_pair
from gradval.report.figures.style import save_figure, style
from gradval.report.figures.summary import StatisticSummary, summarise

__all__ = [
    "StatisticSummary",
    "plot_consistency",
    "plot_extremes",
    "plot_free_scores",
    "plot_learning_curves",
    "plot_levels",
    "plot_score_distribution",
    "plot_selection_pair",
    "plot_table1",
    "save_figure",
    "style",
    "summarise",
]

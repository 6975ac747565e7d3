"""A claim on one line: our value and interval beside the paper's, chance and ceilings, as SVG."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup

from gradval.report.study_page.ranges import Interval
from gradval.report.tables import template

PLOT = "templates/interval.html.j2"
WIDTH, SIDE = 240.0, 10.0  # of the drawing, and free at either side, in its own units


@dataclass(frozen=True, slots=True)
class Mark:
    """A value on the line: its kind (a class of the stylesheet), name, and place."""

    kind: str
    name: str
    value: float


@dataclass(frozen=True)
class IntervalPlot:
    """What is drawn on one line.

    Attributes:
        ours: our value; NaN for none.
        interval: its interval, within what is possible.
        marks: other values.
    """

    ours: float
    interval: Interval | None = None
    marks: tuple[Mark, ...] = ()

    @property
    def digits(self) -> int:
        """Decimals of all numbers of the line."""
        ends = (self.interval.low, self.interval.high) if self.interval else ()
        return decimals(self.ours, *ends)

    def svg(self) -> Markup:
        """The drawing with its description; nothing if there is nothing to draw."""
        values = [value for value in self._values() if math.isfinite(value)]
        if math.isnan(self.ours) or not values:
            return Markup("")
        least, most = min(values), max(values)
        low, high = _frame(least, most)
        scale = (WIDTH - 2 * SIDE) / (high - low)

        def place(value: float) -> str:
            return f"{SIDE + (value - low) * scale:.1f}"

        ends = self.interval
        marks = [
            (mark.kind, mark.name, place(mark.value), number(mark.value, self.digits))
            for mark in self.marks
            if math.isfinite(mark.value)
        ]
        shown = template(PLOT).render(
            width=WIDTH,
            ours=place(self.ours),
            low=place(max(low, ends.low)) if ends else "",
            high=place(min(high, ends.high)) if ends else "",
            cut_low=bool(ends and ends.cut_low),
            cut_high=bool(ends and ends.cut_high),
            marks=marks,
            ends=(number(least, self.digits), number(most, self.digits) if most > least else ""),
            description=self.description(),
        )
        return Markup(shown.strip())

    def description(self) -> str:
        """The drawing in words."""
        parts = [f"ours {number(self.ours, self.digits)}"]
        if self.interval:
            parts.append(f"interval {interval_text(self.interval, self.digits)}")
        for mark in self.marks:
            if math.isfinite(mark.value):
                parts.append(f"{mark.name} {number(mark.value, self.digits)}")
        return ", ".join(parts)

    def _values(self) -> Iterator[float]:
        yield self.ours
        if self.interval:
            yield from (self.interval.low, self.interval.high)
        yield from (mark.value for mark in self.marks)


def _frame(low: float, high: float) -> tuple[float, float]:
    """Ends of the axis: all values, and a little more."""
    spread = (high - low) or abs(high) or 1.0
    return low - 0.04 * spread, high + 0.04 * spread


def decimals(*values: float) -> int:
    """How many decimals show numbers of this size: three digits of the largest."""
    size = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    return 0 if size >= 1000 else 1 if size >= 10 else 2 if size >= 0.1 or size == 0 else 4


def number(value: float, digits: int | None = None) -> str:
    """A number as it is read, with a true minus; nothing for NaN.

    Args:
        value: the number.
        digits: decimals; as many as its size needs by default.
    """
    if math.isnan(value):
        return ""
    text = f"{value:,.{decimals(value) if digits is None else digits}f}"
    if not text.strip("-0.,"):
        text = "0" if value == 0 else text.lstrip("-")
    return text.replace("-", "−")


def interval_text(interval: Interval | None, digits: int | None = None) -> str:
    """An interval in print, such as "[0.25, 0.85]"; nothing for none."""
    if interval is None:
        return ""
    if digits is None:
        digits = decimals(interval.low, interval.high)
    return f"[{number(interval.low, digits)}, {number(interval.high, digits)}]"

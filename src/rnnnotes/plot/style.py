"""Colours by name, titles that fit, labels at the ends of lines, ticks without mathtext."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import ParamSpec

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.text import Annotation, Text
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FuncFormatter, Locator, NullLocator
from matplotlib.transforms import blended_transform_factory, offset_copy

from rnnnotes._checks import check_choice, check_is

from .palette import CYCLE, LIGHT, MEANING

SHEET = "rnnnotes.plot.house"
Drawing = ParamSpec("Drawing")

# A weight takes the colour of the gate that does its work in an LSTM:
# what lets in, what carries on, what lets out.
WEIGHTS = {
    "weight_ih": MEANING["input_gate"],
    "weight_hh": MEANING["forget_gate"],
    "weight_ho": MEANING["output_gate"],
}


def colour(name: str) -> str:
    """Return the hex of a palette colour, or of what a colour stands for.

    ``colour("teal") == colour("hidden")``.

    Args:
        name: of :data:`LIGHT`, of :data:`MEANING`, or ``"weight_ih"``, ``"weight_hh"``,
            ``"weight_ho"``.

    Raises:
        ValueError: another name.

    Examples:
        >>> rn.plot.colour("teal")
        '#0e7490'
        >>> rn.plot.colour("hidden") == rn.plot.colour("teal")  # of hidden states
        True
    """
    check_choice("colour", name, [*LIGHT, *MEANING, *WEIGHTS])
    return LIGHT[MEANING.get(name, WEIGHTS.get(name, name))]


def line_colours(labels: Iterable[str], colours: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return {label: hex}: from ``colours`` {label: name}, else by meaning, else by the cycle."""
    given = dict(colours or {})
    unknown = [label for label in given if label not in labels]
    if unknown:
        raise ValueError(f"colours: expected labels of {list(labels)}, got {unknown[0]!r}")
    hues = {}
    for label in labels:
        if label in given or label in MEANING or label in WEIGHTS:
            hues[label] = colour(given.get(label, label))
    cycle = [colour(name) for name in CYCLE]
    free = [hue for hue in cycle if hue not in hues.values()] or cycle
    rest = [label for label in labels if label not in hues]
    hues |= {label: free[i % len(free)] for i, label in enumerate(rest)}
    return hues


def in_house_style(draw: Callable[Drawing, Axes]) -> Callable[Drawing, Axes]:
    """Decorate a drawing function so that what it adds has the house's fonts, lines and ticks."""

    @wraps(draw)
    def styled(*args: Drawing.args, **kwargs: Drawing.kwargs) -> Axes:
        with plt.style.context(SHEET):
            ax = draw(*args, **kwargs)
            # Later ticks are copies of the first: make it while the style holds.
            for axis in (ax.xaxis, ax.yaxis):
                axis.get_major_ticks(1)
            return ax

    return styled


def wrap(text: str, width: float, size: float | None = None, weight: str = "normal") -> str:
    """Break ``text`` into the fewest lines of at most ``width`` points, as even as they come.

    A single word that is wider than ``width`` stays whole. Line breaks in ``text`` are kept. On a
    screen that hints its letters, lines come out up to 5 % wider.
    """
    font = Text(0, 0, "", fontsize=size, fontweight=weight).get_fontproperties()

    def measure(words):
        return text_to_path.get_text_width_height_descent(" ".join(words), font, False)[0]

    def fill(words, limit):
        lines = [[]]
        for word in words:
            if lines[-1] and measure([*lines[-1], word]) > limit:
                lines.append([])
            lines[-1].append(word)
        return lines

    wrapped = []
    for paragraph in str(text).split("\n"):
        words = paragraph.split(" ")
        lines = fill(words, width)
        # A narrower measure with as many lines leaves no widow on the last one.
        for limit in np.linspace(width, width / 2, 12)[1:]:
            if len(narrower := fill(words, limit)) > len(lines):
                break
            if max(map(measure, narrower)) <= limit:
                lines = narrower
        wrapped += [" ".join(line) for line in lines]
    return "\n".join(wrapped)


def set_title(ax: Axes, text: str | None) -> Text | None:
    """Write a title that fits: flush with the figure if it has one axes, else with the panel.

    Args:
        ax: over which it stands.
        text: broken into lines where it is too long; None or empty writes nothing.

    Returns:
        matplotlib's text, or None without one.

    Examples:
        >>> figure, ax = plt.subplots(figsize=(3, 2))
        >>> title = rn.plot.set_title(ax, "A title that is too long for one line of a small figure")
        >>> len(title.get_text().splitlines()) > 1, ax.get_title(loc="left") == title.get_text()
        (True, True)
    """
    check_is("ax", ax, Axes)
    if not text:
        return None
    figure = ax.figure
    size, weight = plt.rcParams["axes.titlesize"], plt.rcParams["axes.titleweight"]
    across = figure.get_size_inches()[0] * 72
    alone = len(figure.axes) == 1
    room = across * (0.94 if alone else ax.get_position().width)
    label = ax.set_title(wrap(text, room, size, weight), loc="left")
    if alone:
        # x by the figure, y by the axes: matplotlib still lifts it above the axes, and the
        # layout ignores a title's width.
        label.set_x(5 / across)
        label.set_transform(blended_transform_factory(figure.transFigure, label.get_transform()))
    return label


def panel_titles(axes: Iterable[Axes] | np.ndarray, titles: Iterable[str]) -> None:
    """Write one title over each panel, wrapped to its width; a count that differs is an error.

    Args:
        axes: the panels, in an array of any shape or a list.
        titles: one for each, by rows.

    Raises:
        ValueError: a title too few or too many.

    Examples:
        >>> figure, axes = plt.subplots(1, 2)
        >>> rn.plot.panel_titles(axes, ["Clipped", "Not clipped"])
        >>> [ax.get_title(loc="left") for ax in axes]
        ['Clipped', 'Not clipped']
    """
    axes, titles = np.ravel(axes).tolist(), list(titles)
    if len(axes) != len(titles):
        raise ValueError(f"titles: expected {len(axes)}, one for each panel, got {len(titles)}")
    for index, ax in enumerate(axes):
        check_is(f"axes[{index}]", ax, Axes)
    for ax, text in zip(axes, titles, strict=True):
        set_title(ax, text)


class _Powers(Locator):
    """Ticks at whole powers of ten, at most six; at 1, 2 and 5 times them where that is too few."""

    def __call__(self):
        return self.tick_values(*self.axis.get_view_interval())

    def tick_values(self, vmin, vmax):
        low, high = np.log10(min(vmin, vmax)), np.log10(max(vmin, vmax))
        if high - low < 2:
            powers = np.arange(np.floor(low), np.ceil(high) + 1)
            ticks = np.sort(np.outer((1, 2, 5), 10**powers).ravel())
        else:
            stride = next(s for s in (1, 2, 3, 5, 10, 20, 50, 100, 200) if (high - low) / s <= 6)
            ticks = 10 ** np.arange(np.ceil(low / stride) * stride, high + 1e-9, stride)
        return ticks[(ticks >= 10 ** (low - 1e-9)) & (ticks <= 10 ** (high + 1e-9))]


def power_ticks(axis: Axis) -> None:
    """Put a logarithmic axis's ticks at powers of ten, written 0.01, 1, 100, 1e−6, 1e12.

    Args:
        axis: ``ax.xaxis`` or ``ax.yaxis``.

    Examples:
        >>> figure, ax = plt.subplots()
        >>> (line,) = ax.loglog([1, 10, 100], [1e-6, 1e-3, 1])
        >>> rn.plot.power_ticks(ax.yaxis)
        >>> figure.canvas.draw()
        >>> [label.get_text() for label in ax.get_yticklabels()]
        ['1e−6', '1e−4', '0.01', '1']
    """
    check_is("axis", axis, Axis)
    axis.set_major_locator(_Powers())
    axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axis.set_minor_locator(NullLocator())


def number(value: float) -> str:
    """Write a number in two digits: 0.001, 20, 1e−6, 3.4e38."""
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        text = f"{float(f'{value:.2g}'):g}"
    else:
        digits, power = f"{value:.1e}".split("e")
        text = f"{float(digits):g}e{int(power)}"
    return text.replace("-", "−")


def spread_out(wanted, heights, low, high):
    """Move intervals of ``heights`` centred on ``wanted`` apart, each as little as possible.

    Neighbours that would overlap share one block, centred on the mean of where its members want
    to be, as pooled adjacent violators do; then all are kept within [low, high] if they fit.
    """
    order = np.argsort(wanted, kind="stable")
    blocks = []  # (sum of wanted bottoms less the height stacked below each, members, height)
    for i in order:
        blocks.append([wanted[i] - heights[i] / 2, 1, heights[i]])
        while len(blocks) > 1 and _bottom(blocks[-2]) + blocks[-2][2] > _bottom(blocks[-1]):
            total, members, height = blocks.pop()
            blocks[-1][0] += total - members * blocks[-1][2]
            blocks[-1][1] += members
            blocks[-1][2] += height
    heights = np.asarray(heights, float)[order]
    bottoms = []
    for block, size in zip(blocks, [b[1] for b in blocks], strict=True):
        bottom = _bottom(block)
        for height in heights[len(bottoms) : len(bottoms) + size]:
            bottoms.append(bottom)
            bottom += height
    bottoms = np.array(bottoms)
    below = np.concatenate([[0.0], np.cumsum(heights)])
    bottoms = np.maximum(bottoms, low + below[:-1])
    bottoms = np.minimum(bottoms, high - (below[-1] - below[:-1]))
    centres = np.empty(len(order))
    centres[order] = bottoms + heights / 2
    return centres


def _bottom(block):
    return block[0] / block[1]


def label_lines(ax: Axes, ends: Sequence[tuple], width: float = 110) -> list[Annotation]:
    """Write labels beside the ends of lines, apart from each other, and return them.

    Call it last: limits and scale must stand.

    Args:
        ax: the axes with the lines.
        ends: a list of (text, x, y, hex) or (text, x, y, hex, side), x and y in data coordinates;
            side 1 writes the label above the end and -1 below it, 0 beside it.
        width: points before a label is wrapped.

    Raises:
        TypeError: an end that is no such tuple.

    Examples:
        >>> figure, ax = plt.subplots()
        >>> lines = ax.plot([0, 1], [[1.0, 1.0], [2.0, 2.1]])
        >>> blue, pink = rn.plot.colour("blue"), rn.plot.colour("pink")
        >>> labels = rn.plot.label_lines(ax, [("tanh", 1, 2.0, blue), ("relu", 1, 2.1, pink)])
        >>> [(label.get_text(), label.get_color()) for label in labels]
        [('tanh', '#0b5fa5'), ('relu', '#be185d')]
    """
    return _label(ax, ends, width, column=False)


def label_column(ax: Axes, ends: Sequence[tuple], width: float = 130) -> list[Annotation]:
    """Write labels in one column right of the axes, each joined to its point by a thin line.

    For points that lie in the midst of a drawing.

    Args:
        ax: the axes with the points.
        ends: as for :func:`label_lines`.
        width: points before a label is wrapped.

    Raises:
        TypeError: an end that is no such tuple.

    Examples:
        >>> figure, ax = plt.subplots()
        >>> (points,) = ax.plot([0.2, 0.8], [0.3, 0.7], "o")
        >>> ink = rn.plot.colour("ink")
        >>> ends = [("saddle", 0.2, 0.3, ink), ("minimum", 0.8, 0.7, ink)]
        >>> labels = rn.plot.label_column(ax, ends)
        >>> [label.get_text() for label in labels]
        ['saddle', 'minimum']
    """
    return _label(ax, ends, width, column=True)


def _label(ax, ends, width, column):
    check_is("ends", ends, (list, tuple), "a list of (text, x, y, hex)")
    for index, end in enumerate(ends):
        if not isinstance(end, tuple) or len(end) not in (4, 5):
            raise TypeError(f"ends[{index}]: expected (text, x, y, hex) or a side too, got {end!r}")
    ends = [(*end, 0)[:5] for end in ends if np.isfinite(end[1]) and np.isfinite(end[2])]
    if not ends:
        return []
    texts = [wrap(text, width, plt.rcParams["font.size"]) for text, *_ in ends]

    def write(shifts, lifts):
        labels = []
        stand_off = 12 if np.any(abs(shifts - lifts) > 3) else 7
        for text, (_, x, y, hue, _), shift, lift in zip(texts, ends, shifts, lifts, strict=True):
            joined = column or abs(shift - lift) > 3
            leader = dict(arrowstyle="-", color=hue, linewidth=0.8, shrinkA=1, shrinkB=3)
            if column:
                # It crosses the drawing, and must not look like a part of it.
                leader |= dict(color=colour("muted"), linestyle=(0, (1, 2)))
                # x by the frame, y by the point.
                where = offset_copy(ax.get_yaxis_transform(), ax.figure, 12, shift, "points")
                place = dict(xytext=(1, y), textcoords=where)
            else:
                place = dict(xytext=(stand_off, shift), textcoords="offset points")
            label = ax.annotate(
                text,
                (x, y),
                **place,
                color=hue,
                va="center",
                ha="left",
                linespacing=1.1,
                arrowprops=leader | dict(relpos=(0, 0.5)) if joined else None,
                annotation_clip=False,
            )
            labels.append(label)
        return labels

    # Labels take room from the axes, so they are written once to find where the lines then end.
    zeros = np.zeros(len(ends))
    draft = write(zeros, zeros)
    ax.figure.draw_without_rendering()
    points = 72 / ax.figure.dpi
    at = ax.transData.transform([(x, y) for _, x, y, *_ in ends])[:, 1] * points
    boxes = [Text.get_window_extent(label) for label in draft]
    heights = np.array([box.height * points + 2 for box in boxes])
    frame = ax.get_window_extent()
    lifts = np.array([end[4] for end in ends]) * (heights / 2 + 3)
    shifts = zeros.copy()
    for group in _side_by_side([(box.x0, box.x1) for box in boxes]):
        wanted = at[group] + lifts[group]
        low, high = frame.y0 * points - 6, frame.y1 * points + 6
        shifts[group] = spread_out(wanted, heights[group], low, high) - at[group]
    for label in draft:
        label.remove()
    return write(shifts, lifts)


def _side_by_side(spans):
    """Return groups of indices whose horizontal spans overlap, directly or through others."""
    groups, reach = [], -np.inf
    for i in sorted(range(len(spans)), key=lambda i: spans[i][0]):
        if spans[i][0] > reach:
            groups.append([])
        groups[-1].append(i)
        reach = max(reach, spans[i][1])
    return groups

"""Charts: arrays or tensors in, Axes out. One that gets no Axes makes a figure of its own."""

from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Circle, PathPatch, Rectangle
from matplotlib.path import Path
from matplotlib.ticker import FuncFormatter, MaxNLocator
from matplotlib.transforms import Affine2D, ScaledTranslation
from numpy.typing import ArrayLike

from rnnnotes._checks import (
    check_choice,
    check_int,
    check_is,
    check_number,
    check_positive,
    check_probability,
)

from .arrays import array_of, check_quantiles, curves_of, increasing, labelled, plain, same_length
from .style import (
    colour,
    in_house_style,
    label_column,
    label_lines,
    line_colours,
    number,
    power_ticks,
    set_title,
    wrap,
)

if TYPE_CHECKING:
    from rnnnotes.training.monitors import GradientHistory

FLOAT32_SMALLEST = float(np.finfo(np.float32).smallest_subnormal)
FLOAT32_LARGEST = float(np.finfo(np.float32).max)
BAND_ALPHA = 0.18
# What a monitor records of each parameter, as a label.
QUANTITIES = {
    "grad_norm": "gradient norm",
    "update_ratio": "update-to-weight ratio",
    "weight_norm": "weight norm",
}

# What a cell's short names of its gates mean: the colours of the drawings of cells.
GATES = {
    "i": "input_gate",
    "f": "forget_gate",
    "g": "candidate",
    "o": "output_gate",
    "z": "input_gate",
    "r": "forget_gate",
    "n": "candidate",
}

Curves = Mapping[str, ArrayLike]
Colours = Mapping[str, str] | None


def _axes(ax, height=3.6):
    if ax is not None:
        return ax
    return plt.subplots(figsize=(plt.rcParams["figure.figsize"][0], height))[1]


def _spread(array, quantiles):
    """Return low, median, high over seeds; NaN counts as infinite, low and high are seeds' own."""
    array = np.where(np.isnan(array), np.inf, array)
    low = np.quantile(array, quantiles[0], axis=0, method="lower")
    high = np.quantile(array, quantiles[1], axis=0, method="higher")
    return low, np.median(array, axis=0), high


def _draw_spread(ax, x, low, middle, high, hue, inside):
    """Draw a median line and its band, the band clipped to ``inside``, and return the line."""
    if np.any(low != high):
        low, high = np.clip(low, *inside), np.clip(high, *inside)
        ax.fill_between(x, low, high, color=hue, alpha=BAND_ALPHA, linewidth=0)
    return ax.plot(x, np.where(np.isfinite(middle), middle, np.nan), color=hue)[0]


def _line_across(ax, y, text, below=False):
    """Draw a dashed horizontal line over the curves, its name above or below its left end."""
    ax.axhline(y, color=colour("muted"), linewidth=1.2, linestyle=(0, (4, 3)), zorder=2.5)
    if text:
        ax.annotate(
            text,
            (0, y),
            (3, -5 if below else 3),
            xycoords=ax.get_yaxis_transform(),
            textcoords="offset points",
            ha="left",
            va="top" if below else "bottom",
            color=colour("muted"),
        )


@in_house_style
def norms_by_lag(
    norms: Curves,
    *,
    lags: ArrayLike | None = None,
    horizon: Mapping[str, float | None] | None = None,
    floor: float = FLOAT32_SMALLEST,
    ceiling: float = FLOAT32_LARGEST,
    type_name: str = "float32",
    quantiles: tuple[float, float] = (0.0, 1.0),
    colours: Colours = None,
    title: str | None = "Gradient norm by lag",
    xlabel: str = "lag T − t, in steps",
    ylabel: str = "gradient norm",
    ax: Axes | None = None,
) -> Axes:
    """Draw gradient norms against lag: median over seeds, and a band; y is logarithmic.

    A line whose median is 0 or infinite from some lag on ends there, at a cross on the line that
    marks ``floor`` or ``ceiling``; those two are drawn only where the norms reach them.
    ``rn.plot.norms_by_lag({"GRU": norms})`` draws what ``rn.gradient_norms_by_lag`` returned.

    Args:
        norms: {label: (seeds, lags) or (lags,)}, not negative; NaN counts as infinite.
        lags: (lags,) the x of each column; 0, 1, 2, … if None.
        horizon: {label: lag}: a dot on the line, and the lag in its label; None or infinite where
            it is never reached.
        floor: the smallest number of the type of that name, above 0.
        ceiling: the largest one, above ``floor``.
        type_name: that of the norms, for the labels of these two.
        quantiles: of the band; (0, 1) is the whole range of the seeds.
        colours: {label: name of a colour}, a key of ``rn.plot.LIGHT`` or ``rn.plot.MEANING``.
        title: written over the drawing; nothing if None.
        xlabel: label of the x axis.
        ylabel: label of the y axis.
        ax: where to draw; a figure of its own if None.

    Returns:
        The axes with the drawing.

    Raises:
        ValueError: norms of unequal length, below 0, or none above 0 and finite; an unknown label.

    Examples:
        >>> lags = np.arange(50)
        >>> norms = {"halving": 0.5**lags, "keeping": np.ones(50)}
        >>> ax = rn.plot.norms_by_lag(norms, horizon={"halving": rn.horizon(norms["halving"])})
        >>> ax.get_yscale(), [text.get_text().splitlines() for text in ax.texts]
        ('log', [['halving', 'horizon 10'], ['keeping']])
    """
    arrays = curves_of("norms", norms, "lags")
    check_number("floor", floor, above=0)
    check_number("ceiling", ceiling, above=floor)
    check_quantiles(quantiles)
    reached = {} if horizon is None else dict(labelled("horizon", horizon, "lag"))
    if unknown := [label for label in reached if label not in arrays]:
        raise ValueError(f"horizon: expected labels of {list(arrays)}, got {unknown[0]!r}")
    hues = line_colours(arrays, colours)
    count = next(iter(arrays.values())).shape[1]
    x = np.arange(count) if lags is None else array_of("lags", lags, ("lags",))
    same_length("lags", x, "the norms' columns", count)
    for label, array in arrays.items():
        if np.any(array < 0):
            raise ValueError(f"norms[{label!r}]: expected none below 0, got {np.nanmin(array):g}")
    values = np.concatenate([array.ravel() for array in arrays.values()])
    finite = values[np.isfinite(values) & (values > 0)]
    if finite.size == 0:
        raise ValueError("norms: expected one above 0 and finite, got none")
    ax = _axes(ax)
    ax.set_yscale("log")
    inside = [min(finite.min(), 1.0), max(finite.max(), 1.0)]
    sunk, burst = values.min() <= floor, not np.all(values <= ceiling)
    if sunk:
        inside[0] = min(inside[0], floor)
    if burst:
        inside[1] = max(inside[1], ceiling)
    # In logarithms: the span may be beyond what a float can hold.
    decades = max(np.log10(inside[1]) - np.log10(inside[0]), 1.0)
    room, label_room = 10 ** (0.05 * decades), 10 ** (0.13 * decades)
    ax.set_ylim(
        inside[0] / (label_room if sunk else room), inside[1] * (label_room if burst else room)
    )
    if sunk:
        _line_across(ax, floor, f"smallest {type_name}: {number(floor)}", below=True)
    if burst:
        _line_across(ax, ceiling, f"largest {type_name}: {number(ceiling)}")

    spreads = {label: _spread(array, quantiles) for label, array in arrays.items()}
    ends = []
    for label, (low, middle, high) in spreads.items():
        shown = np.where((middle > 0) & np.isfinite(middle), middle, np.nan)
        _draw_spread(ax, x, low, shown, high, hues[label], inside)
        text, lag, end, side = label, reached.get(label), _last(x, shown), 0
        if lag is not None and np.isfinite(lag):
            y = np.exp(np.interp(lag, x, np.log(np.clip(middle, *inside))))
            ax.plot(lag, y, "o", color=hues[label], markersize=7)
            text = f"{label}\nhorizon {lag:g}"
        for lost, at, inward in ((middle == 0, floor, 1), (np.isinf(middle), ceiling, -1)):
            if lost.any():
                end, side = (x[lost.argmax()], at), inward
                ax.plot(*end, "x", color=hues[label], markersize=7, markeredgewidth=2)
        ends.append((text, *end, hues[label], side))
    power_ticks(ax.yaxis)
    ax.set_xlim(x.min(), x.max())
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    set_title(ax, title)
    label_lines(ax, ends)
    return ax


@in_house_style
def learning_curves(
    curves: Curves,
    *,
    steps: ArrayLike | None = None,
    baseline: float | None = None,
    baseline_label: str = "trivial baseline",
    window: int | None = None,
    log: bool = True,
    quantiles: tuple[float, float] = (0.0, 1.0),
    colours: Colours = None,
    title: str | None = "Loss during training",
    xlabel: str = "training step",
    ylabel: str = "loss",
    ax: Axes | None = None,
) -> Axes:
    """Draw a loss against the training step: median over seeds, and a band.

    A seed that gave NaN or Inf counts as infinite from there on and is counted in its label.

    Args:
        curves: {label: (seeds, steps) or (steps,)}.
        steps: (steps,) the x of each column; 1, 2, 3, … if None.
        baseline: what the trivial predictor scores, drawn as a dashed line.
        baseline_label: written over that line.
        window: each point is the mean of so many steps in a row (the x label says so); None
            takes as many as leave no more than 200 points.
        log: logarithmic y; the curves and the baseline must then be above 0.
        quantiles: of the band; (0, 1) is the whole range of the seeds.
        colours: {label: name of a colour}, a key of ``rn.plot.LIGHT`` or ``rn.plot.MEANING``.
        title: written over the drawing; nothing if None.
        xlabel: label of the x axis.
        ylabel: label of the y axis.
        ax: where to draw; a figure of its own if None.

    Returns:
        The axes with the drawing.

    Raises:
        ValueError: curves of unequal length, none that is finite, or, on a log axis, not above 0.

    Examples:
        >>> curves = {"sgd": np.ones((3, 100)), "adam": 0.5 * np.ones((3, 100))}  # 3 seeds
        >>> curves["sgd"][0, 40:] = np.nan
        >>> ax = rn.plot.learning_curves(curves, baseline=0.8)
        >>> [" ".join(text.get_text().split()) for text in ax.texts]
        ['trivial baseline', 'sgd (1 of 3 diverged)', 'adam']
    """
    arrays = curves_of("curves", curves, "steps")
    count = next(iter(arrays.values())).shape[1]
    x = np.arange(1, count + 1) if steps is None else array_of("steps", steps, ("steps",))
    same_length("steps", x, "the curves' columns", count)
    window = -(-count // 200) if window is None else window
    check_int("window", window, 1, count)
    if baseline is not None:
        check_number("baseline", baseline)
    check_quantiles(quantiles)
    hues = line_colours(arrays, colours)
    lowest = min(np.nanmin(array, initial=np.inf) for array in arrays.values())
    if log and min(lowest, np.inf if baseline is None else baseline) <= 0:
        raise ValueError(f"curves: expected values above 0 on a log axis, got {lowest:g}")
    for label, array in arrays.items():
        arrays[label] = np.where(np.logical_or.accumulate(~np.isfinite(array), 1), np.inf, array)
    means = {label: _window_means(array, window) for label, array in arrays.items()}
    values = np.concatenate([array.ravel() for array in means.values()])
    values = values[np.isfinite(values)]
    if values.size == 0:
        raise ValueError("curves: expected a finite value, got none")
    inside = values.min(), values.max()
    ax = _axes(ax)
    if log:
        ax.set_yscale("log")
    ends = []
    x = _window_means(x[None], window)[0]
    for label, array in means.items():
        low, middle, high = _spread(array, quantiles)
        _draw_spread(ax, x, low, middle, high, hues[label], inside)
        lost = int((~np.isfinite(arrays[label])).any(axis=1).sum())
        text = f"{label} ({lost} of {len(array)} diverged)" if lost else label
        ends.append((text, *_last(x, middle), hues[label]))
    ax.margins(y=0.1)
    if baseline is not None:
        _line_across(ax, baseline, baseline_label)
    if log:
        power_ticks(ax.yaxis)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.set_xlim(0 if steps is None else x.min(), x.max())
    ax.set_xlabel(xlabel if window == 1 else f"{xlabel} (means of {window})")
    ax.set_ylabel(ylabel)
    set_title(ax, title)
    label_lines(ax, ends)
    return ax


def _window_means(array, window):
    """Return means of ``window`` columns in a row; the last may be of fewer."""
    parts = [array[:, i : i + window] for i in range(0, array.shape[1], window)]
    return np.stack([part.mean(axis=1) for part in parts], axis=1)


def _last(x, y):
    shown = np.flatnonzero(np.isfinite(y))
    return (x[shown[-1]], y[shown[-1]]) if shown.size else (np.nan, np.nan)


def wilson_interval(
    successes: ArrayLike,
    n: ArrayLike,
    confidence: float = 0.95,
) -> tuple[np.ndarray, np.ndarray]:
    """Return low and high of Wilson's interval for a share.

    ``p = successes / n``; z is the normal quantile of ``(1 + confidence) / 2``;
    ``middle = p + z^2 / (2 n)``; ``half = z sqrt(p (1 - p) / n + z^2 / (4 n^2))``;
    ``low = (middle - half) / (1 + z^2 / n)``; ``high = (middle + half) / (1 + z^2 / n)``.

    Args:
        successes: from 0 to n, a number or an array of any shape.
        n: number of trials, at least 1; of the same shape or one for all.
        confidence: above 0 and below 1.

    Raises:
        ValueError: counts outside of 0 to n, or no trial.

    Examples:
        >>> low, high = rn.plot.wilson_interval(8, 10)
        >>> f"{low:.2f} to {high:.2f}"
        '0.49 to 0.94'
        >>> low, high = rn.plot.wilson_interval([0, 10], 10)  # not of width 0
        >>> low.round(2), high.round(2)
        (array([0.  , 0.72]), array([0.28, 1.  ]))

    Source: Wilson, Probable inference, the law of succession, and statistical inference, 1927.
    """
    successes, n = plain("successes", successes), plain("n", n)
    check_number("confidence", confidence, above=0, below=1)
    if not np.all((n >= 1) & (successes >= 0) & (successes <= n)):
        raise ValueError(f"successes: expected 0 to n, n at least 1, got {successes} of {n}")
    p, z = successes / n, NormalDist().inv_cdf((1 + confidence) / 2)
    middle = p + z**2 / (2 * n)
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    # At 0 and at n the exact ends are 0 and 1; rounding must not pass them or the share.
    low = np.clip((middle - half) / (1 + z**2 / n), 0, p)
    high = np.clip((middle + half) / (1 + z**2 / n), p, 1)
    return low, high


@in_house_style
def success_by_length(
    successes: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike]],
    *,
    confidence: float = 0.95,
    baseline: float | None = None,
    baseline_label: str = "chance",
    colours: Colours = None,
    title: str | None = "Share of seeds that succeed, by length",
    xlabel: str = "length of the sequence",
    ylabel: str = "share that succeeds",
    ax: Axes | None = None,
) -> Axes:
    """Draw shares of successes against length, each with Wilson's interval.

    Args:
        successes: {label: (lengths, successes, n)}: two arrays of one length, and n, one for all
            or one for each length.
        confidence: of the intervals.
        baseline: a share from 0 to 1, drawn as a dashed line.
        baseline_label: written over that line.
        colours: {label: name of a colour}, a key of ``rn.plot.LIGHT`` or ``rn.plot.MEANING``.
        title: written over the drawing; nothing if None.
        xlabel: label of the x axis.
        ylabel: label of the y axis.
        ax: where to draw; a figure of its own if None.

    Returns:
        The axes with the drawing.

    Raises:
        TypeError: not three arrays to a label.
        ValueError: counts outside of 0 to n.

    Examples:
        >>> lengths, successes = [10, 100, 1000], [10, 7, 0]  # of 10 seeds each
        >>> ax = rn.plot.success_by_length({"LSTM": (lengths, successes, 10)}, baseline=0.5)
        >>> ax.get_ylabel(), [label.get_text() for label in ax.get_xticklabels()]
        ('share that succeeds', ['10', '100', '1000'])
    """
    labelled("successes", successes, "(lengths, successes, n)")
    if baseline is not None:
        check_probability("baseline", baseline)
    hues, ends, ticks, shares = line_colours(successes, colours), [], set(), {}
    for label, triple in successes.items():
        if not isinstance(triple, tuple | list) or len(triple) != 3:
            raise TypeError(
                f"successes[{label!r}]: expected (lengths, successes, n), got {triple!r:.60}"
            )
        lengths = array_of(f"successes[{label!r}][0]", triple[0], ("lengths",))
        won = array_of(f"successes[{label!r}][1]", triple[1], ("lengths",))
        same_length(f"successes[{label!r}][1]", won, "its lengths", len(lengths))
        low, high = wilson_interval(won, triple[2], confidence)
        shares[label] = lengths, won / plain("n", triple[2]), low, high
    ax = _axes(ax)
    for i, (label, (lengths, share, low, high)) in enumerate(shares.items()):
        # Intervals at one length stand beside each other, by points and not by lengths.
        aside = ScaledTranslation(
            (i - (len(successes) - 1) / 2) * 5 / 72, 0, ax.figure.dpi_scale_trans
        )
        ax.errorbar(
            lengths,
            share,
            yerr=[share - low, high - share],
            color=hues[label],
            marker="o",
            linewidth=1.6,
            elinewidth=1.4,
            transform=ax.transData + aside,
        )
        ticks |= set(lengths.tolist())
        ends.append((label, share[-1], hues[label]))
    if baseline is not None:
        _line_across(ax, baseline, baseline_label)
    ax.set_ylim(-0.03, 1.03)
    ax.yaxis.set_major_formatter(FuncFormatter(_percent))
    ticks = sorted(ticks)
    room = 0.05 * (ticks[-1] - ticks[0]) or 1
    ax.set_xlim(ticks[0] - room, ticks[-1] + room)
    if len(ticks) <= 7:
        ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    set_title(ax, title)
    label_lines(ax, [(label, ticks[-1] + room, y, hue) for label, y, hue in ends])
    return ax


@in_house_style
def contributions(
    parts: ArrayLike,
    *,
    share: float = 0.99,
    log: bool = False,
    hue: str = "gradient",
    title: str | None = "What each step adds to the gradient of the shared weight",
    xlabel: str = "step t",
    ylabel: str = "share of all the steps' norms",
    ax: Axes | None = None,
) -> Axes:
    """Draw how much of a shared weight's gradient each step makes, and how few make most of it.

    Args:
        parts: (T,) or (seeds, T), norms of the parts of steps 1 to T in order of time. Bars are
            the medians over seeds of part / sum of the parts, the whiskers their range.
        share: above 0 and at most 1; the text names the fewest last steps that make this share.
        log: logarithmic y.
        hue: name of a colour.
        title: written over the drawing; nothing if None.
        xlabel: label of the x axis.
        ylabel: label of the y axis.
        ax: where to draw; a figure of its own if None.

    Returns:
        The axes with the drawing.

    Raises:
        ValueError: norms that are negative, not finite, or all 0.

    Examples:
        >>> parts = 0.5 ** np.arange(20)[::-1]  # norms of steps 1 to 20
        >>> ax = rn.plot.contributions(parts, share=0.99)
        >>> len(ax.patches) - 1, ax.texts[0].get_text()
        (20, 'the last 7 of 20 steps make 99 %')
    """
    array = plain("parts", parts)
    array = array_of("parts", array[None] if array.ndim == 1 else array, ("seeds", "steps"))
    check_number("share", share, above=0, at_most=1)
    inner = colour(hue)
    total = array.sum(axis=1, keepdims=True)
    if not np.all(np.isfinite(total)) or np.any(array < 0) or np.any(total == 0):
        raise ValueError(
            "parts: expected finite norms of at least 0, and not all of them 0, got sums from "
            f"{total.min():g} to {total.max():g} and a lowest of {array.min():g}"
        )
    low, middle, high = _spread(array / total, (0.0, 1.0))
    steps = np.arange(1, len(middle) + 1)
    last = _last_steps(middle, share)
    ax = _axes(ax)
    if log:
        ax.set_yscale("log")
    ax.axvspan(
        len(middle) - last + 0.5, len(middle) + 0.5, color=colour("slate"), alpha=0.14, linewidth=0
    )
    ax.bar(steps, middle, width=0.8, color=inner, linewidth=0)
    if len(array) > 1:
        ax.vlines(steps, low, high, color=colour("ink"), linewidth=1)
    few = "the last step makes" if last == 1 else f"the last {last} of {len(middle)} steps make"
    left = last > len(middle) / 2
    ax.annotate(
        f"{few} {_percent(share)}",
        (len(middle) - last + 0.5, 1),
        (5 if left else -6, -4),
        xycoords=ax.get_xaxis_transform(),
        textcoords="offset points",
        ha="left" if left else "right",
        va="top",
        color=colour("ink"),
    )
    if log:
        power_ticks(ax.yaxis)
    else:
        ax.set_ylim(0, None)
        ax.yaxis.set_major_formatter(FuncFormatter(_percent))
    ax.set_xlim(0.5, len(middle) + 0.5)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    set_title(ax, title)
    return ax


def _percent(value, _=None):
    return f"{100 * value:.3g} %"


def _last_steps(parts, share):
    """Return the smallest k for which the last k parts make ``share`` of their sum."""
    made = np.cumsum(parts[::-1]) / parts.sum()
    return int(np.searchsorted(made, share * (1 - 1e-12)) + 1)


@in_house_style
def clipping_arrows(
    gradient: ArrayLike,
    clipped: Curves,
    *,
    components: tuple[int, int] = (0, 1),
    box: float | None = None,
    ball: float | None = None,
    colours: Colours = None,
    title: str | None = "What clipping does to the direction",
    xlabel: str | None = None,
    ylabel: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a gradient and what each way of clipping leaves of it, in the plane of two components.

    The labels give each one's norm, and the angle to the gradient, of the whole vectors.

    Args:
        gradient: (n,), n at least 2, not zero.
        clipped: {label: (n,)}.
        components: the two components that are drawn.
        box: the threshold of value clipping, drawn as a square.
        ball: the threshold of norm clipping, drawn as a circle.
        colours: {label: name of a colour}, a key of ``rn.plot.LIGHT`` or ``rn.plot.MEANING``.
        title: written over the drawing; nothing if None.
        xlabel: label of the x axis; the number of the component if None.
        ylabel: label of the y axis; the number of the component if None.
        ax: where to draw; a figure of its own if None.

    Returns:
        The axes with the drawing.

    Examples:
        >>> gradient = np.array([3.0, 4.0])
        >>> clipped = {"by norm": gradient / 5, "by value": np.array([1.0, 1.0])}
        >>> ax = rn.plot.clipping_arrows(gradient, clipped, ball=1.0, box=1.0)
        >>> [text.get_text().splitlines() for text in ax.texts if "turned" in text.get_text()]
        [['by norm: length 1', 'turned by 0°'], ['by value: length 1.41', 'turned by 8°']]
    """
    gradient = array_of("gradient", gradient, ("n",))
    vectors = {"gradient": gradient}
    for label, vector in labelled("clipped", clipped, "(n,)").items():
        vectors[label] = array_of(f"clipped[{label!r}]", vector, ("n",))
        same_length(
            f"clipped[{label!r}]", vectors[label], "the gradient's components", len(gradient)
        )
    check_is("components", components, (tuple, list), "a pair of numbers")
    same_length("components", components, "the axes", 2)
    i, j = components
    for name, value in (("components[0]", i), ("components[1]", j)):
        check_int(name, value, 0, len(gradient) - 1)
    for name, value in (("box", box), ("ball", ball)):
        if value is not None:
            check_positive(name, value)
    hues = line_colours(vectors, colours)
    ax = _axes(ax)
    ends = []
    if box is not None:
        ax.add_patch(Rectangle((-box, -box), 2 * box, 2 * box, **_outline()))
    if ball is not None:
        ax.add_patch(Circle((0, 0), ball, **_outline()))
    for label, vector in vectors.items():
        tip = vector[i], vector[j]
        ax.annotate(
            "", tip, (0, 0), arrowprops=_arrow(hues[label], 3 if label != "gradient" else 2)
        )
        length = np.linalg.norm(vector)
        text = f"{label}: length {length:.3g}"
        if label != "gradient":
            text += f"\nturned by {_angle(gradient, vector):.0f}°"
        ends.append((text, *tip, hues[label]))
    reach = [abs(v) for v in (box, ball) if v is not None]
    corners = np.array([[v[i], v[j]] for v in vectors.values()] + [[0, 0]])
    corners = np.concatenate([corners, *([[[-r, -r], [r, r]] for r in reach])])
    _plane(ax, corners, ticks=4)
    ax.set_xlabel(f"component {i}" if xlabel is None else xlabel)
    ax.set_ylabel(f"component {j}" if ylabel is None else ylabel)
    set_title(ax, title)
    label_column(ax, ends)
    return ax


def _angle(a, b):
    """Return the angle between two vectors in degrees; NaN if one is zero."""
    a, b = a / (np.linalg.norm(a) or np.nan), b / (np.linalg.norm(b) or np.nan)
    # Stable where arccos of a cosine near 1 is not.
    return np.degrees(2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b)))


def _plane(ax, corners, ticks):
    """Show the plane around ``corners`` and its axes, lengths equal both ways."""
    # The limits follow the frame, so that no room is lost.
    ax.update_datalim(corners)
    ax.margins(0.06)
    ax.autoscale_view()
    ax.set_aspect("equal", adjustable="datalim")
    ax.grid(True, axis="both")
    ax.axhline(0, color=colour("muted"), linewidth=0.9, zorder=1)
    ax.axvline(0, color=colour("muted"), linewidth=0.9, zorder=1)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(ticks, steps=[1, 2, 5, 10]))


def _outline():
    return dict(fill=False, edgecolor=colour("muted"), linewidth=1.1, linestyle=(0, (4, 3)))


def _arrow(hue, width=2.0, head=1.0):
    """Return the properties of an arrow that ends exactly at its point."""
    style = f"-|>,head_length={0.5 * head},head_width={0.25 * head}"
    return dict(
        arrowstyle=style,
        color=hue,
        linewidth=width,
        shrinkA=0,
        shrinkB=0,
        mutation_scale=14,
        joinstyle="miter",
        capstyle="butt",
    )


@in_house_style
def cliff(
    w: ArrayLike,
    b: ArrayLike,
    error: ArrayLike,
    paths: Curves | None = None,
    *,
    levels: int = 8,
    colours: Colours = None,
    title: str | None = "The error surface has a cliff",
    xlabel: str = "weight w",
    ylabel: str = "bias b",
    ax: Axes | None = None,
) -> Axes:
    """Draw an error surface over two parameters, the greyer the higher, and paths over it.

    A star marks the lowest error on the map. A path that leaves the map ends at its edge, and its
    label says where it went.

    Args:
        w: (n,), increasing.
        b: (m,), increasing.
        error: (m, n), the error at (w[j], b[i]).
        paths: {label: (steps + 1, 2)} with rows (w, b), the first where all begin.
        levels: number of shades, of equal steps of error, at least 2.
        colours: {label: name of a colour}, a key of ``rn.plot.LIGHT`` or ``rn.plot.MEANING``.
        title: written over the drawing; nothing if None.
        xlabel: label of the x axis.
        ylabel: label of the y axis.
        ax: where to draw; a figure of its own if None.

    Returns:
        The axes with the drawing.

    Raises:
        ValueError: shapes that do not fit, axes that do not increase, a path that begins outside.

    Examples:
        >>> w, b = np.linspace(-1, 1, 21), np.linspace(-1, 1, 11)
        >>> error = w**2 + b[:, None] ** 2
        >>> path = 0.9 ** np.arange(10)[:, None] * [0.8, 0.6]
        >>> ax = rn.plot.cliff(w, b, error, {"descent": path}, title="A bowl")
        >>> [text.get_text() for text in ax.texts]
        ['lowest error', 'descent']
    """
    w, b = increasing("w", w), increasing("b", b)
    error = array_of("error", error, ("m", "n"))
    if error.shape != (len(b), len(w)):
        raise ValueError(f"error: expected shape {(len(b), len(w))}, got {error.shape}")
    check_int("levels", levels, 2)
    paths = {} if paths is None else labelled("paths", paths, "(steps + 1, 2)")
    hues = line_colours(paths, colours)
    ax = _axes(ax)
    edges = np.linspace(np.nanmin(error), np.nanmax(error), levels + 1)
    # One hue in steps of opacity reads on light paper and on dark alike.
    shades = [(*to_rgb(colour("slate")), alpha) for alpha in np.linspace(0.0, 0.75, levels)]
    ax.contourf(w, b, error, levels=edges, colors=shades)
    ax.contour(w, b, error, levels=edges[1:-1], colors=[colour("slate")], linewidths=0.6)
    row, column = np.unravel_index(np.nanargmin(error), error.shape)
    lowest = w[column], b[row]
    ax.plot(*lowest, "*", color=colour("ink"), markersize=9, zorder=3)
    ends = [("lowest error", *lowest, colour("ink"))]
    for label, path in paths.items():
        path = array_of(f"paths[{label!r}]", path, ("steps + 1", "2"))
        if path.shape[1] != 2:
            raise ValueError(f"paths[{label!r}]: expected shape (steps + 1, 2), got {path.shape}")
        inside = (path >= (w[0], b[0])).all(1) & (path <= (w[-1], b[-1])).all(1)
        stays = len(path) if inside.all() else int((~inside).argmax())
        if stays == 0:
            raise ValueError(f"paths[{label!r}]: expected to begin on the map, got {path[0]}")
        ax.plot(*path[:stays].T, "o-", color=hues[label], markersize=4.5, linewidth=1.6)
        end, text = path[stays - 1], label
        if stays < len(path):
            gone = path[stays]
            end = _edge(end, gone, (w[0], b[0]), (w[-1], b[-1]))
            ax.annotate("", end, path[stays - 1], arrowprops=_arrow(hues[label], 1.6, 0.8))
            text = f"{label}: leaps to\nw = {number(gone[0])}\nb = {number(gone[1])}"
        ends.append((text, *end, hues[label]))
    ax.set_xlim(w[0], w[-1])
    ax.set_ylim(b[0], b[-1])
    ax.grid(False)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    set_title(ax, title)
    label_column(ax, ends, width=100)
    return ax


def _edge(start, stop, low, high):
    """Return where the segment from ``start``, inside, to ``stop``, outside, leaves the box."""
    start, way = np.asarray(start, float), np.subtract(stop, start)
    limit = np.where(way > 0, high, low)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.where(way == 0, np.inf, (limit - start) / way)
    return start + shares.min() * way


@in_house_style
def dot_rows(
    rows: Curves,
    *,
    threshold: float | None = None,
    threshold_label: str | None = None,
    log: bool = False,
    colours: Colours = None,
    title: str | None = "Every seed",
    xlabel: str = "measured",
    ax: Axes | None = None,
) -> Axes:
    """Draw one row of dots for each label, a dot a seed, a tick at the median, and a threshold.

    What cannot be drawn (not finite, or not above 0 on a log axis) is counted in the row's label.

    Args:
        rows: {label: (seeds,)}, the first at the top.
        threshold: drawn as a dashed vertical line.
        threshold_label: written beside it; its value if None.
        log: logarithmic x.
        colours: {label: name of a colour}, a key of ``rn.plot.LIGHT`` or ``rn.plot.MEANING``.
        title: written over the drawing; nothing if None.
        xlabel: label of the x axis.
        ax: where to draw; a figure of its own if None.

    Returns:
        The axes with the drawing.

    Raises:
        ValueError: no row, or no value that can be drawn.

    Examples:
        >>> rows = {"LSTM": [0.91, 0.95, 0.97], "RNN": [0.5, 0.6, np.nan]}  # 3 seeds each
        >>> ax = rn.plot.dot_rows(rows, threshold=0.9)
        >>> [" ".join(label.get_text().split()) for label in ax.get_yticklabels()]
        ['LSTM', 'RNN (1 of 3 off the axis)']
    """
    labelled("rows", rows, "(seeds,)")
    arrays = {label: array_of(f"rows[{label!r}]", row, ("seeds",)) for label, row in rows.items()}
    if threshold is not None:
        check_number("threshold", threshold)
    hues, names = line_colours(arrays, colours), []
    ax = _axes(ax, height=1.25 + 0.47 * len(rows))
    if log:
        ax.set_xscale("log")
    drawn = {}
    for label, row in arrays.items():
        drawn[label] = np.sort(row[np.isfinite(row) & ((row > 0) | (not log))])
        missing = len(row) - len(drawn[label])
        names.append(f"{label} ({missing} of {len(row)} off the axis)" if missing else label)
    ever = np.concatenate([*drawn.values(), [] if threshold is None else [threshold]])
    if ever.size == 0:
        raise ValueError("rows: expected a value that can be drawn, got none")
    across = np.ptp(np.log(ever) if log else ever)
    for i, (label, row) in enumerate(drawn.items()):
        lift = _lifts(np.log(row) if log else row, 0.018 * across)
        ax.plot(
            row, i + lift, "o", color=hues[label], alpha=0.75, markersize=6.5, markeredgewidth=0
        )
        if row.size:
            ax.plot([np.median(row)] * 2, [i - 0.34, i + 0.34], color=colour("ink"), linewidth=1.6)
    ax.set_ylim(len(rows) - 0.5, -0.5 if threshold is None else -1.0)
    size = plt.rcParams["font.size"]
    ax.set_yticks(range(len(rows)), [wrap(name, 110, size) for name in names])
    ax.tick_params(axis="y", labelcolor=colour("ink"))
    ax.spines["left"].set_visible(False)
    if threshold is not None:
        ax.axvline(
            threshold, color=colour("muted"), linewidth=1.2, linestyle=(0, (4, 3)), zorder=1.5
        )
        low, high = ax.get_xlim()
        middle = np.sqrt(low * high) if log else (low + high) / 2
        right = threshold > middle
        ax.annotate(
            f"threshold {number(threshold)}" if threshold_label is None else threshold_label,
            (threshold, -1.0),
            (-4 if right else 4, -2),
            textcoords="offset points",
            ha="right" if right else "left",
            va="top",
            color=colour("muted"),
        )
    if log:
        power_ticks(ax.xaxis)
    else:
        ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.grid(True, axis="x")
    ax.set_xlabel(xlabel)
    set_title(ax, title)
    return ax


def _lifts(row, near):
    """Return a lift for each of sorted values, so that close ones do not hide each other."""
    lifts, taken = [], {}
    for value in row:
        for lift in (0.0, -0.17, 0.17):
            if value - taken.get(lift, -np.inf) >= near:
                break
        taken[lift] = value
        lifts.append(lift)
    return np.array(lifts)


@in_house_style
def spectrum(
    matrices: ArrayLike | Curves,
    *,
    colours: Colours = None,
    title: str | None = "Eigenvalues and the unit circle",
    xlabel: str = "real part",
    ylabel: str = "imaginary part",
    ax: Axes | None = None,
) -> Axes:
    """Draw eigenvalues in the complex plane with the unit circle; labels give spectral radii.

    Args:
        matrices: (H, H), or {label: (H, H)}.
        colours: {label: name of a colour}, a key of ``rn.plot.LIGHT`` or ``rn.plot.MEANING``.
        title: written over the drawing; nothing if None.
        xlabel: label of the x axis.
        ylabel: label of the y axis.
        ax: where to draw; a figure of its own if None.

    Returns:
        The axes with the drawing.

    Raises:
        ValueError: a matrix that is not square and finite.

    Examples:
        >>> rotation = np.array([[0.0, -1.0], [1.0, 0.0]])  # eigenvalues i and -i
        >>> ax = rn.plot.spectrum({"rotation": rotation, "half of it": rotation / 2})
        >>> [text.get_text().splitlines() for text in ax.texts]
        [['rotation', 'spectral radius 1'], ['half of it', 'spectral radius 0.5']]
    """
    matrices = matrices if isinstance(matrices, Mapping) else {"": matrices}
    hues, ends = line_colours(labelled("matrices", matrices, "(H, H)"), colours), []
    ax = _axes(ax, height=4.2)
    ax.add_patch(Circle((0, 0), 1, **_outline()))
    corners = [[-1, -1], [1, 1]]
    for label, matrix in matrices.items():
        name = f"matrices[{label!r}]" if label else "matrices"
        matrix = array_of(name, matrix, ("H", "H"))
        if matrix.shape[0] != matrix.shape[1] or not np.isfinite(matrix).all():
            raise ValueError(f"{name}: expected a finite square matrix, got {matrix.shape}")
        values = np.linalg.eigvals(matrix)
        ax.plot(values.real, values.imag, "o", color=hues[label], markersize=5, alpha=0.8, mew=0)
        corners += [[v.real, v.imag] for v in values]
        largest = values[np.lexsort((values.imag, abs(values).round(12)))[-1]]
        text = f"spectral radius {abs(largest):.3g}"
        ends.append((f"{label}\n{text}".strip(), largest.real, largest.imag, hues[label]))
    _plane(ax, corners, ticks=5)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    set_title(ax, title)
    label_column(ax, ends)
    return ax


@in_house_style
def gates_over_time(
    gates: Curves,
    *,
    tokens: Sequence[object] | None = None,
    quantiles: tuple[float, float] = (0.25, 0.75),
    colours: Colours = None,
    title: str | None = "The gates over time",
    xlabel: str = "step t",
    ylabel: str = "value of the gate",
    ax: Axes | None = None,
) -> Axes:
    """Draw gates against time: the median over units, and a band.

    Args:
        gates: {name: (T, H) or (T,)} of one sequence, such as
            ``{name: gate[0] for name, gate in rn.unroll(cell, x).gates().items()}``. One of the
            names of :data:`MEANING`, or i, f, g, o as a cell calls them (of a GRU z, r and n),
            takes the colour that it has in the drawings of cells.
        tokens: T texts to write under the steps instead of 1 to T.
        quantiles: of the band over units.
        colours: {name: name of a colour}, as ``{"z": "teal"}``: a key of ``rn.plot.LIGHT`` or
            ``rn.plot.MEANING``.
        title: written over the drawing; nothing if None.
        xlabel: label of the x axis.
        ylabel: label of the y axis.
        ax: where to draw; a figure of its own if None.

    Returns:
        The axes with the drawing.

    Examples:
        >>> gates = {"forget_gate": 0.9 * np.ones((5, 8)), "input_gate": 0.1 * np.ones((5, 8))}
        >>> ax = rn.plot.gates_over_time(gates, tokens="hello")
        >>> [text.get_text() for text in ax.texts]
        ['forget gate', 'input gate']
        >>> ax.lines[0].get_color() == rn.plot.colour("forget_gate")
        True
        >>> cell = rn.LSTMCell(2, 3, generator=torch.Generator().manual_seed(0))
        >>> gates = rn.unroll(cell, torch.ones(1, 6, 2)).gates()
        >>> ax = rn.plot.gates_over_time({name: gate[0] for name, gate in gates.items()})
        >>> ax.lines[1].get_color() == rn.plot.colour("forget_gate")  # that of f
        True
    """
    check_quantiles(quantiles)
    units = {}
    for name, value in labelled("gates", gates, "(T, H)").items():
        array = plain(f"gates[{name!r}]", value)
        units[name] = array.T if array.ndim == 2 else array
    arrays = curves_of("gates", units, "steps")
    x = np.arange(1, next(iter(arrays.values())).shape[1] + 1)
    if tokens is not None:
        check_is("tokens", tokens, Sequence, "a sequence of texts")
        same_length("tokens", tokens, "the steps", len(x))
    named = {name: GATES[name] for name in arrays if name in GATES}
    hues, ends = line_colours(arrays, named | dict(colours or {})), []
    ax = _axes(ax)
    everything = np.concatenate([array.ravel() for array in arrays.values()])
    inside = np.nanmin(everything), np.nanmax(everything)
    for name, array in arrays.items():
        low, middle, high = _spread(array, quantiles)
        _draw_spread(ax, x, low, middle, high, hues[name], inside)
        ends.append((name.replace("_", " "), *_last(x, middle), hues[name]))
    ax.set_ylim(min(-0.03, inside[0] - 0.03), max(1.03, inside[1] + 0.03))
    ax.set_xlim(1, max(len(x), 2))
    if tokens is None:
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    else:
        ax.set_xticks(x, [str(token) for token in tokens])
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    set_title(ax, title)
    label_lines(ax, ends)
    return ax


@in_house_style
def monitored(
    history: "GradientHistory",
    quantity: str = "grad_norm",
    *,
    most: int = 5,
    colours: Colours = None,
    title: str | None = None,
    xlabel: str = "observation",
    ylabel: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw what a ``GradientMonitor`` saw of each parameter, a line each; y is logarithmic.

    A cross marks the last value before a gradient's first NaN or Inf. Zeros and missing updates
    leave a gap.

    Args:
        history: ``monitor.history``, N observations of P parameters.
        quantity: the array (N, P) to draw: ``"grad_norm"``, ``"update_ratio"``, ``"weight_norm"``.
        most: so many parameters have a colour and a name, evenly from the smallest median to the
            largest; the others are thin and grey. At least 2.
        colours: {parameter: name of a colour}.
        title: the quantity in words if None.
        xlabel: label of the x axis.
        ylabel: label of the y axis; the quantity in words if None.
        ax: where to draw; a figure of its own if None.

    Returns:
        The axes with the drawing.

    Raises:
        ValueError: no value above 0 and finite.

    Examples:
        >>> layer = torch.nn.utils.skip_init(torch.nn.Linear, 1, 1)
        >>> monitor = rn.GradientMonitor(layer)
        >>> for step in range(3):
        ...     layer(torch.ones(1, 1)).sum().backward()  # gradients add up: 1, 2, 3
        ...     monitor.observe()
        >>> ax = rn.plot.monitored(monitor.history)
        >>> ax.get_title(loc="left"), ax.lines[0].get_ydata()
        ('Gradient norm of each parameter', array([1., 2., 3.]))
    """
    check_choice("quantity", quantity, QUANTITIES)
    check_int("most", most, 2)
    values = array_of(f"history.{quantity}", getattr(history, quantity, None), ("N", "P"))
    same_length("history.names", history.names, "the columns", values.shape[1])
    values = np.where((values > 0) & np.isfinite(values), values, np.nan)
    drawn = np.flatnonzero(np.isfinite(values).any(axis=0))
    if drawn.size == 0:
        raise ValueError(f"history.{quantity}: expected one above 0 and finite, got none")
    order = sorted(drawn.tolist(), key=lambda column: np.nanmedian(values[:, column]))
    places = np.linspace(0, len(order) - 1, min(most, len(order))).round().astype(int)
    named = {history.names[order[place]]: order[place] for place in places[::-1]}
    hues, ends = line_colours(named, colours), []
    ax = _axes(ax)
    ax.set_yscale("log")
    x = np.arange(len(values))
    for column in set(order) - set(named.values()):
        ax.plot(x, values[:, column], color=colour("grid"), linewidth=0.8, zorder=1.5)
    for name, column in named.items():
        ax.plot(x, values[:, column], color=hues[name])
        end = _last(x, values[:, column])
        lost = np.flatnonzero(np.asarray(history.nonfinite)[:, column])
        if lost.size:
            end = _last(x[: lost[0]], values[: lost[0], column])
            ax.plot(*end, "x", color=hues[name], markersize=7, markeredgewidth=2)
        ends.append((name, *end, hues[name]))
    power_ticks(ax.yaxis)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.set_xlim(0, max(len(values) - 1, 1))
    ax.set_xlabel(xlabel)
    ax.set_ylabel(QUANTITIES[quantity] if ylabel is None else ylabel)
    of_each = f"{QUANTITIES[quantity].capitalize()} of each parameter"
    set_title(ax, of_each if title is None else title)
    label_lines(ax, ends)
    return ax


@in_house_style
def phase_diagram(
    x: ArrayLike,
    y: ArrayLike,
    z: ArrayLike,
    *,
    edges: Sequence[float] = (-9, -6, -3, -1, 1, 3, 6, 9),
    low: str = "blue",
    high: str = "orange",
    title: str | None = "Where gradients vanish and where they explode",
    xlabel: str = "x",
    ylabel: str = "y",
    zlabel: str = "log₁₀ of the norm",
    ax: Axes | None = None,
) -> Axes:
    """Draw a quantity over two parameters as cells in two hues, each the stronger the farther out.

    Args:
        x: (n,), increasing: the centres of the columns.
        y: (m,), increasing: the centres of the rows.
        z: (m, n), e.g. log10 of last over first gradient norm; ±Inf falls in the outermost shade,
            NaN is left blank.
        edges: increasing borders of the shades; with an odd number of shades the middle one stays
            blank.
        low: name of the colour of the shades below the middle.
        high: name of the colour of those above.
        title: written over the drawing; nothing if None.
        xlabel: label of the x axis.
        ylabel: label of the y axis.
        zlabel: title of the key of the shades.
        ax: where to draw; a figure of its own if None.

    Returns:
        The axes with the drawing.

    Raises:
        ValueError: shapes that do not fit, or axes that do not increase.

    Examples:
        >>> radius, length = np.linspace(0.5, 1.5, 11), np.array([10, 20, 30])
        >>> decades = length[:, None] * np.log10(radius)
        >>> ax = rn.plot.phase_diagram(radius, length, decades, edges=(-3, -1, 1, 3))
        >>> [text.get_text() for text in ax.get_legend().get_texts()]
        ['above 3', '1 to 3', '−1 to 1', '−3 to −1', 'below −3']
    """
    x, y, z = increasing("x", x), increasing("y", y), array_of("z", z, ("m", "n"))
    if z.shape != (len(y), len(x)):
        raise ValueError(f"z: expected shape {(len(y), len(x))}, got {z.shape}")
    edges = increasing("edges", edges)
    low, high = colour(low), colour(high)
    ax = _axes(ax, height=4.0)
    count = len(edges) + 1
    shade = np.where(np.isnan(z), -1, np.searchsorted(edges, z, side="right"))
    columns, rows = _borders(x), _borders(y)
    handles = []
    for k in range(count):
        away = k - (count - 1) / 2
        hue = high if away > 0 else low
        alpha = 0.85 * abs(away) / ((count - 1) / 2)
        # One path for each shade: a patch for each cell would weigh a hundred times as much.
        boxes = [
            Path.unit_rectangle().transformed(
                Affine2D()
                .scale(columns[stop] - columns[start], rows[i + 1] - rows[i])
                .translate(columns[start], rows[i])
            )
            for i in range(len(y))
            for start, stop in _runs(shade[i] == k)
        ]
        style = dict(facecolor=hue, alpha=alpha, linewidth=0, antialiased=False)
        if boxes:
            ax.add_patch(PathPatch(Path.make_compound_path(*boxes), **style))
        if k == 0:
            text = f"below {number(edges[0])}"
        elif k == count - 1:
            text = f"above {number(edges[-1])}"
        else:
            text = f"{number(edges[k - 1])} to {number(edges[k])}"
        rim = dict(edgecolor=colour("muted"), linewidth=0.6, antialiased=True)
        swatch = dict(facecolor=(hue, alpha), label=text)
        handles.append(Rectangle((0, 0), 1, 1, **swatch, **rim))
    ax.set_xlim(columns[0], columns[-1])
    ax.set_ylim(rows[0], rows[-1])
    ax.grid(False)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.legend(
        handles=handles[::-1],
        title=wrap(zlabel, 95, plt.rcParams["font.size"]),
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        alignment="left",
    )
    set_title(ax, title)
    return ax


def _borders(centres):
    """Return the n + 1 borders of cells around n centres: midway, and as far out at the ends."""
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])


def _runs(mask):
    """Return (start, stop) of the runs of True."""
    steps = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(int)))
    return list(zip(steps[::2].tolist(), steps[1::2].tolist(), strict=True))

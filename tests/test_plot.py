"""Figures: what is drawn is what was given, in the palette's colours, and nothing collides."""

import io
import re
import subprocess
import sys
from functools import cache, partial
from html import unescape
from html.parser import HTMLParser
from importlib.resources import files
from itertools import combinations
from types import SimpleNamespace

import hypothesis.strategies as st
import matplotlib

matplotlib.use("Agg")

import matplotlib.colors as mcolors
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from matplotlib.collections import Collection, FillBetweenPolyCollection
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Patch, PathPatch
from matplotlib.path import Path
from matplotlib.text import Text

import rnnnotes as rn
from rnnnotes import plot
from rnnnotes.plot import cell_diagrams, charts, style
from rnnnotes.plot.palette import CYCLE, DARK, LIGHT, MEANING

SEEDS = np.random.default_rng(7).normal(size=(5, 200))
LAGS = np.arange(200)
SINKING = 0.5**LAGS * np.exp(0.1 * SEEDS)
SINKING[:, 147:] = 0.0
BURSTING = 2.0**LAGS * np.exp(0.1 * SEEDS)
BURSTING[:, 127:] = np.inf
GRADIENT = np.array([3.0, 0.6, 0.2])
CLIFF_W, CLIFF_B = np.linspace(4, 8, 40), np.linspace(-3, -1.5, 30)
CLIFF = np.where(CLIFF_B[:, None] + 0.4 * CLIFF_W > 0, 0.1, 0.4) + 0.01 * CLIFF_W
PHASE_X, PHASE_Y = np.array([0.5, 1.0, 1.5, 2.5]), np.array([3.0, 4.0, 5.0])
PHASE = np.array([[-20, -2, 0, 2], [-7, -0.5, 4, 7], [np.nan, 1.0, 12, np.inf]])


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def norms():
    curves = {
        "tanh, radius 0.5": SINKING,
        "tanh, radius 0.9": 0.9**LAGS * np.exp(0.1 * SEEDS),
        "LSTM, forget bias 1": 0.99**LAGS * np.exp(0.1 * SEEDS),
        "LSTM, forget bias 2": 0.995**LAGS * np.exp(0.1 * SEEDS),
    }
    return plot.norms_by_lag(
        curves,
        horizon={"tanh, radius 0.9": 66, "LSTM, forget bias 2": None},
        title="Forget gates keep the gradient; a tanh net loses it, down to the last bit",
    )


def curves():
    falling = np.exp(-LAGS / 40) * np.exp(0.2 * SEEDS)
    broken = falling.copy()
    broken[:2, 120:] = np.nan
    lines = {"LSTM": falling, "no clipping": broken, "tanh": 0.17 * np.exp(0.1 * SEEDS)}
    return plot.learning_curves(lines, baseline=1 / 6, baseline_label="always the mean")


def seen(lost=False):
    """What a monitor would have seen of eight weights, the first with a NaN at the end."""
    norms = 10.0 ** np.linspace(-6, 1, 8) * np.exp(0.3 * SEEDS[0, :40, None])
    nonfinite = np.zeros(norms.shape, dtype=int)
    if lost:
        norms[30:, 0], nonfinite[30:, 0] = np.nan, 4
    names = tuple(f"layers.{k}.weight" for k in range(8))
    return SimpleNamespace(
        names=names, grad_norm=norms, update_ratio=norms, weight_norm=norms, nonfinite=nonfinite
    )


LENGTHS = [10, 20, 40, 80]
SUCCESSES = {"LSTM": (LENGTHS, [20, 20, 19, 12], 20), "tanh": (LENGTHS, [20, 9, 1, 0], 20)}
ROWS = {
    "LSTM, forget bias 1": [3e-4, 4e-4, 4.1e-4, 9e-4],
    "GRU": [5e-4, 5e-4, 6e-4, 2e-3],
    "tanh": [0.16, 0.17, np.nan, np.inf],
}
PATHS = {
    "without clipping": [[5.0, -2.4], [5.2, -2.2], [-12.0, 3.0]],
    "with clipping": [[5.0, -2.4], [5.2, -2.2], [5.1, -2.3]],
}

CHARTS = {
    "norms_by_lag": norms,
    "norms_by_lag, bursting": partial(plot.norms_by_lag, {"ReLU": BURSTING, "tanh": SINKING}),
    "learning_curves": curves,
    "success_by_length": partial(plot.success_by_length, SUCCESSES, baseline=0.1),
    "contributions": partial(plot.contributions, np.maximum(SINKING[:, 39::-1], 1e-9)),
    "contributions, log": partial(plot.contributions, 0.9 ** LAGS[40::-1], log=True),
    "clipping_arrows": partial(
        plot.clipping_arrows,
        GRADIENT,
        {"by value": np.clip(GRADIENT, -1, 1), "by norm": GRADIENT / np.linalg.norm(GRADIENT)},
        box=1.0,
        ball=1.0,
    ),
    "cliff": partial(plot.cliff, CLIFF_W, CLIFF_B, CLIFF, PATHS),
    "dot_rows": partial(plot.dot_rows, ROWS, threshold=0.005, log=True),
    "dot_rows, one": partial(plot.dot_rows, {"tied": [-20.0, -22.0]}, threshold=-3.0),
    "spectrum": partial(
        plot.spectrum, {"normal": SEEDS[:, :25].T @ SEEDS[:, :25] / 9, "identity": np.eye(4)}
    ),
    "gates_over_time": lambda: plot.gates_over_time(
        {
            "input_gate": 1 / (1 + np.exp(-SEEDS.T[:30])),
            "forget_gate": 1 / (1 + np.exp(-2 - SEEDS.T[30:60])),
            "output_gate": 1 / (1 + np.exp(1 - SEEDS.T[60:90])),
            "candidate": np.tanh(SEEDS.T[90:120]),
        }
    ),
    "phase_diagram": partial(plot.phase_diagram, PHASE_X, PHASE_Y, PHASE),
    "monitored": partial(plot.monitored, seen()),
    "monitored, update_ratio": partial(plot.monitored, seen(lost=True), "update_ratio", most=3),
}
DIAGRAMS = {
    "rnn_folded": plot.rnn_folded,
    **{f"rnn_unrolled({n})": partial(plot.rnn_unrolled, n) for n in (2, 4, 6)},
    **{f"rnn_unrolled({n}, path)": partial(plot.rnn_unrolled, n, True) for n in (2, 4, 6)},
    **{f"lstm_cell({stage})": partial(plot.lstm_cell, stage) for stage in (1, 2, 3, 4)},
    **{f"lstm_variant({name})": partial(plot.lstm_variant, name) for name in rn.VARIANTS},
    "gru_cell": plot.gru_cell,
    "gru_cell(before)": partial(plot.gru_cell, reset="before"),
    **{f"bidirectional({n})": partial(plot.bidirectional, n) for n in (2, 5)},
    **{f"stacked({n}, 5)": partial(plot.stacked, n, 5) for n in (2, 3)},
    "stacked(3, 2)": partial(plot.stacked, 3, 2),
    "truncation": plot.truncation,
    "clipping": plot.clipping,
}
FIGURES = CHARTS | DIAGRAMS
every_figure = pytest.mark.parametrize("name", FIGURES)


@cache
def drawn(name):
    """The axes of a figure, drawn once for all tests that only look at it."""
    ax = FIGURES[name]()
    ax.figure.draw_without_rendering()
    return ax


# ---- all figures -----------------------------------------------------------------------------


def shown(figure, kind):
    """Artists of a kind that leave ink, ticks outside the view left out."""
    hidden = set()
    for ax in figure.axes:
        if not ax.axison:
            parts = [ax.xaxis, ax.yaxis, *ax.spines.values()]
            hidden |= {id(child) for part in parts for child in [part, *part.findobj()]}
        for axis in (ax.xaxis, ax.yaxis):
            used = axis._update_ticks()
            unused = [t for t in (*axis.majorTicks, *axis.minorTicks) if t not in used]
            hidden |= {id(child) for tick in unused for child in tick.findobj()}
    return [a for a in figure.findobj(kind) if a.get_visible() and id(a) not in hidden]


def texts_of(figure):
    return [text for text in shown(figure, Text) if text.get_text().strip()]


def colours_of(artist):
    if isinstance(artist, Text):
        return [artist.get_color()]
    if isinstance(artist, Line2D):
        marks = [artist.get_markerfacecolor(), artist.get_markeredgecolor()]
        lined = artist.get_linestyle() != "None" and artist.get_linewidth() > 0
        marked = artist.get_marker() not in ("None", None, "")
        return [artist.get_color()] * lined + marks * marked
    if isinstance(artist, Patch):
        return [artist.get_facecolor()] + [artist.get_edgecolor()] * (artist.get_linewidth() > 0)
    edges = artist.get_edgecolor() if np.any(artist.get_linewidth()) else []
    return [*artist.get_facecolor(), *edges]


@every_figure
def test_every_colour_is_of_the_palette(name):
    figure = drawn(name).figure
    used = set()
    for kind in (Text, Line2D, Patch, Collection):
        for artist in shown(figure, kind):
            for colour in colours_of(artist):
                if isinstance(colour, str) and colour == "none":
                    continue
                rgba = mcolors.to_rgba(colour)
                if rgba[3] > 0:
                    used.add(mcolors.to_hex(rgba[:3]))
    assert used - set(LIGHT.values()) == set()
    assert len(used) > 2


@every_figure
def test_no_text_is_small_and_none_is_mathtext(name):
    for text in texts_of(drawn(name).figure):
        assert text.get_fontsize() >= 11, text.get_text()
        assert "$" not in text.get_text()


@every_figure
def test_no_text_leaves_the_canvas_or_touches_another(name):
    figure = drawn(name).figure
    texts = texts_of(figure)
    # Of an annotation only the words, not the thin line to its point.
    boxes = [(text.get_text(), Text.get_window_extent(text)) for text in texts]
    width, height = figure.canvas.get_width_height()
    for text, box in boxes:
        assert -0.5 <= box.x0 and box.x1 <= width + 0.5, text
        assert -0.5 <= box.y0 and box.y1 <= height + 0.5, text
    for (one, a), (two, b) in combinations(boxes, 2):
        apart = min(a.x1, b.x1) - max(a.x0, b.x0) < 1 or min(a.y1, b.y1) - max(a.y0, b.y0) < 2
        assert apart, f"{one!r} and {two!r}"


@pytest.mark.parametrize("name", DIAGRAMS)
def test_no_arrow_of_a_diagram_runs_through_a_text(name):
    ax = drawn(name)
    # An operation stands in a circle of its own, on the line and over it.
    boxes = [
        (text.get_text(), text.get_window_extent().padded(-1.5))
        for text in ax.texts
        if text.get_text() not in ("", "+", "×")
    ]
    arrows = [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]
    strokes = [
        Path(points)
        for artist in [*arrows, *ax.lines]
        for points in artist.get_path()
        .transformed(artist.get_transform())
        .to_polygons(closed_only=False)
    ]
    assert strokes
    for text, box in boxes:
        for stroke in strokes:
            assert not stroke.intersects_bbox(box, filled=False), text


def svg(figure):
    out = io.StringIO()
    with plt.style.context(style.SHEET):
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


@every_figure
def test_svg_is_the_same_twice_has_real_text_and_no_picture(name):
    before = dict(plt.rcParams)
    first, second = FIGURES[name](), FIGURES[name]()
    assert dict(plt.rcParams) == before, "drawing leaves the caller's settings alone"
    code = svg(first.figure)
    assert code == svg(second.figure)
    assert "<image" not in code
    words = {unescape(word) for word in re.findall(r"<text[^>]*>([^<]*)</text>", code)}
    titles = [first._left_title, first.xaxis.label] if first.axison else []
    for text in [*first.texts, *titles]:
        assert set(text.get_text().split("\n")) - {""} <= words


def test_chart_draws_into_given_axes_and_title_keeps_to_the_panel():
    figure, axes = plt.subplots(1, 2, layout="constrained")
    long = "A title that is far too long for one half of a figure of this width"
    assert plot.dot_rows({"a": [1.0, 2.0]}, ax=axes[0], title=long) is axes[0]
    figure.draw_without_rendering()
    box = axes[0]._left_title.get_window_extent()
    assert box.x1 < axes[1].get_window_extent().x0
    assert box.x0 == pytest.approx(axes[0].get_window_extent().x0)
    assert len(figure.axes) == 2


# ---- palette, style sheet, lazy names --------------------------------------------------------


def test_light_and_dark_name_the_same_colours_and_none_is_used_for_two():
    assert LIGHT.keys() == DARK.keys()
    for palette in (LIGHT, DARK):
        assert len(set(palette.values())) == len(palette)
    assert set(CYCLE) | set(MEANING.values()) <= LIGHT.keys()


def test_style_sheet_has_the_palettes_colours():
    sheet = files(plot).joinpath("house.mplstyle").read_text()
    settings_only = "\n".join(line for line in sheet.splitlines() if not line.startswith("#"))
    hexes = re.findall(r"\b[0-9a-f]{6}\b", settings_only)
    assert {f"#{code}" for code in hexes} <= set(LIGHT.values())
    with plt.style.context(style.SHEET):
        cycle = plt.rcParams["axes.prop_cycle"].by_key()["color"]
        assert [f"#{code.lstrip('#')}" for code in cycle] == [LIGHT[name] for name in CYCLE]
        assert plt.rcParams["svg.fonttype"] == "none"


def test_colour_knows_names_and_meanings_and_refuses_others():
    assert plot.colour("forget_gate") == LIGHT["orange"] == plot.colour("orange")
    with pytest.raises(ValueError, match=r"expected one of 'ink', .*got 'red'"):
        plot.colour("red")


def test_line_colours_keep_meanings_and_never_repeat_while_there_are_some_left():
    labels = ["plain", "forget_gate", "other", "third"]
    hues = style.line_colours(labels, {"third": "blue"})
    assert hues["forget_gate"] == LIGHT[MEANING["forget_gate"]]
    assert hues["third"] == LIGHT["blue"]
    assert len(set(hues.values())) == 4
    with pytest.raises(ValueError, match=r"colours: expected labels of .*got 'tpyo'"):
        style.line_colours(labels, {"tpyo": "blue"})


def test_names_are_lazy_and_all_resolve():
    code = (
        "import sys, rnnnotes as rn; rn.plot; rn.plot.LIGHT;"
        "assert 'matplotlib' not in sys.modules; rn.plot.colour; assert 'matplotlib' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert all(getattr(rn.plot, name) is not None for name in rn.plot.__all__)
    assert "norms_by_lag" in rn.plot.__all__


# ---- style -----------------------------------------------------------------------------------

intervals = st.lists(st.tuples(st.floats(0, 200), st.floats(5, 30)), min_size=1, max_size=8).map(
    lambda pairs: tuple(np.array(part) for part in zip(*pairs, strict=True))
)


@given(intervals)
def test_spread_out_leaves_no_overlap_keeps_the_order_and_stays_inside(pairs):
    wanted, heights = pairs
    centres = style.spread_out(wanted, heights, -20.0, 260.0)
    order = np.argsort(wanted, kind="stable")
    tops = (centres + heights / 2)[order]
    bottoms = (centres - heights / 2)[order]
    assert np.all(bottoms[1:] >= tops[:-1] - 1e-9)
    assert bottoms[0] >= -20 - 1e-9
    if heights.sum() <= 280:
        assert tops[-1] <= 260 + 1e-9


@given(intervals, st.integers(0, 2**32 - 1))
@settings(max_examples=50)
def test_spread_out_moves_as_little_as_can_be(pairs, seed):
    wanted, heights = pairs
    best = style.spread_out(wanted, heights, -1e6, 1e6)
    order = np.argsort(wanted, kind="stable")
    cost = ((best - wanted) ** 2).sum()
    # Any other way of standing apart in the same order moves the labels farther.
    rng = np.random.default_rng(seed)
    for _ in range(20):
        other = np.sort(best[order] + rng.normal(scale=3, size=len(best)))
        h = heights[order]
        for i in range(1, len(other)):
            other[i] = max(other[i], other[i - 1] + (h[i] + h[i - 1]) / 2)
        assert ((other - wanted[order]) ** 2).sum() >= cost - 1e-6


@given(st.text("abcdefgh ", min_size=1, max_size=120), st.integers(60, 300))
@settings(max_examples=50, deadline=None)
def test_wrap_keeps_the_words_and_the_width(text, width):
    lines = style.wrap(text, width, 11.5).split("\n")
    assert " ".join(lines) == text
    font = Text(fontsize=11.5).get_fontproperties()
    for line in lines:
        wide = style.text_to_path.get_text_width_height_descent(line, font, False)[0]
        assert wide <= width + 1e-6 or " " not in line.strip()


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.001, "0.001"), (20, "20"), (1e-6, "1e−6"), (3.4028e38, "3.4e38"), (-3, "−3")],
)
def test_number(value, text):
    assert style.number(value) == text


@pytest.mark.parametrize(("low", "high"), [(1e-47, 2.0), (0.2, 0.9), (1e-3, 1e3), (1, 1e300)])
def test_power_ticks_are_a_few_round_numbers_inside(low, high):
    ax = plt.subplots()[1]
    ax.set_yscale("log")
    ax.set_ylim(low, high)
    plot.power_ticks(ax.yaxis)
    ticks = ax.yaxis.get_majorticklocs()
    assert 2 <= len(ticks) <= 7
    assert np.all((ticks >= low * 0.999) & (ticks <= high * 1.001))
    leading = ticks / 10.0 ** np.floor(np.log10(ticks) + 1e-9)
    assert np.isclose(leading[:, None], [1, 2, 5], rtol=1e-6).any(axis=1).all()


# ---- charts ----------------------------------------------------------------------------------


def lines_of(ax, points):
    return [line for line in ax.lines if len(line.get_xdata()) == points]


def band(ax, index=0):
    polygons = [c for c in ax.collections if isinstance(c, FillBetweenPolyCollection)]
    vertices = polygons[index].get_paths()[0].vertices
    xs = np.unique(vertices[:, 0])
    ys = [vertices[vertices[:, 0] == x, 1] for x in xs]
    return xs, np.array([y.min() for y in ys]), np.array([y.max() for y in ys])


def test_norms_by_lag_draws_median_and_range():
    values = np.exp(SEEDS[:, :30])
    ax = plot.norms_by_lag({"a": torch.tensor(values, requires_grad=True), "b": values[0]})
    a, b = lines_of(ax, 30)
    np.testing.assert_allclose(a.get_ydata(), np.median(values, axis=0), rtol=1e-12)
    np.testing.assert_allclose(b.get_ydata(), values[0])
    np.testing.assert_array_equal(a.get_xdata(), np.arange(30))
    _, low, high = band(ax)
    np.testing.assert_allclose(low, values.min(axis=0))
    np.testing.assert_allclose(high, values.max(axis=0))
    assert ax.get_yscale() == "log"


def test_norms_by_lag_band_of_quantiles_is_of_seeds_own_values():
    values = np.exp(SEEDS[:, :30])
    _, low, high = band(plot.norms_by_lag({"a": values}, quantiles=(0.25, 0.75)))
    ordered = np.sort(values, axis=0)
    np.testing.assert_allclose(low, ordered[1])
    np.testing.assert_allclose(high, ordered[3])


def marks(ax, marker):
    return [
        (line.get_xdata()[0], line.get_ydata()[0])
        for line in ax.lines
        if line.get_marker() == marker
    ]


def levels(ax):
    """Heights of lines drawn across the axes."""
    return [line.get_ydata()[0] for line in ax.lines if list(line.get_xdata()) == [0, 1]]


def test_norms_by_lag_marks_float32s_ends_only_where_they_are_reached():
    smallest = torch.finfo(torch.float32).smallest_normal * 2.0**-23
    ax = plot.norms_by_lag({"sinks": SINKING.astype(np.float32)})
    assert levels(ax) == [smallest]
    assert marks(ax, "x") == [(147, smallest)]
    assert np.isnan(lines_of(ax, 200)[0].get_ydata()[147:]).all()
    ax = plot.norms_by_lag({"bursts": BURSTING})
    assert levels(ax) == [torch.finfo(torch.float32).max]
    assert marks(ax, "x") == [(127, torch.finfo(torch.float32).max)]
    ax = plot.norms_by_lag({"neither": SINKING[:, :100]})
    assert levels(ax) == [] and marks(ax, "x") == []


def test_norms_by_lag_counts_nan_as_infinite():
    values = np.ones((3, 10))
    values[:2, 6:] = np.nan
    assert marks(plot.norms_by_lag({"a": values}), "x")[0][0] == 6
    values[1, 6:] = 1.0
    assert marks(plot.norms_by_lag({"a": values}), "x") == []


def test_norms_by_lag_puts_the_horizon_on_the_median():
    rate = 0.9**LAGS
    ax = plot.norms_by_lag({"a": rate, "b": np.ones(200)}, horizon={"a": 66, "b": np.inf})
    assert marks(ax, "o") == [(66, pytest.approx(0.9**66))]
    assert [text.get_text() for text in ax.texts if "horizon" in text.get_text()] == [
        "a\nhorizon 66"
    ]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plot.norms_by_lag({}), "norms: expected a dict"),
        (lambda: plot.norms_by_lag(SINKING), "norms: expected a dict"),
        (lambda: plot.norms_by_lag({"a": np.ones((2, 3, 4))}), r"\(seeds, lags\), got \(2, 3, 4\)"),
        (lambda: plot.norms_by_lag({"a": []}), r"norms\['a'\]: expected a non-empty"),
        (lambda: plot.norms_by_lag({"a": 1.0}), r"norms\['a'\]: expected"),
        (lambda: plot.norms_by_lag({"a": np.ones(3), "b": np.ones(4)}), "same number of lags"),
        (lambda: plot.norms_by_lag({"a": [1.0, -1.0]}), "none below 0, got -1"),
        (lambda: plot.norms_by_lag({"a": [0.0, 0.0]}), "one above 0"),
        (lambda: plot.norms_by_lag({"a": np.ones(3)}, lags=[1, 2]), "lags: expected 3 values"),
        (lambda: plot.norms_by_lag({"a": np.ones(3)}, horizon={"b": 1}), "got 'b'"),
        (lambda: plot.learning_curves({"a": np.zeros(3)}), "above 0 on a log axis, got 0"),
        (
            lambda: plot.learning_curves({"a": np.ones(3)}, window=4),
            "window: expected a whole .*at most 3, got 4",
        ),
        (lambda: plot.learning_curves({"a": np.full(3, np.nan)}), "curves: expected a finite"),
        (lambda: plot.success_by_length({"a": ([1, 2], [3], 4)}), "expected 2 values"),
        (lambda: plot.success_by_length({"a": ([1], [5], 4)}), "expected 0 to n"),
        (lambda: plot.contributions([0.0, 0.0]), "not all of them 0"),
        (lambda: plot.contributions([1.0, np.nan]), "finite norms"),
        (lambda: plot.clipping_arrows([1, 2], {"a": [1, 2, 3]}), "expected 2 values"),
        (lambda: plot.cliff([1, 2], [1, 2, 3], np.ones((2, 3))), r"expected shape \(3, 2\)"),
        (
            lambda: plot.cliff(CLIFF_W, CLIFF_B, CLIFF, {"a": [[0.0, 0.0]]}),
            "expected to begin on the map",
        ),
        (lambda: plot.dot_rows({"a": [np.nan]}), "expected a value that can be drawn"),
        (lambda: plot.spectrum(np.ones((2, 3))), r"finite square matrix, got \(2, 3\)"),
        (lambda: plot.gates_over_time({"a": np.ones(3)}, tokens=["x"]), "tokens: expected 3"),
        (lambda: plot.phase_diagram([1, 2], [1, 2], np.ones((2, 3))), r"expected shape \(2, 2\)"),
        (lambda: plot.phase_diagram([2, 1], [1, 2], np.ones((2, 2))), "increasing"),
        (lambda: plot.monitored(seen(), "loss"), "quantity: expected one of 'grad_norm'"),
        (lambda: plot.monitored(seen(), most=1), "most: expected a whole number of at least 2"),
        (lambda: plot.rnn_unrolled(1), "steps: expected 2 to 6, got 1"),
        (lambda: plot.lstm_cell(5), "stage: expected 1 to 4, got 5"),
        (lambda: plot.lstm_variant("LSTM"), "variant: expected one of 'V', 'NP', .*got 'LSTM'"),
        (lambda: plot.gru_cell(reset="never"), "reset: expected one of .*got 'never'"),
        (lambda: plot.bidirectional(6), "steps: expected 2 to 5, got 6"),
        (lambda: plot.stacked(4, 3), "got 4 and 3"),
        (lambda: plot.panel_titles(plt.subplots(1, 2)[1], ["one"]), "expected 2.*got 1"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_learning_curves_draw_window_means_and_the_baseline():
    values = np.exp(SEEDS)
    ax = plot.learning_curves({"a": values}, baseline=0.25, window=50)
    middle = np.median(
        [[row[i : i + 50].mean() for i in (0, 50, 100, 150)] for row in values], axis=0
    )
    (line,) = lines_of(ax, 4)
    np.testing.assert_allclose(line.get_ydata(), middle)
    np.testing.assert_allclose(line.get_xdata(), [25.5, 75.5, 125.5, 175.5])
    assert levels(ax) == [0.25]
    assert ax.get_xlabel() == "training step (means of 50)"
    (line,) = lines_of(plot.learning_curves({"a": values}), 200)
    np.testing.assert_allclose(line.get_ydata(), np.median(values, axis=0))


def test_learning_curves_count_what_diverged():
    values = np.ones((5, 40))
    values[0, 10], values[1, 20:], values[2, 30:] = np.inf, np.nan, np.nan
    ax = plot.learning_curves({"a": values})
    assert "a (3 of 5 diverged)" in [text.get_text().replace("\n", " ") for text in ax.texts]
    middle = lines_of(ax, 40)[0].get_ydata()
    # Two of five, and the one infinite step, leave the median finite; three of five do not.
    assert np.isfinite(middle[:30]).all() and np.isnan(middle[30:]).all()


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_ends_are_where_the_normal_test_just_rejects(pair):
    won, n = pair
    z = 1.959963984540054
    low, high = plot.wilson_interval(won, n)
    for q in (low, high):
        assert abs(won / n - q) == pytest.approx(z * np.sqrt(q * (1 - q) / n), abs=1e-7)
    assert 0 <= low <= won / n <= high <= 1


def test_wilson_interval_closed_forms_and_docstrings_equation():
    z = 1.959963984540054
    assert plot.wilson_interval(0, 20)[0] == 0
    assert plot.wilson_interval(0, 20)[1] == pytest.approx(z**2 / (20 + z**2), abs=1e-12)
    assert plot.wilson_interval(20, 20)[0] == pytest.approx(20 / (20 + z**2), abs=1e-12)
    p, n = 7 / 20, 20
    root = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    for sign, end in zip((-1, 1), plot.wilson_interval(7, 20), strict=True):
        assert end == pytest.approx((p + z**2 / (2 * n) + sign * root) / (1 + z**2 / n), abs=1e-12)


def test_success_by_length_draws_shares_and_intervals():
    ax = plot.success_by_length({"a": ([5, 10], [3, 20], [4, 20])})
    (bars,) = ax.containers
    points, _, (sticks,) = bars
    np.testing.assert_allclose(points.get_xydata(), [[5, 0.75], [10, 1.0]])
    low, high = plot.wilson_interval([3, 20], [4, 20])
    np.testing.assert_allclose([s[:, 1] for s in sticks.get_segments()], np.transpose([low, high]))


def test_contributions_draw_shares_and_count_the_last_steps():
    parts = np.array([[1.0, 2.0, 7.0], [2.0, 4.0, 14.0], [2.0, 2.0, 6.0]])
    ax = plot.contributions(parts, share=0.85)
    bars = [bar.get_height() for bar in ax.containers[0]]
    np.testing.assert_allclose(bars, [0.1, 0.2, 0.7])
    assert [text.get_text() for text in ax.texts] == ["the last 2 of 3 steps make 85 %"]


@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=20), st.floats(0.05, 0.99))
def test_last_steps_is_the_smallest_number_that_suffices(parts, share):
    parts = np.array(parts)
    k = charts._last_steps(parts, share)
    total = parts.sum()
    assert parts[-k:].sum() >= share * total * (1 - 1e-9)
    assert k == 1 or parts[-(k - 1) :].sum() < share * total * (1 + 1e-9)


def test_clipping_arrows_end_at_the_vectors_and_say_the_angle():
    ax = plot.clipping_arrows(
        [3.0, 0.0, 4.0], {"half": [1.5, 0.0, 2.0], "side": [1.0, 0.0, 0.0]}, components=(0, 2)
    )
    tips = [a.xy for a in ax.texts if a.get_text() == ""]
    assert [tuple(tip) for tip in tips] == [(3, 4), (1.5, 2), (1, 0)]
    labels = [a.get_text() for a in ax.texts if a.get_text()]
    assert labels == [
        "gradient: length 5",
        "half: length 2.5\nturned by 0°",
        "side: length 1\nturned by 53°",
    ]
    low, high = ax.transData.transform([[0, 0], [1, 1]])
    assert high[0] - low[0] == pytest.approx(high[1] - low[1])


def test_clipping_arrows_of_a_zero_vector_has_no_angle():
    assert np.isnan(charts._angle(np.array([1.0, 0.0]), np.zeros(2)))
    assert charts._angle(np.array([1.0, 0]), np.array([1, 1e-9])) == pytest.approx(
        np.degrees(1e-9), rel=1e-6
    )


def test_cliff_draws_paths_and_cuts_them_at_the_edge():
    ax = plot.cliff(CLIFF_W, CLIFF_B, CLIFF, PATHS)
    _, *paths = [line.get_xydata().tolist() for line in ax.lines]
    assert paths == [PATHS["without clipping"][:2], PATHS["with clipping"]]
    (arrow,) = [a for a in ax.texts if a.get_text() == ""]
    start, gone, edge = np.array([5.2, -2.2]), np.array([-12.0, 3.0]), np.array(arrow.xy)
    way = (edge - start) / (gone - start)
    assert way[0] == pytest.approx(way[1]) and 0 < way[0] < 1
    assert edge[0] == pytest.approx(CLIFF_W[0]) or edge[1] == pytest.approx(CLIFF_B[-1])
    assert "without clipping: leaps to w = −12 b = 3" in " ".join(
        text.get_text() for text in ax.texts
    ).replace("\n", " ")


def test_cliff_marks_the_lowest_error_on_the_map():
    error = CLIFF.copy()
    error[7, 21], error[0, 0] = 0.05, np.nan
    ax = plot.cliff(CLIFF_W, CLIFF_B, error)
    (star,) = ax.lines
    assert star.get_xydata().tolist() == [[CLIFF_W[21], CLIFF_B[7]]]
    (label,) = ax.texts
    assert label.get_text() == "lowest error" and label.xy == (CLIFF_W[21], CLIFF_B[7])


def test_dot_rows_draw_every_seed_its_median_and_the_threshold():
    ax = plot.dot_rows({"a": [3.0, 1.0, 2.0], "b": [5.0, 5.0, 5.0, 9.0]}, threshold=4.0)
    dots = [line.get_xdata().tolist() for line in ax.lines if line.get_marker() == "o"]
    assert dots == [[1, 2, 3], [5, 5, 5, 9]]
    heights = [line.get_ydata() for line in ax.lines if line.get_marker() == "o"][1]
    assert len(set(heights[:3])) == 3 and np.all(abs(heights - 1) < 0.3)
    lines = [line.get_xdata() for line in ax.lines if line.get_marker() in ("None", "")]
    assert [list(x) for x in lines] == [[2, 2], [5, 5], [4, 4]]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]


def test_dot_rows_count_what_a_log_axis_cannot_show():
    ax = plot.dot_rows({"a": [1.0, 0.0, -1.0, np.nan, 2.0]}, log=True)
    assert ax.lines[0].get_xdata().tolist() == [1, 2]
    assert ax.get_yticklabels()[0].get_text().replace("\n", " ") == "a (3 of 5 off the axis)"


def test_spectrum_draws_the_eigenvalues_of_a_scaled_rotation():
    angle, radius = 0.7, 1.3
    turn = radius * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    ax = plot.spectrum(torch.tensor(turn))
    dots = ax.lines[0].get_xydata() @ np.array([1, 1j])
    expected = radius * np.exp([1j * angle, -1j * angle])
    np.testing.assert_allclose(sorted(dots, key=np.imag), sorted(expected, key=np.imag), rtol=1e-12)
    assert [text.get_text() for text in ax.texts] == ["spectral radius 1.3"]


def test_gates_over_time_draw_the_median_over_units():
    values = 1 / (1 + np.exp(-SEEDS.T[:20]))
    ax = plot.gates_over_time({"forget_gate": torch.tensor(values), "input_gate": values[:, 0]})
    forget, enter = lines_of(ax, 20)
    np.testing.assert_allclose(forget.get_ydata(), np.median(values, axis=1))
    np.testing.assert_allclose(enter.get_ydata(), values[:, 0])
    assert forget.get_color() == LIGHT["orange"] and enter.get_color() == LIGHT["green"]


def test_gates_by_a_cells_short_names_have_the_colours_of_the_drawings():
    ax = plot.gates_over_time({name: [0.1, 0.2] for name in "ifgo"})
    meant = ("input_gate", "forget_gate", "candidate", "output_gate")
    hues = [LIGHT[MEANING[name]] for name in meant]
    assert [line.get_color() for line in lines_of(ax, 2)] == hues
    ax = plot.gates_over_time({name: [0.1, 0.2] for name in "zrn"}, colours={"z": "teal"})
    assert lines_of(ax, 2)[0].get_color() == LIGHT["teal"]


def test_monitored_names_the_smallest_the_largest_and_some_between():
    history = seen(lost=True)
    ax = plot.monitored(history, most=3)
    named = {text.get_text() for text in ax.texts}
    assert named == {f"layers.{k}.weight" for k in (0, 4, 7)}
    by_hue = {line.get_color(): line for line in ax.lines if line.get_linewidth() > 1}
    assert len(by_hue) == 3
    grey = [line for line in ax.lines if line.get_color() == LIGHT["grid"]]
    assert len(grey) == 5
    (cross,) = (line for line in ax.lines if line.get_marker() == "x")
    assert cross.get_xdata()[0] == 29
    assert cross.get_ydata()[0] == history.grad_norm[29, 0]


def test_monitored_draws_what_a_real_monitor_saw():
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with rn.GradientMonitor(model) as monitor:
        for step in range(4):
            optimizer.zero_grad()
            model(torch.ones(5, 3) * (step + 1)).square().sum().backward()
            optimizer.step()
    history = monitor.history
    for quantity in ("grad_norm", "update_ratio", "weight_norm"):
        ax = plot.monitored(history, quantity)
        labels = [text.get_text() for text in ax.texts]
        assert sorted(labels) == ["bias", "weight"]
        drawn_lines = [line.get_ydata() for line in ax.lines]
        for column in getattr(history, quantity).T:
            assert any(np.array_equal(column, line) for line in drawn_lines)


def test_phase_diagram_gives_each_cell_the_shade_of_its_value():
    edges = (-9, -6, -3, -1, 1, 3, 6, 9)
    ax = plot.phase_diagram(PHASE_X, PHASE_Y, PHASE, edges=edges)
    patches = [p for p in ax.patches if isinstance(p, PathPatch)]
    for i, y in enumerate(PHASE_Y):
        for j, x in enumerate(PHASE_X):
            hits = [
                p
                for p in patches
                if any(
                    part.contains_point((x, y))
                    for part in p.get_path()._iter_connected_components()
                )
            ]
            if np.isnan(PHASE[i, j]):
                assert hits == []
                continue
            (hit,) = hits
            away = sum(PHASE[i, j] >= edge for edge in edges) - 4
            assert hit.get_alpha() == pytest.approx(0.85 * abs(away) / 4)
            if away:
                wanted = LIGHT["orange"] if away > 0 else LIGHT["blue"]
                assert mcolors.to_hex(hit.get_facecolor()[:3]) == wanted


# ---- diagrams --------------------------------------------------------------------------------


def arrows_of(ax, name):
    hue = mcolors.to_rgba(plot.colour(name))
    return [p for p in ax.patches if isinstance(p, FancyArrowPatch) and p.get_edgecolor() == hue]


@pytest.mark.parametrize("steps", range(2, 7))
def test_unrolled_shares_each_weight_over_all_steps(steps):
    ax = plot.rnn_unrolled(steps)
    for name in ("weight_ih", "weight_hh", "weight_ho"):
        assert len(arrows_of(ax, name)) == steps + 1, "one for each step, and one in the key"


@pytest.mark.parametrize("steps", range(2, 7))
def test_unrolled_path_meets_one_jacobian_a_step(steps):
    ax = plot.rnn_unrolled(steps, highlight_path=True)
    factors = [text.get_text() for text in ax.texts if text.get_text().startswith("×")]
    assert sorted(factors) == [f"× J{'₀₁₂₃₄₅₆'[t]}ᵀ" for t in range(1, steps + 1)]
    assert len(arrows_of(ax, "gradient")) == steps + 2, "each step, from the loss, and the key"


def test_lstm_grows_by_one_gate_a_stage():
    seen = []
    for stage in (1, 2, 3, 4):
        words = {text.get_text().split("\n")[0] for text in plot.lstm_cell(stage).texts}
        seen.append(words & {"new", "input", "forget", "output"})
    assert seen == [
        {"new"},
        {"new", "input"},
        {"new", "input", "forget"},
        {"new", "input", "forget", "output"},
    ]


every_variant = pytest.mark.parametrize("variant", rn.VARIANTS)
GATES = {"i": "input", "f": "forget", "g": "new", "o": "output"}
WORDS = {
    "V": {"peepholes", "p · cₜ₋₁", "p · cₜ"},
    "NP": {"no peepholes", "(W_ih xₜ + W_hh hₜ₋₁ + b)"},
    "CIFG": {"no own weights", "1 − iₜ", "(1 − iₜ)"},
    "NIG": {"no input gate", "gₜ"},
    "NFG": {"no forget gate", "cₜ₋₁"},
    "NOG": {"no output gate", "tanh(cₜ)"},
    "NIAF": {"no tanh", "W_ih xₜ + W_hh hₜ₋₁ + b"},
    "NOAF": {"no tanh", "cₜ"},
    "FGR": {"iₜ₋₁ fₜ₋₁ oₜ₋₁", "W_gg [iₜ₋₁, fₜ₋₁, oₜ₋₁]"},
}


def boxes_of(ax):
    """Names in the boxes that are there, and in those that are ghosts."""
    boxes = [patch for patch in ax.patches if isinstance(patch, FancyBboxPatch)]
    found = set(), set()
    for box in boxes:
        middle = (box.get_x() + box.get_width() / 2, box.get_y() + box.get_height() / 2)
        (name,) = (t.get_text().split("\n")[0] for t in ax.texts if t.get_position() == middle)
        ghost = box.get_facecolor()[3] == 0
        assert ghost == (box.get_linestyle() not in ("-", "solid"))
        found[ghost].add(name)
    assert len(boxes) == 5
    return found


def heads_of(ax, name, width=None):
    """Where the arrows of a colour end."""
    arrows = [a for a in arrows_of(ax, name) if width in (None, a.get_linewidth())]
    return {tuple(arrow._posA_posB[1]) for arrow in arrows}


def dashed(ax):
    return [line for line in ax.lines if line.get_linestyle() == "--"]


def test_every_variant_has_a_drawing():
    tables = cell_diagrams.LSTM_VARIANTS, cell_diagrams.LSTM_CHANGES, cell_diagrams.LSTM_EQUATIONS
    assert all(list(table) == list(rn.VARIANTS) for table in tables)
    titles = [drawn(f"lstm_variant({name})").texts[0].get_text() for name in rn.VARIANTS]
    assert len(set(titles)) == len(titles) and all(titles)
    assert plot.lstm_variant("NFG", title="").texts[0].get_text() == ""


@every_variant
def test_variant_has_boxes_for_the_gates_with_weights(variant):
    solid, ghosts = boxes_of(drawn(f"lstm_variant({variant})"))
    has = {GATES[name] for name in rn.LSTMVariantCell(1, 1, variant).gate_names} | {"tanh"}
    # Without its activation the box of the candidate or of the output is only a wire.
    wire = {"NIAF": {"new"}, "NOAF": {"tanh"}}.get(variant, set())
    assert solid == has - wire
    assert ghosts == ({*GATES.values()} - has | ({""} if wire else set()))


@every_variant
def test_variant_has_a_thin_wire_for_every_peephole_of_the_cell(variant):
    ax = drawn(f"lstm_variant({variant})")
    peepholes = {n for n, _ in rn.LSTMVariantCell(1, 1, variant).named_parameters() if "pee" in n}
    into = {"peephole_f": (88, 125), "peephole_i": (158, 125), "peephole_o": (306, 125)}
    hue = "pink" if variant == "V" else "cell"
    assert heads_of(ax, hue, width=1.2) == {into[name] for name in peepholes}
    # The old state is read before it is multiplied, the new one after the sum.
    thin = [line for line in ax.lines if line.get_linewidth() == 1.2 and line not in dashed(ax)]
    starts = {x for line in thin for x, y in line.get_xydata() if y == cell_diagrams.LINE}
    assert len(starts) == ("peephole_o" in peepholes) + bool(peepholes - {"peephole_o"})
    new_state = cell_diagrams.NEW + 9
    assert all(x < cell_diagrams.FORGET - 9 or x > new_state for x in starts)
    assert ("peephole_o" in peepholes) == any(x > new_state for x in starts)


@every_variant
def test_variant_says_its_change_in_the_one_hue_that_no_part_has(variant):
    ax = drawn(f"lstm_variant({variant})")
    marked = {text.get_text() for text in ax.texts if text.get_color() == LIGHT["pink"]}
    assert marked - {"×"} == WORDS[variant]
    assert "pink" not in {MEANING[name] for name in MEANING if name != "gradient"}
    equations = {text.get_position()[1] for text in ax.texts if text.get_va() == "baseline"}
    assert 1 <= len(equations) <= 2


def test_variant_that_leaves_nothing_out_has_no_dashes():
    for variant in rn.VARIANTS:
        ax = drawn(f"lstm_variant({variant})")
        # A plain wire goes through the ghost of an activation; the others have ghosts of wires.
        assert bool(dashed(ax)) == (variant not in ("V", "NIAF", "NOAF", "FGR"))


def test_variants_new_wires_go_where_the_equations_say():
    forget, enter, out = cell_diagrams.FORGET, cell_diagrams.ENTER, cell_diagrams.OUT
    assert heads_of(drawn("lstm_variant(CIFG)"), "pink") == {(forget, cell_diagrams.LINE - 10)}
    assert heads_of(drawn("lstm_variant(NOAF)"), "pink") == {(366, 116)}
    ends = heads_of(drawn("lstm_variant(FGR)"), "pink")
    assert {(x - 14, y) for x, y in ends if y == 87} == {(x, 87) for x in (forget, enter, out)}


def test_gru_with_reset_before_the_product_multiplies_the_state():
    after, before = drawn("gru_cell"), drawn("gru_cell(before)")
    words = [{text.get_text() for text in ax.texts} for ax in (after, before)]
    assert words[0] - words[1] >= {"× rₜ", "nₜ = tanh(W_in xₜ + rₜ · W_hn hₜ₋₁)"}
    new = {"rₜ · hₜ₋₁", "only xₜ", "nₜ = tanh(W_in xₜ + W_hn (rₜ · hₜ₋₁))"}
    assert words[1] - words[0] >= new
    assert heads_of(before, "hidden") - heads_of(after, "hidden") == {(154, 136)}
    assert heads_of(after, "forget_gate") == {(174, 126)}
    assert heads_of(before, "forget_gate") == {(144, 126), (174, 126)}


# ---- coloured text ---------------------------------------------------------------------------


class Reader(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.stack, self.pieces, self.attributes = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.stack.append((tag, dict(attrs)))
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.stack.pop()[0] == tag

    def handle_data(self, data):
        if any(tag == "pre" for tag, _ in self.stack):
            self.pieces.append((data, self.stack[-1][1]["class"]))


@settings(max_examples=40)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=40), st.data())
def test_coloured_text_can_be_read_back_and_has_no_style(text, data):
    numbers = st.floats(-1e6, 1e6) | st.just(float("nan"))
    values = data.draw(st.lists(numbers, min_size=len(text), max_size=len(text)))
    shown = plot.ColouredText(text, values)
    reader = Reader(shown._repr_html_())
    assert "".join(piece for piece, _ in reader.pieces) == text == str(shown)
    assert reader.stack == []
    assert {name for name, _ in reader.attributes} == {"class"}
    allowed = {f"rn-heat-{level}" for level in range(9)} | {"rn-heat-text"}
    assert {name for _, name in reader.pieces} <= allowed


def test_coloured_text_levels_are_nine_equal_parts():
    values = np.linspace(0, 1, 10)[:9] + 1 / 18
    shown = plot.ColouredText("abcdefghi", values, limits=(0, 1))
    assert shown.levels == tuple(range(9))
    assert plot.ColouredText("ab", [-5.0, 5.0], limits=(0, 1)).levels == (0, 8)


def test_coloured_text_diverging_puts_zero_in_the_middle():
    shown = plot.ColouredText("abcd", torch.tensor([-1.0, 0.0, 4.0, float("nan")]), diverging=True)
    assert shown.limits == (-4, 4)
    assert shown.levels == (3, 4, 8, None)
    assert "rn-heat-diverging" in shown._repr_html_()


def test_coloured_text_joins_neighbours_of_one_level_and_leaves_nan_plain():
    html = plot.ColouredText("aab", [1.0, 1.0, float("nan")], limits=(0, 1))._repr_html_()
    assert '<span class="rn-heat-8">aa</span>b</pre>' in html


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("ab", [1.0]), ValueError, r"expected shape \(2,\), got \(1,\)"),
        (("ab", [1.0, np.inf]), ValueError, "got Inf"),
        ((["a", 1], [1.0, 2.0]), TypeError, r"characters\[1\]: expected str, got int"),
    ],
)
def test_coloured_text_names_bad_input(arguments, error, message):
    with pytest.raises(error, match=message):
        plot.ColouredText(*arguments)
    with pytest.raises(ValueError, match="low below high"):
        plot.ColouredText("a", [1.0], limits=(1, 1))

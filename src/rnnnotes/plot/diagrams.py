"""Drawings of recurrent nets in one language: states are teal boxes, weights are arrows.

An arrow's colour says which weights it carries: arrows of one colour share their weights. Lengths
are in points of a canvas 420 wide, so that text stays legible where it is shown 360 wide.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from .style import colour, in_house_style, wrap

WIDTH = 420
SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉"


def _canvas(ax, height, title):
    """Return axes in points, (0, 0) lower left; the title stands above ``height``."""
    size, weight = plt.rcParams["axes.titlesize"], plt.rcParams["axes.titleweight"]
    text = wrap(title, 0.94 * WIDTH, size, weight) if title else ""
    top = height + (16 * (text.count("\n") + 1) + 8 if text else 0)
    if ax is None:
        inches = plt.rcParams["figure.figsize"][0]
        figure = plt.figure(figsize=(inches, inches * top / WIDTH))
        figure.set_layout_engine("none")
        ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, WIDTH), ylim=(0, top), aspect="equal")
    ax.set_axis_off()
    ax.text(5, top - 5, text, size=size, weight=weight, ha="left", va="top", linespacing=1.1)
    return ax


def _text(ax, x, y, text, hue="ink", **keywords):
    keywords = dict(ha="center", va="center", linespacing=1.1) | keywords
    return ax.text(x, y, text, color=colour(hue), zorder=4, **keywords)


def _box(ax, x, y, text, hue="hidden", width=40, height=28, solid=False):
    """Draw a box around (x, y): solid for a state, tinted for what is computed from it."""
    ax.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=5",
            facecolor=(colour(hue), 1.0 if solid else 0.14),
            edgecolor=colour(hue),
            linewidth=1.4,
            zorder=3,
        )
    )
    _text(
        ax,
        x,
        y,
        text,
        "paper" if solid else "ink",
        size=13 if "\n" not in text else None,
        weight="bold" if solid else "normal",
    )


def _state(ax, x, y, text, width=40):
    _box(ax, x, y, text, "hidden", width, 28, solid=True)


def _knot(ax, x, y, text, hue="ink"):
    """Draw a small circle with an operation, on a line."""
    ax.add_patch(
        Circle((x, y), 9, facecolor=colour("paper"), edgecolor=colour(hue), linewidth=1.4, zorder=3)
    )
    _text(ax, x, y, text, hue, weight="bold")


def _arrow(ax, start, stop, hue="muted", width=1.8, bend=0.0, style="-|>", **keywords):
    ax.add_patch(
        FancyArrowPatch(
            start,
            stop,
            arrowstyle=f"{style},head_length=5,head_width=2.6" if ">" in style else style,
            connectionstyle=None if start is None else f"arc3,rad={bend}",
            mutation_scale=1,
            color=colour(hue),
            linewidth=width,
            shrinkA=0,
            shrinkB=0,
            joinstyle="miter",
            capstyle="butt",
            zorder=2,
            **keywords,
        )
    )


def _line(ax, *points, hue="muted", width=1.8, head=True):
    """Draw a polyline with a head at its end."""
    xs, ys = zip(*points, strict=True)
    ax.plot(xs[:-1], ys[:-1], color=colour(hue), linewidth=width, zorder=2, solid_joinstyle="round")
    _arrow(ax, points[-2], points[-1], hue, width, style="-|>" if head else "-")


def _key(ax, y, entries):
    """Write a row that names the colours of arrows: [(hue, text)], spread over the width."""
    widths = [34 + 7 * len(text) for _, text in entries]
    gap = (WIDTH - sum(widths)) / (len(entries) + 1)
    x = gap
    for (hue, text), width in zip(entries, widths, strict=True):
        _arrow(ax, (x, y), (x + 24, y), hue)
        _text(ax, x + 30, y, text, hue, ha="left")
        x += width + gap


def _sub(letter, index):
    return letter + "".join(SUBSCRIPTS[int(digit)] for digit in str(index))


WEIGHT_KEY = (("weight_ih", "W_ih"), ("weight_hh", "W_hh"), ("weight_ho", "W_ho"))


@in_house_style
def rnn_folded(
    *,
    title: str | None = "Folded: one cell that feeds its state back to itself",
    ax: Axes | None = None,
) -> Axes:
    """Draw the folded RNN: input, state with its loop, output, and the equation.

    ``h_t = tanh(W_ih x_t + W_hh h_{t-1} + b)``, ``y_t = W_ho h_t``.
    """
    ax = _canvas(ax, 176, title)
    x = 92
    _box(ax, x, 24, "xₜ", "slate")
    _state(ax, x, 88, "hₜ")
    _box(ax, x, 152, "yₜ", "slate")
    _arrow(ax, (x, 39), (x, 73), "weight_ih")
    _arrow(ax, (x, 103), (x, 137), "weight_ho")
    _text(ax, x - 8, 56, "W_ih", "weight_ih", ha="right")
    _text(ax, x - 8, 120, "W_ho", "weight_ho", ha="right")
    right = x + 20
    loop = [(right, 96), (right + 62, 126), (right + 62, 50), (right, 80)]
    curve = Path(loop, [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4])
    _arrow(ax, None, None, "weight_hh", path=curve)
    _text(ax, right + 54, 74, "W_hh, one step later", "weight_hh", ha="left")
    _text(ax, right + 54, 130, "hₜ = tanh(W_ih xₜ + W_hh hₜ₋₁ + b)", ha="left")
    _text(ax, right + 54, 108, "yₜ = W_ho hₜ", ha="left")
    return ax


@in_house_style
def rnn_unrolled(
    steps: int = 4,
    highlight_path: bool = False,
    *,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the RNN unrolled over ``steps`` steps, the same weights in the same colour.

    Args:
        steps: 2 to 6.
        highlight_path: draw the way back from the loss at the last step to the first state, with
            the factor that each step multiplies the gradient by, the transpose of the step's
            Jacobian, ``J_t = diag(1 - h_t^2) W_hh``.

    Raises:
        ValueError: another number of steps.
    """
    if steps not in range(2, 7):
        raise ValueError(f"steps: expected 2 to 6, got {steps}")
    if title is None:
        title = (
            "On the way back the gradient meets W_hh once for every step"
            if highlight_path
            else "Unrolled: every step uses the same three weights"
        )
    ax = _canvas(ax, 212, title)
    pitch = WIDTH / (steps + 1)
    at = [pitch * (t + 0.5) for t in range(steps + 1)]
    bottom, middle, top = 54, 116, 190
    for t, x in enumerate(at):
        _state(ax, x, middle, _sub("h", t), 36)
        if t == 0:
            continue
        _arrow(ax, (at[t - 1] + 19, middle), (x - 19, middle), "weight_hh")
        _box(ax, x, bottom, _sub("x", t), "slate", 36)
        _arrow(ax, (x, bottom + 15), (x, middle - 15), "weight_ih")
        if not highlight_path:
            _box(ax, x, top, _sub("y", t), "slate", 36)
            _arrow(ax, (x, middle + 15), (x, top - 15), "weight_ho")
    if not highlight_path:
        _key(ax, 16, WEIGHT_KEY)
        return ax
    _box(ax, at[-1], top, "loss", "gradient", 44)
    _arrow(ax, (at[-1] - 5, middle + 15), (at[-1] - 5, top - 15), "weight_ho")
    _arrow(ax, (at[-1] + 5, top - 15), (at[-1] + 5, middle + 15), "gradient", 2.6)
    for t in range(steps, 0, -1):
        start, stop = (at[t] - 10, middle + 15), (at[t - 1] + 8, middle + 15)
        _arrow(ax, start, stop, "gradient", 2.6, bend=34 / (pitch - 18))
        _text(ax, (at[t] + at[t - 1]) / 2, middle + 42, f"× {_sub('J', t)}ᵀ", "gradient", size=13)
    _text(ax, 5, top, "Jₜᵀ = W_hhᵀ diag(1 − hₜ²)", "gradient", size=13, ha="left")
    _key(ax, 16, (*WEIGHT_KEY, ("gradient", "gradient")))
    return ax


LSTM_STAGES = (
    "The carousel: what is in the cell stays, and new values are added",
    "The input gate lets in only what is worth keeping",
    "The forget gate lets the cell drop what it holds",
    "The output gate chooses what the rest of the net sees",
)


@in_house_style
def lstm_cell(
    stage: int = 4,
    *,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the LSTM cell part by part: 1 carousel, 2 input, 3 forget, 4 output gate.

    The equations below the cell are those of the stage; at 4 they are torch's:
    ``c_t = f_t * c_{t-1} + i_t * g_t``, ``h_t = o_t * tanh(c_t)``.

    Args:
        stage: 1 to 4.

    Raises:
        ValueError: another stage.
    """
    if stage not in (1, 2, 3, 4):
        raise ValueError(f"stage: expected 1 to 4, got {stage}")
    ax = _canvas(ax, 232, LSTM_STAGES[stage - 1] if title is None else title)
    line, gates, bus = 196, 106, 58
    forget, enter, new, out = 104, 174, 240, 306
    _text(ax, 20, line, "cₜ₋₁", "cell", size=13)
    _text(ax, 402, line, "cₜ", "cell", size=13)
    _line(ax, (40, line), (388, line), hue="cell", width=3)
    _text(ax, 20, bus, "hₜ₋₁\nxₜ", "hidden", size=13)
    reach = {1: new, 2: new, 3: new, 4: out}[stage]
    _line(ax, (40, bus), (reach, bus), hue="muted", head=False)

    def gate(x, name, hue, squash="σ"):
        _box(ax, x, gates, f"{name}\n{squash}", hue, width=58, height=36)
        _arrow(ax, (x, bus), (x, gates - 19), "muted")

    gate(new, "new", "candidate", "tanh")
    _knot(ax, new, line, "+", "cell")
    _arrow(ax, (new, gates + 19), (new, line - 10), "candidate")
    if stage >= 2:
        gate(enter, "input", "input_gate")
        _knot(ax, new, 156, "×", "input_gate")
        _line(ax, (enter, gates + 19), (enter, 156), (new - 10, 156), hue="input_gate")
    if stage >= 3:
        gate(forget, "forget", "forget_gate")
        _knot(ax, forget, line, "×", "forget_gate")
        _arrow(ax, (forget, gates + 19), (forget, line - 10), "forget_gate")
    end = 366
    if stage >= 4:
        gate(out, "output", "output_gate")
        _knot(ax, end, gates, "×", "output_gate")
        _arrow(ax, (out + 30, gates), (end - 10, gates), "output_gate")
        _arrow(ax, (end, 141), (end, gates + 10), "hidden")
        _line(ax, (end, gates - 10), (end, bus), (388, bus), hue="hidden")
    else:
        _line(ax, (end, 141), (end, bus), (388, bus), hue="hidden")
    _box(ax, end, 156, "tanh", "cell", width=46, height=28)
    _arrow(ax, (end, line), (end, 171), "cell")
    _text(ax, 402, bus, "hₜ", "hidden", size=13)
    kept = "fₜ · cₜ₋₁" if stage >= 3 else "cₜ₋₁"
    added = "iₜ · gₜ" if stage >= 2 else "gₜ"
    shown = "oₜ · tanh(cₜ)" if stage >= 4 else "tanh(cₜ)"
    _text(ax, 120, 18, f"cₜ = {kept} + {added}", size=13)
    _text(ax, 310, 18, f"hₜ = {shown}", size=13)
    return ax


@in_house_style
def gru_cell(
    *,
    title: str | None = "The GRU: one gate shares the state between old and new",
    ax: Axes | None = None,
) -> Axes:
    """Draw the GRU cell (torch's form, the reset gate after the product with W_hh).

    ``n_t = tanh(W_in x_t + r_t * (W_hn h_{t-1}))``, ``h_t = z_t * h_{t-1} + (1 - z_t) * n_t``.
    """
    ax = _canvas(ax, 250, title)
    line, gates, bus = 216, 126, 78
    reset, new, update = 104, 204, 316
    _text(ax, 20, line, "hₜ₋₁", "hidden", size=13)
    _text(ax, 402, line, "hₜ", "hidden", size=13)
    _line(ax, (40, line), (388, line), hue="hidden", width=3)
    _text(ax, 20, bus, "hₜ₋₁\nxₜ", "hidden", size=13)
    _line(ax, (40, bus), (update, bus), head=False)
    for x, name, hue, squash in (
        (reset, "reset", "forget_gate", "σ"),
        (new, "new", "candidate", "tanh"),
        (update, "update", "input_gate", "σ"),
    ):
        _box(ax, x, gates, f"{name}\n{squash}", hue, width=58, height=36)
        _arrow(ax, (x, bus), (x, gates - 19))
    _arrow(ax, (reset + 30, gates), (new - 30, gates), "forget_gate")
    _text(ax, (reset + new) / 2, gates + 11, "× rₜ", "forget_gate")
    _knot(ax, 270, line, "×", "input_gate")
    _knot(ax, 352, line, "+", "hidden")
    _knot(ax, 270, 170, "×", "input_gate")
    _line(ax, (new, gates + 19), (new, 170), (260, 170), hue="candidate")
    _line(ax, (280, 170), (352, 170), (352, line - 10), hue="candidate")
    _line(ax, (update, gates + 19), (update, 193), (270, 193), hue="input_gate", head=False)
    _arrow(ax, (270, 193), (270, line - 10), "input_gate")
    _arrow(ax, (270, 193), (270, 180), "input_gate")
    _text(ax, 262, 198, "zₜ", "input_gate", ha="right")
    _text(ax, 262, 185, "1 − zₜ", "input_gate", ha="right")
    _text(ax, WIDTH / 2, 38, "nₜ = tanh(W_in xₜ + rₜ · W_hn hₜ₋₁)", size=13)
    _text(ax, WIDTH / 2, 16, "hₜ = zₜ · hₜ₋₁ + (1 − zₜ) · nₜ", size=13)
    return ax


@in_house_style
def bidirectional(
    steps: int = 4,
    *,
    title: str | None = "Bidirectional: two nets, each output sees both sides",
    ax: Axes | None = None,
) -> Axes:
    """Draw a bidirectional layer over ``steps`` steps (2 to 5): two nets with weights apart.

    Raises:
        ValueError: another number of steps.
    """
    if steps not in range(2, 6):
        raise ValueError(f"steps: expected 2 to 5, got {steps}")
    ax = _canvas(ax, 246, title)
    pitch = (WIDTH - 8) / steps
    shift = pitch * 0.2
    x_row, forward, backward, top = 54, 112, 168, 228
    for t in range(1, steps + 1):
        x = 4 + pitch * (t - 0.5)
        left, right = x - shift, x + shift
        _box(ax, x, x_row, _sub("x", t), "slate", 36)
        _box(ax, x, top, f"{_sub('y', t)}", "slate", 36)
        _box(ax, left, forward, "→", "hidden", 32, 26, solid=True)
        _box(ax, right, backward, "←", "hidden", 32, 26, solid=True)
        _arrow(ax, (x - 6, x_row + 15), (left, forward - 14), "weight_ih")
        _arrow(ax, (x + 8, x_row + 15), (right, backward - 14), "blue")
        _arrow(ax, (left, forward + 14), (x - 8, top - 15), "muted")
        _arrow(ax, (right, backward + 14), (x + 6, top - 15), "muted")
        if t > 1:
            _arrow(ax, (left - pitch + 17, forward), (left - 17, forward), "weight_hh")
            _arrow(ax, (right - 17, backward), (right - pitch + 17, backward), "amber")
    _key(
        ax,
        16,
        (
            ("weight_ih", "W_ih"),
            ("weight_hh", "W_hh"),
            ("blue", "W_ih back"),
            ("amber", "W_hh back"),
        ),
    )
    return ax


@in_house_style
def stacked(
    layers: int = 3,
    steps: int = 4,
    *,
    title: str | None = "Stacked: the states of one layer are the inputs of the next",
    ax: Axes | None = None,
) -> Axes:
    """Draw ``layers`` (2 or 3) recurrent layers over ``steps`` steps (2 to 5), a colour a layer.

    Raises:
        ValueError: other numbers of layers or steps.
    """
    if layers not in (2, 3) or steps not in range(2, 6):
        raise ValueError(f"layers, steps: expected 2 to 3 and 2 to 5, got {layers} and {steps}")
    hues = ("weight_hh", "blue", "purple")
    ax = _canvas(ax, 52 + 62 * layers, title)
    pitch = (WIDTH - 64) / steps
    for t in range(1, steps + 1):
        x = 64 + pitch * (t - 0.5)
        _box(ax, x, 22, _sub("x", t), "slate", 36)
        for layer in range(layers):
            y = 84 + 62 * layer
            _state(ax, x, y, "h" + _sub("", t), 36)
            _arrow(ax, (x, y - 47), (x, y - 15), hues[layer])
            if t > 1:
                _arrow(ax, (x - pitch + 19, y), (x - 19, y), hues[layer])
    for layer in range(layers):
        _text(ax, 5, 84 + 62 * layer, f"layer {layer + 1}", hues[layer], ha="left")
    return ax


@in_house_style
def truncation(
    *,
    title: str | None = "How far back the gradient goes, cut or not",
    ax: Axes | None = None,
) -> Axes:
    """Draw how far gradients travel: in full, in windows of four steps, of random lengths."""
    ax = _canvas(ax, 200, title)
    rows = (
        ("all the way", (12,)),
        ("every four\nsteps", (4, 4, 4)),
        ("at random", (5, 2, 3, 2)),
    )
    left, pitch, size = 100, 26.5, 15
    for row, (name, windows) in enumerate(rows):
        y = 180 - 58 * row
        _text(ax, 5, y, name, ha="left")
        for t in range(12):
            x = left + pitch * t
            _box(ax, x, y, "", "hidden", size, size, solid=True)
            if t:
                _arrow(ax, (x - pitch + 8, y), (x - 8, y), "weight_hh", 1.4)
        first = 0
        for window in windows:
            last = first + window - 1
            start, stop = left + pitch * last + 6, left + pitch * first - 6
            _arrow(ax, (start, y - 16), (stop, y - 16), "gradient", 2.4)
            first += window
    _key(ax, 14, (("weight_hh", "state, forward"), ("gradient", "gradient, backward")))
    return ax


@in_house_style
def clipping(
    *,
    title: str | None = "At the cliff a full step flies off; a clipped one lands below",
    ax: Axes | None = None,
) -> Axes:
    """Draw a cut through an error surface with a cliff, and the steps with and without clipping."""
    ax = _canvas(ax, 186, title)
    w = np.linspace(24, 410, 240)
    error = 56 + 0.0009 * (w - 262) ** 2 + 86 / (1 + np.exp(-(w - 318) / 4))

    def on_curve(at):
        return at, float(np.interp(at, w, error))

    ax.plot(w, error, color=colour("slate"), linewidth=2.6, zorder=2)
    ax.plot([20, 20, 410], [180, 26, 26], color=colour("muted"), linewidth=0.9)
    _text(ax, 28, 174, "error", "muted", ha="left")
    _text(ax, 410, 14, "weight", "muted", ha="right")
    start = on_curve(320.0)
    _arrow(ax, start, on_curve(44.0), "gradient", 2.6, bend=0.28)
    _text(ax, 180, 160, "not clipped", "gradient")
    _arrow(ax, start, on_curve(280.0), "input_gate", 2.6, bend=0.2)
    _text(ax, 240, 86, "clipped", "input_gate")
    ax.plot(*start, "o", color=colour("ink"), markersize=9, zorder=5)
    return ax

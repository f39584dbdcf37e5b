"""Drawings of recurrent nets in one language: states are teal boxes, weights are arrows.

An arrow's colour says which weights it carries: arrows of one colour share their weights. Lengths
are in points of a canvas 420 wide, so that text stays legible where it is shown 360 wide.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.path import Path

from . import strokes as draw
from .style import colour, in_house_style

WEIGHT_KEY = (("weight_ih", "W_ih"), ("weight_hh", "W_hh"), ("weight_ho", "W_ho"))


@in_house_style
def rnn_folded(
    *,
    title: str | None = "Folded: one cell that feeds its state back to itself",
    ax: Axes | None = None,
) -> Axes:
    """Draw the folded RNN: input, state with its loop, output, and the equation.

    ``h_t = tanh(W_ih x_t + W_hh h_{t-1} + b)``, ``y_t = W_ho h_t``.

    Args:
        title: written over the drawing; nothing if None.
        ax: where to draw; a figure of its own if None.

    Returns:
        The axes with the drawing.

    Examples:
        >>> ax = rn.plot.rnn_folded()
        >>> texts = [text.get_text() for text in ax.texts]
        >>> "hₜ = tanh(W_ih xₜ + W_hh hₜ₋₁ + b)" in texts, "yₜ = W_ho hₜ" in texts
        (True, True)
    """
    ax = draw.canvas(ax, 176, title)
    x = 92
    draw.box(ax, x, 24, "xₜ", "slate")
    draw.state(ax, x, 88, "hₜ")
    draw.box(ax, x, 152, "yₜ", "slate")
    draw.arrow(ax, (x, 39), (x, 73), "weight_ih")
    draw.arrow(ax, (x, 103), (x, 137), "weight_ho")
    draw.write(ax, x - 8, 56, "W_ih", "weight_ih", ha="right")
    draw.write(ax, x - 8, 120, "W_ho", "weight_ho", ha="right")
    right = x + 20
    loop = [(right, 96), (right + 62, 126), (right + 62, 50), (right, 80)]
    curve = Path(loop, [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4])
    draw.arrow(ax, None, None, "weight_hh", path=curve)
    draw.write(ax, right + 54, 74, "W_hh, one step later", "weight_hh", ha="left")
    draw.write(ax, right + 54, 130, "hₜ = tanh(W_ih xₜ + W_hh hₜ₋₁ + b)", ha="left")
    draw.write(ax, right + 54, 108, "yₜ = W_ho hₜ", ha="left")
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
        title: what the drawing shows, in a sentence, if None.
        ax: where to draw; a figure of its own if None.

    Returns:
        The axes with the drawing.

    Raises:
        ValueError: another number of steps.

    Examples:
        >>> ax = rn.plot.rnn_unrolled(steps=3, highlight_path=True)
        >>> [text.get_text() for text in ax.texts if "×" in text.get_text()]
        ['× J₃ᵀ', '× J₂ᵀ', '× J₁ᵀ']
    """
    if steps not in range(2, 7):
        raise ValueError(f"steps: expected 2 to 6, got {steps}")
    if title is None:
        title = (
            "On the way back the gradient meets W_hh once for every step"
            if highlight_path
            else "Unrolled: every step uses the same three weights"
        )
    ax = draw.canvas(ax, 212, title)
    pitch = draw.WIDTH / (steps + 1)
    at = [pitch * (t + 0.5) for t in range(steps + 1)]
    bottom, middle, top = 54, 116, 190
    for t, x in enumerate(at):
        draw.state(ax, x, middle, draw.sub("h", t), 36)
        if t == 0:
            continue
        draw.arrow(ax, (at[t - 1] + 19, middle), (x - 19, middle), "weight_hh")
        draw.box(ax, x, bottom, draw.sub("x", t), "slate", 36)
        draw.arrow(ax, (x, bottom + 15), (x, middle - 15), "weight_ih")
        if not highlight_path:
            draw.box(ax, x, top, draw.sub("y", t), "slate", 36)
            draw.arrow(ax, (x, middle + 15), (x, top - 15), "weight_ho")
    if not highlight_path:
        draw.key(ax, 16, WEIGHT_KEY)
        return ax
    draw.box(ax, at[-1], top, "loss", "gradient", 44)
    draw.arrow(ax, (at[-1] - 5, middle + 15), (at[-1] - 5, top - 15), "weight_ho")
    draw.arrow(ax, (at[-1] + 5, top - 15), (at[-1] + 5, middle + 15), "gradient", 2.6)
    for t in range(steps, 0, -1):
        start, stop = (at[t] - 10, middle + 15), (at[t - 1] + 8, middle + 15)
        draw.arrow(ax, start, stop, "gradient", 2.6, bend=34 / (pitch - 18))
        draw.write(
            ax, (at[t] + at[t - 1]) / 2, middle + 42, f"× {draw.sub('J', t)}ᵀ", "gradient", size=13
        )
    draw.write(ax, 5, top, "Jₜᵀ = W_hhᵀ diag(1 − hₜ²)", "gradient", size=13, ha="left")
    draw.key(ax, 16, (*WEIGHT_KEY, ("gradient", "gradient")))
    return ax


@in_house_style
def bidirectional(
    steps: int = 4,
    *,
    title: str | None = "Bidirectional: two nets, each output sees both sides",
    ax: Axes | None = None,
) -> Axes:
    """Draw a bidirectional layer: two nets with weights apart.

    Args:
        steps: 2 to 5.
        title: written over the drawing; nothing if None.
        ax: where to draw; a figure of its own if None.

    Returns:
        The axes with the drawing.

    Raises:
        ValueError: another number of steps.

    Examples:
        >>> ax = rn.plot.bidirectional(steps=3)
        >>> arrows = [text.get_text() for text in ax.texts if text.get_text() in "→←"]
        >>> arrows.count("→"), arrows.count("←")
        (3, 3)
    """
    if steps not in range(2, 6):
        raise ValueError(f"steps: expected 2 to 5, got {steps}")
    ax = draw.canvas(ax, 246, title)
    pitch = (draw.WIDTH - 8) / steps
    shift = pitch * 0.2
    x_row, forward, backward, top = 54, 112, 168, 228
    for t in range(1, steps + 1):
        x = 4 + pitch * (t - 0.5)
        left, right = x - shift, x + shift
        draw.box(ax, x, x_row, draw.sub("x", t), "slate", 36)
        draw.box(ax, x, top, f"{draw.sub('y', t)}", "slate", 36)
        draw.box(ax, left, forward, "→", "hidden", 32, 26, solid=True)
        draw.box(ax, right, backward, "←", "hidden", 32, 26, solid=True)
        draw.arrow(ax, (x - 6, x_row + 15), (left, forward - 14), "weight_ih")
        draw.arrow(ax, (x + 8, x_row + 15), (right, backward - 14), "blue")
        draw.arrow(ax, (left, forward + 14), (x - 8, top - 15), "muted")
        draw.arrow(ax, (right, backward + 14), (x + 6, top - 15), "muted")
        if t > 1:
            draw.arrow(ax, (left - pitch + 17, forward), (left - 17, forward), "weight_hh")
            draw.arrow(ax, (right - 17, backward), (right - pitch + 17, backward), "amber")
    draw.key(
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
    """Draw recurrent layers, one over the other, a colour a layer.

    Args:
        layers: 2 or 3.
        steps: 2 to 5.
        title: written over the drawing; nothing if None.
        ax: where to draw; a figure of its own if None.

    Returns:
        The axes with the drawing.

    Raises:
        ValueError: other numbers of layers or steps.

    Examples:
        >>> ax = rn.plot.stacked(layers=2, steps=3, title=None)
        >>> [text.get_text() for text in ax.texts if "layer" in text.get_text()]
        ['layer 1', 'layer 2']
    """
    if layers not in (2, 3) or steps not in range(2, 6):
        raise ValueError(f"layers, steps: expected 2 to 3 and 2 to 5, got {layers} and {steps}")
    hues = ("weight_hh", "blue", "purple")
    ax = draw.canvas(ax, 52 + 62 * layers, title)
    pitch = (draw.WIDTH - 64) / steps
    for t in range(1, steps + 1):
        x = 64 + pitch * (t - 0.5)
        draw.box(ax, x, 22, draw.sub("x", t), "slate", 36)
        for layer in range(layers):
            y = 84 + 62 * layer
            draw.state(ax, x, y, "h" + draw.sub("", t), 36)
            draw.arrow(ax, (x, y - 47), (x, y - 15), hues[layer])
            if t > 1:
                draw.arrow(ax, (x - pitch + 19, y), (x - 19, y), hues[layer])
    for layer in range(layers):
        draw.write(ax, 5, 84 + 62 * layer, f"layer {layer + 1}", hues[layer], ha="left")
    return ax


@in_house_style
def truncation(
    *,
    title: str | None = "How far back the gradient goes, cut or not",
    ax: Axes | None = None,
) -> Axes:
    """Draw how far gradients travel: in full, in windows of four steps, of random lengths.

    Args:
        title: written over the drawing; nothing if None.
        ax: where to draw; a figure of its own if None.

    Returns:
        The axes with the drawing.

    Examples:
        >>> ax = rn.plot.truncation(title=None)
        >>> [" ".join(text.get_text().split()) for text in ax.texts if text.get_text()][:3]
        ['all the way', 'every four steps', 'at random']
    """
    ax = draw.canvas(ax, 200, title)
    rows = (
        ("all the way", (12,)),
        ("every four\nsteps", (4, 4, 4)),
        ("at random", (5, 2, 3, 2)),
    )
    left, pitch, size = 100, 26.5, 15
    for row, (name, windows) in enumerate(rows):
        y = 180 - 58 * row
        draw.write(ax, 5, y, name, ha="left")
        for t in range(12):
            x = left + pitch * t
            draw.box(ax, x, y, "", "hidden", size, size, solid=True)
            if t:
                draw.arrow(ax, (x - pitch + 8, y), (x - 8, y), "weight_hh", 1.4)
        first = 0
        for window in windows:
            last = first + window - 1
            start, stop = left + pitch * last + 6, left + pitch * first - 6
            draw.arrow(ax, (start, y - 16), (stop, y - 16), "gradient", 2.4)
            first += window
    draw.key(ax, 14, (("weight_hh", "state, forward"), ("gradient", "gradient, backward")))
    return ax


@in_house_style
def clipping(
    *,
    title: str | None = "At the cliff a full step flies off; a clipped one lands below",
    ax: Axes | None = None,
) -> Axes:
    """Draw a cut through an error surface with a cliff, and the steps with and without clipping.

    Args:
        title: written over the drawing; nothing if None.
        ax: where to draw; a figure of its own if None.

    Returns:
        The axes with the drawing.

    Examples:
        >>> ax = rn.plot.clipping(title="A cliff")
        >>> [text.get_text() for text in ax.texts if "clipped" in text.get_text()]
        ['not clipped', 'clipped']
    """
    ax = draw.canvas(ax, 186, title)
    w = np.linspace(24, 410, 240)
    error = 56 + 0.0009 * (w - 262) ** 2 + 86 / (1 + np.exp(-(w - 318) / 4))

    def on_curve(at):
        return at, float(np.interp(at, w, error))

    ax.plot(w, error, color=colour("slate"), linewidth=2.6, zorder=2)
    ax.plot([20, 20, 410], [180, 26, 26], color=colour("muted"), linewidth=0.9)
    draw.write(ax, 28, 174, "error", "muted", ha="left")
    draw.write(ax, 410, 14, "weight", "muted", ha="right")
    start = on_curve(320.0)
    draw.arrow(ax, start, on_curve(44.0), "gradient", 2.6, bend=0.28)
    draw.write(ax, 180, 160, "not clipped", "gradient")
    draw.arrow(ax, start, on_curve(280.0), "input_gate", 2.6, bend=0.2)
    draw.write(ax, 240, 86, "clipped", "input_gate")
    ax.plot(*start, "o", color=colour("ink"), markersize=9, zorder=5)
    return ax

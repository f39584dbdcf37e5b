"""The strokes that all drawings of nets are made of: boxes, circles, arrows, words.

Lengths are in points of a canvas 420 wide, so that text stays legible where it is shown 360 wide.
What is left out of a net is a ghost: dashed, without a fill or a head.
"""

import matplotlib.pyplot as plt
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
from matplotlib.textpath import text_to_path

from .style import colour, wrap

WIDTH = 420
SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉"
GHOST = {"linewidth": 1.2, "linestyle": (0, (3, 2.4))}


def canvas(ax, height, title, depth=0):
    """Return axes in points, from ``-depth`` up; the title stands above ``height``."""
    size, weight = plt.rcParams["axes.titlesize"], plt.rcParams["axes.titleweight"]
    text = wrap(title, 0.94 * WIDTH, size, weight) if title else ""
    top = height + (16 * (text.count("\n") + 1) + 8 if text else 0)
    if ax is None:
        inches = plt.rcParams["figure.figsize"][0]
        figure = plt.figure(figsize=(inches, inches * (top + depth) / WIDTH))
        figure.set_layout_engine("none")
        ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, WIDTH), ylim=(-depth, top), aspect="equal")
    ax.set_axis_off()
    ax.text(5, top - 5, text, size=size, weight=weight, ha="left", va="top", linespacing=1.1)
    return ax


def write(ax, x, y, text, hue="ink", **keywords):
    """Write around (x, y)."""
    keywords = dict(ha="center", va="center", linespacing=1.1) | keywords
    return ax.text(x, y, text, color=colour(hue), zorder=4, **keywords)


def equations(ax, y, texts, hue):
    """Write equations in one row, spread over the width; what stands between stars in ``hue``.

    The letters of a page are mostly narrower than those measured here: what this leaves open has
    to be where a space is, and not before a bracket.
    """
    look = dict(size=13, va="baseline")
    font = FontProperties(family=plt.rcParams["font.family"], size=look["size"])

    def measure(text):
        return text_to_path.get_text_width_height_descent(text, font, False)[0]

    plain = [text.replace("*", "") for text in texts]
    gap = (WIDTH - sum(map(measure, plain))) / (len(texts) + 1)
    left = gap
    for text, whole in zip(texts, plain, strict=True):
        right = left + measure(whole)
        if "*" not in text:
            write(ax, (left + right) / 2, y, text, **look)
        else:
            before, starred, after = text.split("*")
            stop = left + measure(before + starred)
            start = stop - measure(starred)
            write(ax, left + measure(before.strip()), y, before.strip(), ha="right", **look)
            if not after:
                write(ax, start, y, starred, hue, ha="left", **look)
            elif after[0] == " ":
                write(ax, (start + stop) / 2, y, starred, hue, **look)
            else:
                write(ax, stop, y, starred, hue, ha="right", **look)
            if after:
                write(ax, right - measure(after.strip()), y, after.strip(), ha="left", **look)
        left = right + gap


def box(ax, x, y, text, hue="hidden", width=40, height=28, solid=False, ghost=False):
    """Draw a box around (x, y): solid for a state, tinted for what is computed from it."""
    hue = "muted" if ghost else hue
    ax.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=5",
            facecolor="none" if ghost else (colour(hue), 1.0 if solid else 0.14),
            edgecolor=colour(hue),
            zorder=3,
            **(GHOST if ghost else {"linewidth": 1.4}),
        )
    )
    write(
        ax,
        x,
        y,
        text,
        "paper" if solid else "muted" if ghost else "ink",
        size=13 if "\n" not in text else None,
        weight="bold" if solid else "normal",
    )


def state(ax, x, y, text, width=40):
    """Draw a state's box."""
    box(ax, x, y, text, "hidden", width, 28, solid=True)


def knot(ax, x, y, text, hue="ink", ghost=False):
    """Draw a small circle with an operation, on a line; of a ghost nothing but the circle."""
    face, edge = ("none", colour("muted")) if ghost else (colour("paper"), colour(hue))
    style = GHOST if ghost else {"linewidth": 1.4}
    ax.add_patch(Circle((x, y), 9, facecolor=face, edgecolor=edge, zorder=3, **style))
    if not ghost:
        write(ax, x, y, text, hue, weight="bold")


def arrow(ax, start, stop, hue="muted", width=1.8, bend=0.0, style="-|>", **keywords):
    """Draw an arrow from ``start`` to ``stop``."""
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


def line(ax, *points, hue="muted", width=1.8, head=True, ghost=False):
    """Draw a polyline with a head at its end; a ghost has none."""
    xs, ys = zip(*points, strict=True)
    if ghost:
        ax.plot(xs, ys, color=colour("muted"), zorder=1, dash_capstyle="butt", **GHOST)
        return
    ax.plot(xs[:-1], ys[:-1], color=colour(hue), linewidth=width, zorder=2, solid_joinstyle="round")
    arrow(ax, points[-2], points[-1], hue, width, style="-|>" if head else "-")


def key(ax, y, entries):
    """Write a row that names the colours of arrows: [(hue, text)], spread over the width."""
    widths = [34 + 7 * len(text) for _, text in entries]
    gap = (WIDTH - sum(widths)) / (len(entries) + 1)
    x = gap
    for (hue, text), width in zip(entries, widths, strict=True):
        arrow(ax, (x, y), (x + 24, y), hue)
        write(ax, x + 30, y, text, hue, ha="left")
        x += width + gap


def sub(letter, index):
    """Write a number as a subscript: h₁₂."""
    return letter + "".join(SUBSCRIPTS[int(digit)] for digit in str(index))

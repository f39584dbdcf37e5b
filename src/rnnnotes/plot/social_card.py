"""The picture that stands for a page where a link to it is shown elsewhere."""

from io import BytesIO

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from PIL import Image

from .palette import DARK

WIDTH, HEIGHT, MARGIN = 1200, 630, 80
PAPER = "#12343f"  # the header of the site
FONT = "DejaVu Sans"  # comes with matplotlib, so that a card is the same on every machine


def social_card(site: str, part: str, title: str, says: str) -> bytes:
    """Return a PNG of 1200 x 630 pixels: the site and the part of it, a title, a sentence.

    A title takes at most three lines and a sentence four; what is longer ends in an ellipsis. The
    curves are powers of numbers below, at and above 1, as gradients are over time.
    """
    with matplotlib.rc_context({"font.family": FONT, "text.parse_math": False}):
        figure = Figure(figsize=(WIDTH / 100, HEIGHT / 100), dpi=100, facecolor=PAPER)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set_xlim(0, WIDTH)
        axes.set_ylim(HEIGHT, 0)
        _curves(axes)
        axes.text(MARGIN, 90, f"{site}  ·  {part}" if part else site, size=20, color=DARK["teal"])
        top = 170.0
        for line in _wrapped(title, 44, bold=True, most=3):
            axes.text(MARGIN, top, line, size=44, weight="bold", color="white", va="center")
            top += 76
        top += 14
        for line in _wrapped(says, 22, bold=False, most=4):
            axes.text(MARGIN, top, line, size=22, color=DARK["ink"], va="center")
            top += 42
        drawn, out = BytesIO(), BytesIO()
        figure.savefig(drawn, format="png")
    # 64 colours are enough for text on plain paper, and weigh a third.
    Image.open(drawn).convert("RGB").quantize(64).save(out, "png", optimize=True)
    return out.getvalue()


def _curves(axes: Axes) -> None:
    steps = np.linspace(0, 1, 200)
    for factor, hue in ((0.02, "blue"), (0.2, "teal"), (1.0, "green"), (2.2, "orange")):
        heights = 60 * factor**steps
        axes.plot(WIDTH * steps, HEIGHT - 30 - heights, color=DARK[hue], linewidth=3, alpha=0.55)


def _wrapped(text: str, size: float, bold: bool, most: int) -> list[str]:
    """The lines of a text that fit between the margins."""
    room = (WIDTH - 2 * MARGIN) * 72 / 100  # in points
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and _width(longer, size, bold) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    if len(lines) > most:
        last = lines[most - 1]
        while last and _width(f"{last} …", size, bold) > room:
            last = last.rpartition(" ")[0]
        lines[most - 1 :] = [f"{last} …"]
    return lines


def _width(text: str, size: float, bold: bool) -> float:
    """In points."""
    font = FontProperties(family=FONT, size=size, weight="bold" if bold else "normal")
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]

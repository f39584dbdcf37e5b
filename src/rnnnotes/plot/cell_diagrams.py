"""Drawings of the gated cells: boxes with the gates' colours, on the line of the state.

The drawings of one cell are made of the same parts at the same places, so that what differs
between two of them is what differs between the nets.
"""

from matplotlib.axes import Axes

from rnnnotes._checks import check_choice

from . import strokes as draw
from .style import in_house_style

# Heights of the LSTM's cell state, of its product with the input gate, of its gates and of what
# feeds them, and the places of its gates and of the way out.
LINE, PRODUCT, GATES, BUS = 196, 156, 106, 58
FORGET, ENTER, NEW, OUT, END = 104, 174, 240, 306, 366
# The gradient's colour elsewhere; no part of a cell has it.
ACCENT = "pink"
THIN = 1.2

LSTM_STAGES = (
    "The carousel: what is in the cell stays, and new values are added",
    "The input gate lets in only what is worth keeping",
    "The forget gate lets the cell drop what it holds",
    "The output gate chooses what the rest of the net sees",
)

LSTM_VARIANTS = {
    "V": "Peepholes: each gate sees what the cell holds",
    "NP": "No peepholes: torch's LSTM, whose gates never see the cell",
    "CIFG": "Coupled gates: the cell drops as much as it lets in",
    "NIG": "No input gate: all that is new goes in",
    "NFG": "No forget gate: nothing is ever dropped",
    "NOG": "No output gate: the rest of the net sees the whole cell",
    "NIAF": "No input activation: what goes in has no bounds",
    "NOAF": "No output activation: what comes out has no bounds",
    "FGR": "Full gate recurrence: each gate sees all gates of the step before",
}
# The part that a variant leaves out, and words that say what is changed, with their place.
LSTM_CHANGES = {
    "V": (None, "peepholes", 112, 173, "left"),
    "NP": ("peepholes", "no peepholes", 112, 173, "left"),
    "CIFG": ("forget", "no own weights", FORGET, 74, "center"),
    "NIG": ("input", "no input gate", ENTER, 74, "center"),
    "NFG": ("forget", "no forget gate", FORGET, 74, "center"),
    "NOG": ("output", "no output gate", OUT, 74, "center"),
    "NIAF": ("new", "no tanh", NEW + 7, 137, "left"),
    "NOAF": ("tanh", "no tanh", END - 7, 180, "right"),
    "FGR": (None, "iₜ₋₁ fₜ₋₁ oₜ₋₁", 5, 38, "left"),
}
KEPT, SHOWN = "cₜ = fₜ · cₜ₋₁ + iₜ · gₜ", "hₜ = oₜ · tanh(cₜ)"
# Rows of equations; … is what stood there before the change.
LSTM_EQUATIONS = {
    "V": ((KEPT, SHOWN), ("iₜ, fₜ = σ(… + *p · cₜ₋₁*)", "oₜ = σ(… + *p · cₜ*)")),
    "NP": ((KEPT, SHOWN), ("iₜ, fₜ, oₜ = σ*(W_ih xₜ + W_hh hₜ₋₁ + b)*",)),
    "CIFG": (("cₜ = *(1 − iₜ)* · cₜ₋₁ + iₜ · gₜ", SHOWN),),
    "NIG": (("cₜ = fₜ · cₜ₋₁ + *gₜ*", SHOWN),),
    "NFG": (("cₜ = *cₜ₋₁* + iₜ · gₜ", SHOWN),),
    "NOG": ((KEPT, "hₜ = *tanh(cₜ)*"),),
    "NIAF": ((KEPT, SHOWN), ("gₜ = *W_ih xₜ + W_hh hₜ₋₁ + b*",)),
    "NOAF": ((KEPT, "hₜ = oₜ · *cₜ*"),),
    "FGR": ((KEPT, SHOWN), ("iₜ, fₜ, oₜ = σ(… + *W_gg [iₜ₋₁, fₜ₋₁, oₜ₋₁]*)",)),
}


def _lstm(ax, gates, ghost=None, coupled=False):
    """Draw the LSTM with these gates, and the one part that it lacks as a ghost."""
    draw.write(ax, 20, LINE, "cₜ₋₁", "cell", size=13)
    draw.write(ax, 402, LINE, "cₜ", "cell", size=13)
    draw.line(ax, (40, LINE), (388, LINE), hue="cell", width=3)
    draw.write(ax, 20, BUS, "hₜ₋₁\nxₜ", "hidden", size=13)
    draw.line(ax, (40, BUS), (OUT if "output" in gates else NEW, BUS), hue="muted", head=False)

    def gate(x, name, hue, squash="σ"):
        absent = name == ghost
        draw.box(ax, x, GATES, f"{name}\n{squash}", hue, width=58, height=36, ghost=absent)
        if not absent:
            draw.arrow(ax, (x, BUS), (x, GATES - 19), "muted")

    def wire(name, *points):
        if name == ghost:
            draw.line(ax, *points, ghost=True)
        elif len(points) == 2:
            draw.arrow(ax, *points, f"{name}_gate")
        else:
            draw.line(ax, *points, hue=f"{name}_gate")

    if ghost == "new":
        draw.box(ax, NEW, GATES, "", width=58, height=36, ghost=True)
        draw.line(ax, (NEW, BUS), (NEW, GATES + 19), hue=ACCENT, head=False)
        draw.write(ax, NEW - 7, 137, "new", "candidate", ha="right")
    else:
        gate(NEW, "new", "candidate", "tanh")
    draw.knot(ax, NEW, LINE, "+", "cell")
    draw.arrow(ax, (NEW, GATES + 19), (NEW, LINE - 10), "candidate")
    if "input" in (*gates, ghost):
        gate(ENTER, "input", "input_gate")
        draw.knot(ax, NEW, PRODUCT, "×", "input_gate", ghost == "input")
        wire("input", (ENTER, GATES + 19), (ENTER, PRODUCT), (NEW - 10, PRODUCT))
    if "forget" in (*gates, ghost):
        gate(FORGET, "forget", "forget_gate")
        if coupled:
            draw.knot(ax, FORGET, LINE, "×", ACCENT)
            way = (ENTER, PRODUCT), (FORGET, PRODUCT), (FORGET, LINE - 10)
            draw.line(ax, *way, hue=ACCENT)
            draw.write(ax, (FORGET + ENTER) / 2, PRODUCT + 11, "1 − iₜ", ACCENT)
        else:
            draw.knot(ax, FORGET, LINE, "×", "forget_gate", ghost == "forget")
            wire("forget", (FORGET, GATES + 19), (FORGET, LINE - 10))
    if "output" in (*gates, ghost):
        gate(OUT, "output", "output_gate")
        draw.knot(ax, END, GATES, "×", "output_gate", ghost == "output")
        wire("output", (OUT + 30, GATES), (END - 10, GATES))
    if ghost == "tanh":
        draw.arrow(ax, (END, LINE), (END, GATES + 10), ACCENT)
    elif "output" in gates:
        draw.arrow(ax, (END, 141), (END, GATES + 10), "hidden")
    if "output" in gates:
        draw.line(ax, (END, GATES - 10), (END, BUS), (388, BUS), hue="hidden")
    else:
        draw.line(ax, (END, 141), (END, BUS), (388, BUS), hue="hidden")
    absent = ghost == "tanh"
    draw.box(ax, END, PRODUCT, "" if absent else "tanh", "cell", 46, 28, ghost=absent)
    if not absent:
        draw.arrow(ax, (END, LINE), (END, 171), "cell")
    draw.write(ax, 402, BUS, "hₜ", "hidden", size=13)


def _peepholes(ax, ghost, hue):
    """Draw thin wires from the cell's line into the gates; the old state's two share a start."""
    height, top = 138, GATES + 19
    tap, fork = [(60, LINE), (60, height)], (FORGET - 16, height)
    branches = {
        "forget": [fork, (FORGET - 16, top)],
        "input": [fork, (ENTER - 16, height), (ENTER - 16, top)],
    }
    absent = {"peepholes": ("forget", "input", "output")}.get(ghost, (ghost,))
    # The start goes to a gate that is there, if one is.
    first, second = sorted(branches, key=lambda name: name in absent)
    wires = {
        first: [*tap, *branches[first]],
        second: branches[second],
        "output": [(OUT, LINE), (OUT, top)],
    }
    for name, points in wires.items():
        draw.line(ax, *points, hue=hue, width=THIN, ghost=name in absent)


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
        title: what the stage adds, in a sentence, if None.
        ax: where to draw; a figure of its own if None.

    Returns:
        The axes with the drawing.

    Raises:
        ValueError: another stage.

    Examples:
        >>> ax = rn.plot.lstm_cell(stage=2)  # without forget and output gate
        >>> texts = [text.get_text() for text in ax.texts]
        >>> "cₜ = cₜ₋₁ + iₜ · gₜ" in texts, "hₜ = tanh(cₜ)" in texts
        (True, True)
    """
    if stage not in (1, 2, 3, 4):
        raise ValueError(f"stage: expected 1 to 4, got {stage}")
    ax = draw.canvas(ax, 232, LSTM_STAGES[stage - 1] if title is None else title)
    _lstm(ax, ("new", "input", "forget", "output")[:stage])
    kept = "fₜ · cₜ₋₁" if stage >= 3 else "cₜ₋₁"
    added = "iₜ · gₜ" if stage >= 2 else "gₜ"
    shown = "oₜ · tanh(cₜ)" if stage >= 4 else "tanh(cₜ)"
    draw.write(ax, 120, 18, f"cₜ = {kept} + {added}", size=13)
    draw.write(ax, 310, 18, f"hₜ = {shown}", size=13)
    return ax


@in_house_style
def lstm_variant(
    variant: str = "V",
    *,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the LSTM cell as a variant of Greff et al. has it, with the change marked.

    What is left out is dashed, what is added or put in its place is pink, in the cell and in the
    equations below it, where … stands for what was there before. V is the LSTM of
    :func:`lstm_cell` with peepholes added, thin wires from the cell's state to the gates:
    ``c_t = f_t * c_{t-1} + i_t * g_t``, ``h_t = o_t * tanh(c_t)``. Each other variant is V with
    one change; :class:`rnnnotes.LSTMVariantCell` computes them.

    Args:
        variant: a name in :data:`rnnnotes.VARIANTS`.
        title: the change in a sentence if None.
        ax: where to draw; a figure of its own if None.

    Returns:
        The axes with the drawing.

    Raises:
        ValueError: another name.

    Examples:
        >>> ax = rn.plot.lstm_variant("NOAF")
        >>> [text.get_text() for text in ax.texts if text.get_text() == "no tanh"]
        ['no tanh']
        >>> plain = rn.plot.lstm_variant("NP", title="As torch has it")
        >>> plain.texts[0].get_text()
        'As torch has it'
    """
    check_choice("variant", variant, LSTM_VARIANTS)
    rows = LSTM_EQUATIONS[variant]
    title = LSTM_VARIANTS[variant] if title is None else title
    ax = draw.canvas(ax, 232, title, depth=22 * (len(rows) - 1))
    ghost, words, x, y, side = LSTM_CHANGES[variant]
    gates = [name for name in ("new", "input", "forget", "output") if name != ghost]
    _lstm(ax, gates, ghost, coupled=variant == "CIFG")
    _peepholes(ax, ghost, ACCENT if variant == "V" else "cell")
    draw.write(ax, x, y, words, ACCENT, ha=side)
    if variant == "FGR":
        draw.line(ax, (76, y), (OUT + 14, y), hue=ACCENT, head=False)
        for gate in (FORGET, ENTER, OUT):
            draw.arrow(ax, (gate + 14, y), (gate + 14, GATES - 19), ACCENT)
    for row, texts in enumerate(rows):
        draw.equations(ax, 13 - 22 * row, texts, ACCENT)
    return ax


GRU_RESETS = {
    "after": "The GRU: one gate shares the state between old and new",
    "before": "The GRU as first published: reset comes before the product",
}


@in_house_style
def gru_cell(
    *,
    reset: str = "after",
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the GRU cell, with the reset gate after the product with W_hn or before it.

    After: ``n_t = tanh(W_in x_t + r_t * (W_hn h_{t-1}))``;
    before: ``n_t = tanh(W_in x_t + W_hn (r_t * h_{t-1}))``;
    ``h_t = z_t * h_{t-1} + (1 - z_t) * n_t``.

    Args:
        reset: ``"after"`` the product, torch's form, or ``"before"`` it, the paper's.
        title: a sentence on the form if None.
        ax: where to draw; a figure of its own if None.

    Returns:
        The axes with the drawing.

    Raises:
        ValueError: another word.

    Examples:
        >>> ax = rn.plot.gru_cell(reset="before")
        >>> "nₜ = tanh(W_in xₜ + W_hn (rₜ · hₜ₋₁))" in [text.get_text() for text in ax.texts]
        True
    """
    check_choice("reset", reset, GRU_RESETS)
    ax = draw.canvas(ax, 250, GRU_RESETS[reset] if title is None else title)
    line, gates, bus = 216, 126, 78
    left, new, update = 104, 204, 316
    draw.write(ax, 20, line, "hₜ₋₁", "hidden", size=13)
    draw.write(ax, 402, line, "hₜ", "hidden", size=13)
    draw.line(ax, (40, line), (388, line), hue="hidden", width=3)
    draw.write(ax, 20, bus, "hₜ₋₁\nxₜ", "hidden", size=13)
    draw.line(ax, (40, bus), (update, bus), head=False)
    for x, name, hue, squash in (
        (left, "reset", "forget_gate", "σ"),
        (new, "new", "candidate", "tanh"),
        (update, "update", "input_gate", "σ"),
    ):
        draw.box(ax, x, gates, f"{name}\n{squash}", hue, width=58, height=36)
        draw.arrow(ax, (x, bus), (x, gates - 19))
    middle = (left + new) / 2
    if reset == "after":
        draw.arrow(ax, (left + 30, gates), (new - 30, gates), "forget_gate")
        draw.write(ax, middle, gates + 11, "× rₜ", "forget_gate")
        product = "rₜ · W_hn hₜ₋₁"
    else:
        draw.arrow(ax, (middle, line), (middle, gates + 10), "hidden")
        draw.knot(ax, middle, gates, "×", "forget_gate")
        draw.arrow(ax, (left + 30, gates), (middle - 10, gates), "forget_gate")
        draw.arrow(ax, (middle + 10, gates), (new - 30, gates), "forget_gate")
        draw.write(ax, middle, 97, "rₜ · hₜ₋₁", "forget_gate")
        draw.write(ax, new + 7, 92, "only xₜ", "muted", ha="left")
        product = "W_hn (rₜ · hₜ₋₁)"
    draw.knot(ax, 270, line, "×", "input_gate")
    draw.knot(ax, 352, line, "+", "hidden")
    draw.knot(ax, 270, 170, "×", "input_gate")
    draw.line(ax, (new, gates + 19), (new, 170), (260, 170), hue="candidate")
    draw.line(ax, (280, 170), (352, 170), (352, line - 10), hue="candidate")
    draw.line(ax, (update, gates + 19), (update, 193), (270, 193), hue="input_gate", head=False)
    draw.arrow(ax, (270, 193), (270, line - 10), "input_gate")
    draw.arrow(ax, (270, 193), (270, 180), "input_gate")
    draw.write(ax, 262, 198, "zₜ", "input_gate", ha="right")
    draw.write(ax, 262, 185, "1 − zₜ", "input_gate", ha="right")
    draw.write(ax, draw.WIDTH / 2, 38, f"nₜ = tanh(W_in xₜ + {product})", size=13)
    draw.write(ax, draw.WIDTH / 2, 16, "hₜ = zₜ · hₜ₋₁ + (1 − zₜ) · nₜ", size=13)
    return ax

"""The colours of the house: one name, one hex for light paper and one for dark.

Figures are drawn with the light hex. The site rewrites each hex into the CSS variable of its name
(``--rn-blue``), so that a figure follows the palette of the page it stands on.
"""

LIGHT = {
    "ink": "#1f2328",
    "muted": "#57606a",
    "grid": "#d0d7de",
    "paper": "#fefefe",
    "blue": "#0b5fa5",
    "orange": "#c2410c",
    "green": "#1a7f4b",
    "purple": "#7c3aed",
    "amber": "#946200",
    "pink": "#be185d",
    "teal": "#0e7490",
    "slate": "#64748b",
}
"""Hex of each colour on light paper, by name."""

DARK = {
    "ink": "#e6edf3",
    "muted": "#a5aeb8",
    "grid": "#434b57",
    "paper": "#1e2129",
    "blue": "#6cb6ff",
    "orange": "#ff9a6b",
    "green": "#6bd69a",
    "purple": "#bfa5ff",
    "amber": "#e3b341",
    "pink": "#ff8fc0",
    "teal": "#5fd0dd",
    "slate": "#a3b1c2",
}
"""Hex of each colour on dark paper, by name."""

CYCLE = ("blue", "orange", "green", "purple", "teal", "pink", "amber", "slate")
"""The order in which lines take their colours."""

MEANING = {
    "hidden": "teal",
    "cell": "blue",
    "input_gate": "green",
    "forget_gate": "orange",
    "candidate": "amber",
    "output_gate": "purple",
    "gradient": "pink",
}
"""What a colour stands for wherever a cell is drawn or its gates are plotted."""

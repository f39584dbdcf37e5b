"""LaTeX to MathML Core at build time: nothing to load, no script, text that can be read aloud."""

import re
from functools import cache

import math_core

# Inline styles, which a strict Content-Security-Policy refuses, by the class that replaces them.
_STYLE = re.compile(r' style="([^"]*)"')
_COLOUR = re.compile(r' style="(?:[^"]*;)?\s*color:')
_TEXT = re.compile(r">([^<>]+)<")


class MathError(ValueError):
    """A formula that cannot be typeset."""


@cache
def _converter() -> math_core.LatexToMathML:
    return math_core.LatexToMathML(fancy_error=False)


@cache
def typeset(latex: str, display: bool) -> str:
    """The formula as HTML that stands in any line of Markdown.

    Args:
        latex: the formula, without its dollars.
        display: on a line of its own.

    Raises:
        MathError: it is no LaTeX that we know.
    """
    try:
        mathml = _converter().convert_with_local_state(latex.strip(), displaystyle=display)
    except math_core.LatexError as error:
        raise MathError(f"the formula {latex.strip()!r} cannot be typeset: {error}") from None
    if _COLOUR.search(mathml):
        raise MathError(f"the formula {latex.strip()!r} has a colour, which follows no palette")
    mathml = _STYLE.sub(lambda match: f' class="{_classes(match[1])}"', mathml)
    # Markdown must find nothing to emphasise or link inside of the formula.
    mathml = _TEXT.sub(lambda match: f">{_escape(match[1])}<", mathml)
    if display:
        return f'<span class="rn-display">{mathml}</span>'
    return f'<span class="rn-math">{mathml}</span>'


def _classes(style: str) -> str:
    rules = [rule.strip() for rule in style.split(";") if rule.strip()]
    return " ".join("rn-m-" + re.sub(r"[^a-z0-9]+", "-", rule).strip("-") for rule in rules)


def _escape(text: str) -> str:
    return re.sub(
        r"&(?:#?\w+);|[!-/:-@\[-`{-~]",
        lambda match: match[0] if len(match[0]) > 1 else f"&#{ord(match[0])};",
        text,
    )

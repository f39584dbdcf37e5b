"""An SVG as matplotlib writes it, made fit to stand inside a page.

Colours of the palette become CSS variables, so that a figure follows light and dark; styles
become attributes, which a strict Content-Security-Policy admits; ids are made unique in the
page or dropped; numbers are shortened; what no reader sees is removed.
"""

import re
from functools import cache

from lxml import etree

from rnnnotes.plot import palette
from rnnnotes.site.compact import compact

SVG = "{http://www.w3.org/2000/svg}"
XLINK = "{http://www.w3.org/1999/xlink}"

PAINTED = {f"{SVG}{name}" for name in ("text", "path", "use")}
NOT_DRAWN = {f"{SVG}{name}" for name in ("defs", "clipPath", "pattern")}

# What matplotlib draws with when nobody has chosen a style.
MATPLOTLIB = {
    "#000000": "ink",
    "#ffffff": "paper",
    "#b0b0b0": "grid",
    "#808080": "muted",
    **dict(
        zip(
            ("#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd", "#17becf", "#e377c2", "#bcbd22"),
            palette.CYCLE,
            strict=False,
        )
    ),
    "#d62728": "pink",
    "#8c564b": "amber",
    "#7f7f7f": "slate",
}
_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}\b")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_FONT = re.compile(
    r"(?:(?P<style>italic|oblique)\s+)?(?:(?P<weight>\d+|bold|normal)\s+)?(?P<size>[\d.]+)px"
)


def embed(svg: str, name: str, description: str) -> str:
    """The figure as one line of SVG, without a size of its own, described for who cannot see it.

    Args:
        svg: a document as ``savefig(format="svg")`` writes it.
        name: a prefix that no other figure of the page has; keeps ids apart.
        description: what a reader who cannot see it would be told.
    """
    root = etree.fromstring(
        svg.encode(), etree.XMLParser(remove_blank_text=True, remove_comments=True)
    )
    for element in list(root.iter(f"{SVG}metadata", f"{SVG}style")):
        element.getparent().remove(element)
    # Short names, in the order of the marks: an id stands wherever its mark is used.
    used = {own: f"{name}-{number}" for number, own in enumerate(_references(root))}
    for element in root.iter(f"{SVG}*"):
        _plain_styles(element)
        _keep_id(element, used)
        _short_numbers(element)
    width, height = root.get("viewBox").split()[2:]
    root.attrib.pop("version", None)
    root.set("width", f"{float(width):g}")
    root.set("height", f"{float(height):g}")
    root.set("role", "img")
    root.set("aria-label", " ".join(description.split()))
    # matplotlib says these two for everything in a style sheet that would reach the whole page.
    root.set("stroke-linejoin", "round")
    root.set("stroke-linecap", "butt")
    compact(root)
    etree.cleanup_namespaces(root)
    return etree.tostring(root, encoding="unicode").replace("\n", " ")


def _references(root: etree._Element) -> list[str]:
    """The ids that something in the figure refers to, in the order of the marks that have them."""
    text = etree.tostring(root, encoding="unicode")
    used = set(_REFERENCE.findall(text)) | set(re.findall(r'href="#([^"]+)"', text))
    return [own for element in root.iter(f"{SVG}*") if (own := element.get("id")) in used]


def _plain_styles(element: etree._Element) -> None:
    for rule in filter(str.strip, element.attrib.pop("style", "").split(";")):
        key, _, value = (part.strip() for part in rule.partition(":"))
        if key == "font":
            font = _FONT.match(value)
            if font:
                for part in ("style", "weight", "size"):
                    if font[part]:
                        element.set(f"font-{part}", font[part])
        elif key != "font-family":  # the page's own
            element.set(key, value)
    for key in ("fill", "stroke", "stop-color"):
        if key in element.attrib:
            element.set(
                key, _COLOUR.sub(lambda match: _variable(match[0].lower()), element.get(key))
            )
    # Black is what matplotlib does not write: SVG has it where nothing else is said.
    drawn = element.getparent() is not None and element.getparent().tag not in NOT_DRAWN
    if element.tag in PAINTED and drawn and "fill" not in element.attrib:
        element.set("fill", _variable("#000000"))


@cache
def _names() -> dict[str, str]:
    return MATPLOTLIB | {hex_.lower(): name for name, hex_ in palette.LIGHT.items()}


def _variable(colour: str) -> str:
    name = _names().get(colour)
    return f"var(--rn-{name},{palette.LIGHT[name]})" if name else colour


def _keep_id(element: etree._Element, used: dict[str, str]) -> None:
    own = element.attrib.pop("id", None)
    if own in used:
        element.set("id", used[own])
    for key, value in element.attrib.items():
        if key == f"{XLINK}href":
            del element.attrib[key]
            element.set("href", f"#{used[value[1:]]}" if value.startswith("#") else value)
        elif "url(#" in value:
            element.set(key, _REFERENCE.sub(lambda match: f"url(#{used[match[1]]})", value))


def _short_numbers(element: etree._Element) -> None:
    """A tenth of a pixel: nobody sees more."""
    for key, digits in (("d", 1), ("points", 1), ("x", 1), ("y", 1), ("transform", 3)):
        if key in element.attrib:
            short = _NUMBER.sub(
                lambda match: f"{round(float(match[0]), digits):g}",  # noqa: B023
                element.get(key),
            )
            element.set(key, " ".join(short.split()))

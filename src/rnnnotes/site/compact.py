"""Says everything in an SVG once: the same picture in half the bytes.

matplotlib writes each mark with all of its attributes and each point with absolute coordinates.
A page holds many figures, so attributes that many marks share move to the whole figure or to a
group, and points become steps from the point before, in tenths of a pixel.
"""

import re
from collections import Counter

from lxml import etree

SVG = "{http://www.w3.org/2000/svg}"

# What an element takes from its parents when it does not say it itself, and the value without any.
STROKE = {
    "stroke": "none",
    "stroke-width": "1",
    "stroke-opacity": "1",
    "stroke-dasharray": "none",
    "stroke-dashoffset": "0",
    "stroke-linecap": "butt",
    "stroke-linejoin": "miter",
    "stroke-miterlimit": "4",
}
FILL = {"fill": "black", "fill-opacity": "1", "fill-rule": "nonzero"}
FONT = {"font-size": "medium", "font-weight": "normal", "font-style": "normal"}
TEXT = {**FONT, "text-anchor": "start"}
INHERITED = {**STROKE, **FILL, **TEXT}
MARKS = {f"{SVG}{name}" for name in ("path", "use", "text", "rect", "circle", "image")}

_STILL = re.compile(r"rotate\(-?0(?: [-\d.]+){0,2}\)")
_COMMAND = re.compile(r"([A-Za-z])([^A-Za-z]*)")
_PAIRS = {"M": 1, "L": 1, "C": 3, "Q": 2}


def compact(root: etree._Element) -> None:
    """Shortens a figure in place; what is drawn stays the same to a tenth of a pixel."""
    ids = {element.get("id"): element for element in root.iter(f"{SVG}*") if element.get("id")}
    in_defs = {mark for defs in root.iter(f"{SVG}defs") for mark in defs.iter(f"{SVG}path")}
    for element in root.iter(f"{SVG}*"):
        if _STILL.fullmatch(element.get("transform", "")):
            del element.attrib["transform"]
        if element.tag == f"{SVG}use":
            _drop_overridden(element, ids)
        _drop_idle_clip(element, ids)
    for element in root.iterfind(".//" + f"{SVG}path[@d]"):  # nothing was drawn without
        # A mark is small and used often; a line is long and may lose points that lie on it.
        d = element.get("d") if element in in_defs else straightened(element.get("d"))
        element.set("d", steps(d))
    # Marks that look alike first, then what groups have in common, then what that made alike.
    for group in [root, *root.iter(f"{SVG}g")]:
        _gather(group)
    for name in INHERITED:
        _raise_to_root(root, name)
    for group in [root, *root.iter(f"{SVG}g")]:
        _gather(group)


def steps(d: str) -> str:
    """A path of absolute commands as steps from point to point, in tenths of a pixel."""
    commands = _COMMAND.findall(d)
    if any(letter not in "MLCQZz" for letter, _ in commands):
        return d
    out: list[str] = []
    here = start = (0, 0)
    before = ""
    for letter, numbers in commands:
        if letter in "Zz":
            out.append("z")
            here, before = start, ""
            continue
        values = [round(float(number) * 10) for number in numbers.split()]
        points = list(zip(values[::2], values[1::2], strict=True))
        pairs = _PAIRS[letter]
        for at in range(0, len(points), pairs):
            group = points[at : at + pairs]
            word = "".join(
                _number(x - here[0], first=not index) + _number(y - here[1], first=False)
                for index, (x, y) in enumerate(group)
            )
            here = group[-1]
            if letter == "M" and at == 0:
                start = here
            # After an m, further points are lines; a repeated letter need not be written.
            now = "m" if letter == "M" and at == 0 else {"M": "l"}.get(letter, letter.lower())
            if now == before and now != "m":
                out.append(word if word.startswith("-") else f" {word}")
            else:
                out.append(now + word)
            before = now
    return "".join(out)


def _number(tenths: int, first: bool) -> str:
    """``.5``, ``-1.2``, ``3``, with a space in front where nothing else parts it."""
    whole, rest = divmod(abs(tenths), 10)
    text = f"{whole or ''}{f'.{rest}' if rest else ''}" or "0"
    if tenths < 0:
        return f"-{text}"
    return text if first else f" {text}"


def _drop_overridden(use: etree._Element, ids: dict[str, etree._Element]) -> None:
    """What the mark itself says cannot be said again by the place where it is used."""
    mark = ids.get(use.get("href", "#")[1:])
    if mark is None:
        return
    for name in INHERITED:
        if name in mark.attrib and name in use.attrib:
            del use.attrib[name]


def _drop_idle_clip(element: etree._Element, ids: dict[str, etree._Element]) -> None:
    """A path that lies inside of its frame needs no clipping to it."""
    match = re.fullmatch(r"url\(#([^)]+)\)", element.get("clip-path", ""))
    d = element.get("d", "")
    if (
        not match
        or match[1] not in ids
        or re.search(r"[^MLCQz\d. -]", d)
        or "transform" in element.attrib
    ):
        return
    frame = ids[match[1]].find(f"{SVG}rect")
    if frame is None:
        return
    x, y, width, height = (float(frame.get(key)) for key in ("x", "y", "width", "height"))
    numbers = [float(number) for number in re.findall(r"-?[\d.]+", d)]
    if all(x - 0.2 <= a <= x + width + 0.2 for a in numbers[::2]) and all(
        y - 0.2 <= b <= y + height + 0.2 for b in numbers[1::2]
    ):
        del element.attrib["clip-path"]


def straightened(d: str, tolerance: float = 0.15) -> str:
    """A line without the points that lie on it, to ``tolerance`` pixels (Douglas and Peucker)."""
    pieces = re.findall(r"M[^M]*", d)
    if not pieces or re.search(r"[^MLz\d. -]", d):
        return d
    out = []
    for piece in pieces:
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", piece)]
        points = list(zip(numbers[::2], numbers[1::2], strict=True))
        kept = _kept(points, tolerance)
        line = "".join(f"L {x:.1f} {y:.1f} " for x, y in kept)
        out.append(f"M{line[1:]}{'z' if 'z' in piece else ''}")
    return " ".join(out)


def _kept(points: list[tuple[float, float]], tolerance: float) -> list[tuple[float, float]]:
    """The points that the line needs; the first and the last always."""
    keep = {0, len(points) - 1}
    waiting = [(0, len(points) - 1)]
    while waiting:
        first, last = waiting.pop()
        far, at = tolerance, None
        for between in range(first + 1, last):
            distance = _distance(points[between], points[first], points[last])
            if distance > far:
                far, at = distance, between
        if at is not None:
            keep.add(at)
            waiting += [(first, at), (at, last)]
    return [points[index] for index in sorted(keep)]


def _distance(p: tuple[float, float], a: tuple[float, float], b: tuple[float, float]) -> float:
    """From a point to the piece of a line between two others."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    length = dx * dx + dy * dy
    along = ((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / length if length else 0.0
    along = min(1.0, max(0.0, along))
    return ((p[0] - a[0] - along * dx) ** 2 + (p[1] - a[1] - along * dy) ** 2) ** 0.5


def _raise_to_root(root: etree._Element, name: str) -> None:
    """Says the commonest value of an attribute once, at the top, if that makes it shorter."""
    initial = root.get(name, INHERITED[name])
    said, silent = Counter(), []
    for element in root.iterdescendants(f"{SVG}*"):
        if name in element.attrib:
            said[element.get(name)] += 1
        elif _is_leaf(element) and _matters(element, name) and not _from_group(element, name):
            # A mark kept for use takes what it does not say from each place where it is used;
            # what clips is not painted.
            if element.getparent().tag not in (f"{SVG}defs", f"{SVG}clipPath"):
                silent.append(element)
    if not said:
        return
    value, count = said.most_common(1)[0]
    if count * len(f' {name}="{value}"') <= len(silent) * len(f' {name}="{initial}"'):
        return
    for element in root.iterdescendants(f"{SVG}*"):
        # Below a parent that says something else, an element must go on to say it itself.
        # A mark kept for use would else take it from wherever it is used.
        if (
            element.get(name) == value
            and not _from_group(element, name)
            and element.getparent().tag != f"{SVG}defs"
        ):
            del element.attrib[name]
    for element in silent:
        element.set(name, initial)
    root.set(name, value)


def _is_leaf(element: etree._Element) -> bool:
    """A mark, or a piece of a text; a text in pieces says nothing by itself."""
    return element.tag in MARKS | {f"{SVG}tspan"} and not len(element)


def _matters(element: etree._Element, name: str) -> bool:
    if element.tag == f"{SVG}image":
        return False
    return name not in TEXT or element.tag in (f"{SVG}text", f"{SVG}tspan")


def _from_group(element: etree._Element, name: str) -> bool:
    """Whether a parent below the figure itself says it."""
    return any(name in parent.attrib for parent in list(element.iterancestors())[:-1])


def _gather(group: etree._Element) -> None:
    """Puts marks that stand beside each other and look alike into one group that says so."""
    run: list[etree._Element] = []
    for child in [*group, None]:
        shared = None if child is None else _shared(child)
        if run and shared == _shared(run[0]):
            run.append(child)
            continue
        _wrap(group, run)
        run = [child] if shared else []


def _shared(element: etree._Element) -> dict[str, str]:
    if element.tag not in MARKS:
        return {}
    names = (*INHERITED, "clip-path")
    return {name: element.get(name) for name in names if name in element.attrib}


def _wrap(group: etree._Element, run: list[etree._Element]) -> None:
    if len(run) < 2:
        return
    shared = _shared(run[0])
    outer = etree.Element(f"{SVG}g", shared)
    group.insert(group.index(run[0]), outer)
    for element in run:
        for name in shared:
            del element.attrib[name]
        outer.append(element)

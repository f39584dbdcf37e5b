"""Says everything in an SVG once: the same picture in half the bytes.

matplotlib writes each mark with all of its attributes and each point with absolute coordinates.
A page holds many figures, so attributes that many marks share move to the whole figure or to a
group, those without effect go, as do marks that nobody sees, and points become steps from the
point before, in tenths of a pixel.
"""

import re
from collections import Counter
from collections.abc import Iterator

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
NOT_PAINTED = {f"{SVG}defs", f"{SVG}clipPath"}
MARKS = {f"{SVG}{name}" for name in ("path", "use", "text", "rect", "circle", "image")}
LEAVES = MARKS | {f"{SVG}tspan"}

_STILL = re.compile(r"rotate\(-?0(?: [-\d.]+){0,2}\)")
_COMMAND = re.compile(r"([A-Za-z])([^A-Za-z]*)")
_PAIRS = {"M": 1, "L": 1, "C": 3, "Q": 2}
_NUMBERS = re.compile(r"-?(?:\d+\.?\d*|\.\d+)")
_GROUP = len("<g></g>")
_LONG = 60  # characters of a mark that is worth sharing


def compact(root: etree._Element) -> None:
    """Shortens a figure in place; what is drawn stays the same to a tenth of a pixel."""
    ids = {element.get("id"): element for element in root.iter(f"{SVG}*") if element.get("id")}
    in_defs = {mark for defs in root.iter(f"{SVG}defs") for mark in defs.iter(f"{SVG}path")}
    for element in list(root.iter(f"{SVG}*")):
        if _STILL.fullmatch(element.get("transform", "")):
            del element.attrib["transform"]
        if element.tag == f"{SVG}use":
            _drop_overridden(element, ids)
        _drop_idle_clip(element, ids)
        if _unseen(element):
            element.getparent().remove(element)
    for element in root.iterfind(".//" + f"{SVG}path[@d]"):  # nothing was drawn without
        # A mark is small and used often; a line is long and may lose points that lie on it.
        d = element.get("d") if element in in_defs else straightened(element.get("d"))
        element.set("d", steps(d))
    _share_marks(root, ids)
    for element in root.iter(*MARKS):
        _drop_idle(element, ids)
    _unwrap(root)
    # Marks that look alike first, then what groups have in common, then what that made alike.
    for group in [root, *root.iter(f"{SVG}g")]:
        _gather(group)
    for name in INHERITED:
        _raise_to_root(root, name, ids)
    for group in [root, *root.iter(f"{SVG}g")]:
        _gather(group)
        _gather_parts(group, ids)
    _unwrap(root)


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
            moves = [number for x, y in group for number in (x - here[0], y - here[1])]
            # After an m, further points are lines; a repeated letter need not be written.
            now = "m" if letter == "M" and at == 0 else {"M": "l"}.get(letter, letter.lower())
            if now == "l" and 0 in moves:
                now, moves = ("h", moves[:1]) if moves[1] == 0 else ("v", moves[1:])
            here = group[-1]
            if now == "m":
                start = here
            if now != before or now == "m":
                out.append(now)
            for move in moves:
                out.append(_number(move, after=out[-1]))
            before = now
    return "".join(out)


def _number(tenths: int, after: str) -> str:
    """``.5``, ``-1.2``, ``3``, with a space in front where nothing else parts it."""
    whole, rest = divmod(abs(tenths), 10)
    text = f"{whole or ''}{f'.{rest}' if rest else ''}" or "0"
    if tenths < 0:
        return f"-{text}"
    parted = after.isalpha() or (text.startswith(".") and "." in after)
    return text if parted else f" {text}"


def _said(element: etree._Element, name: str) -> str:
    """What an element is drawn with: its own word, that of a parent, or the value without any."""
    for node in (element, *element.iterancestors()):
        if name in node.attrib:
            return node.get(name)
    return INHERITED[name]


def _painted(element: etree._Element) -> bool:
    """Whether it is drawn where it stands: marks kept for use, and what clips, are not."""
    return element.getparent().tag not in NOT_PAINTED


def _unseen(element: etree._Element) -> bool:
    """A path without fill and stroke, or one that only moves."""
    if element.tag != f"{SVG}path" or element.get("id") or not _painted(element):
        return False
    if not re.search("[^Mm\\d. -]", element.get("d", "")):
        return True
    return _said(element, "fill") == "none" and _said(element, "stroke") == "none"


def _unwrap(root: etree._Element) -> None:
    """Removes groups that say nothing, and those that hold nothing."""
    for group in reversed(list(root.iter(f"{SVG}g", f"{SVG}defs"))):
        parent = group.getparent()
        if not len(group):
            parent.remove(group)
        elif not group.attrib and group.tag == f"{SVG}g":
            at = parent.index(group)
            for child in reversed(list(group)):
                parent.insert(at, child)
            parent.remove(group)


def _share_marks(root: etree._Element, ids: dict[str, etree._Element]) -> None:
    """Keeps a mark once that is used in several colours; each place then says its colour."""
    kept: dict[str, etree._Element] = {}
    instead: dict[str, etree._Element] = {}
    for own, mark in ids.items():
        if mark.tag == f"{SVG}path" and len(mark.get("d", "")) > _LONG and not _painted(mark):
            first = kept.setdefault(mark.get("d"), mark)
            if set(first.attrib) == set(mark.attrib):
                instead[own] = first
    shared = {mark: 0 for mark in instead.values()}
    for mark in instead.values():
        shared[mark] += 1
    said = {own: dict(ids[own].attrib) for own in instead}
    for use in root.iter(f"{SVG}use"):
        own = use.get("href")[1:]
        if own in instead and shared[instead[own]] > 1:
            use.set("href", f"#{instead[own].get('id')}")
            for name in INHERITED:
                if name in said[own]:
                    use.set(name, said[own][name])
    for own, mark in instead.items():
        if shared[mark] > 1:
            for name in INHERITED:
                ids[own].attrib.pop(name, None)
            if ids[own] is not mark:
                ids[own].getparent().remove(ids.pop(own))


def _drop_idle(element: etree._Element, ids: dict[str, etree._Element]) -> None:
    """What a mark says without effect, or as its parents do."""
    if not _painted(element):
        return
    for name in INHERITED:
        if name in element.attrib and (
            not _matters(element, name, ids)
            or element.get(name) == _said(element.getparent(), name)
        ):
            del element.attrib[name]


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


def _raise_to_root(root: etree._Element, name: str, ids: dict[str, etree._Element]) -> None:
    """Says the commonest value of an attribute once, at the top, if that makes it shorter."""
    initial = root.get(name, INHERITED[name])
    said = Counter(filter(None, (each.get(name) for each in root.iterdescendants(f"{SVG}*"))))
    if not said:
        return
    # A mark kept for use takes what it does not say from each place where it is used.
    silent = [
        element
        for element in root.iterdescendants(*LEAVES)
        if name not in element.attrib
        and not len(element)
        and _painted(element)
        and _matters(element, name, ids)
        and not _from_group(element, name)
    ]
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
    return element.tag in LEAVES and not len(element)


def _matters(element: etree._Element, name: str, ids: dict[str, etree._Element]) -> bool:
    """Whether a mark would look otherwise with another value."""
    if element.tag == f"{SVG}image":
        return False
    if name in TEXT:
        return element.tag in (f"{SVG}text", f"{SVG}tspan")
    mark = ids.get(element.get("href", "#")[1:], element)
    if mark is not element and name in mark.attrib:
        return False

    def said(name: str) -> str:
        return mark.get(name) or _said(element, name)

    if name in ("fill-opacity", "fill-rule"):
        return said("fill") != "none"
    if name not in STROKE or name == "stroke":
        return True
    if said("stroke") == "none":
        return False
    if name == "stroke-dashoffset":
        return said("stroke-dasharray") != "none"
    d = mark.get("d")
    if d and name in ("stroke-linejoin", "stroke-miterlimit"):
        return not _is_segment(d)
    if d and name == "stroke-linecap":
        return said("stroke-dasharray") != "none" or not _is_closed(d)
    return True


def _is_segment(d: str) -> bool:
    """One straight piece, from one point to another, without a corner."""
    match = re.fullmatch(r"m([^a-z]*)(?:[hv]([^a-z]*)|l([^a-z]*))", d)
    if not match:
        return False
    first, straight, line = (len(_NUMBERS.findall(part or "")) for part in match.groups())
    return first == 2 and (straight, line) in ((1, 0), (0, 2))


def _is_closed(d: str) -> bool:
    """Every piece of the path ends where it began, and so has no ends."""
    return d.endswith("z") and d.count("m") == d.count("z")


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


def _gather_parts(group: etree._Element, ids: dict[str, etree._Element]) -> None:
    """Puts marks beside each other that have one attribute in common into a group that says it.

    What saves most comes first; then what is left, inside of the new groups and beside them.
    """
    while runs := sorted(_runs(group, ids), key=lambda found: -found[0]):
        taken: set[etree._Element] = set()
        for _, name, value, run in runs:
            if taken & set(run):
                continue
            taken |= set(run)
            outer = etree.Element(f"{SVG}g", {name: value})
            group.insert(group.index(run[0]), outer)
            for element in run:
                element.attrib.pop(name, None)
                outer.append(element)
            _gather_parts(outer, ids)


def _runs(
    group: etree._Element, ids: dict[str, etree._Element]
) -> Iterator[tuple[int, str, str, list[etree._Element]]]:
    """Marks in a row that agree on an attribute: the bytes saved, its name and value, the marks."""
    children = list(group)
    often = Counter(name for child in children for name in child.keys())
    for name in INHERITED:
        if often[name] < 2:
            continue
        value, run, said, last = None, [], 0, 0
        for child in [*children, None]:
            own = None if child is None else child.get(name)
            if value and (own == value if own else child is not None and _free(child, name, ids)):
                run.append(child)
                if own:
                    said, last = said + 1, len(run)
                continue
            saved = (said - 1) * len(f' {name}="{value}"') - _GROUP
            if value and saved > 0:
                yield saved, name, value, run[:last]
            value, run, said, last = own, [child], 1, 1


def _free(child: etree._Element, name: str, ids: dict[str, etree._Element]) -> bool:
    """Whether a child that does not say it is drawn alike, whatever a parent says."""
    if child.tag in NOT_PAINTED:
        return next(child.iter(f"{SVG}pattern"), None) is None  # its lines take from above
    return _is_leaf(child) and not _matters(child, name, ids)

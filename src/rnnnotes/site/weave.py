"""Weaves a page and its outputs into plain Markdown. Knows no MkDocs.

What comes out uses only Markdown that any Python-Markdown site reads: fences, raw HTML,
``md_in_html``, attribute lists, and, inside callouts and tabs, pymdownx's HTML blocks.
"""

import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rnnnotes.site import figures, maths, sources
from rnnnotes.site.blocks import SPAN, Fence, PageSource, Prose, value_code
from rnnnotes.site.errors import PageError
from rnnnotes.site.statements import Record, Statement
from rnnnotes.training.ledger import MIME as VERDICT_MIME
from rnnnotes.training.ledger import number

FIGURE_MIME = "image/svg+xml"
# A formula of a page's text, or a dollar that is one.
FORMULA = re.compile(
    r"(?P<dollar>\\\$)|(?<![\\$])\$\$(?P<display>.+?)\$\$|(?<![\\$\w])\$(?P<inline>[^\s$](?:[^$\n]*?[^\s\\$])?)\$(?![\d$])",
    re.DOTALL,
)
# Stands for what another part of the loom makes.
MARKER = re.compile(r"<!--\s*rnnnotes:\s*([\w-]+)\s*-->")
_TITLE = re.compile(r"^# .+$", re.MULTILINE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


@dataclass
class Woven:
    """A page as plain Markdown, and what was found in it."""

    markdown: str
    figures: int = 0


Memo = Callable[[str, Callable[[], str]], str]


class Weaver:
    """Weaves one page.

    Args:
        page: the page as it was read.
        run: its outputs (``outputs`` and ``values``), or None for a page without a kernel.
        root: the project, for the sections of files that it shows.
        statements: for the boxes of the verdicts.
        memo: keeps what is slow to make, under the text that it is made from.
        generated: markers (``<!-- rnnnotes: name -->``) and the Markdown that replaces them.
        explain: puts links to the glossary into the prose between blocks, piece by piece.
    """

    def __init__(
        self,
        page: PageSource,
        run: Mapping[str, Any] | None,
        root: Path,
        statements: Mapping[str, Statement],
        memo: Memo,
        generated: Mapping[str, Callable[[PageSource], str]] | None = None,
        explain: Callable[[str], str] = str,
    ) -> None:
        self.page, self.run, self.root = page, run, root
        self.statements, self.memo = statements, memo
        self.generated, self.explain = generated or {}, explain
        self.woven = Woven("")
        self.up = "../" * page.name.count("/")

    def weave(self) -> Woven:
        out = []
        outputs = iter(self.run["outputs"]) if self.run else iter(())
        links = self._downloads()
        for part in self.page.parts:
            if isinstance(part, Prose):
                text = self.prose(self.explain(part.text), part.line)
                if links and _TITLE.search(text):
                    text = _TITLE.sub(lambda title: f"{title[0]}\n\n{links}", text, count=1)  # noqa: B023
                    links = ""
                out.append(text)
            elif part.include:
                out.append(self._include(part))
            elif part.runs and self.run:
                out.append(self._block(part, next(outputs)))
            elif part.runs:
                out.append(_fenced(part.shown, "python", part.indent))
            else:
                info = part.info.split(" .noeval")[0]
                out.append(_fenced(part.source, info, part.indent))
        self.woven.markdown = "\n".join([links, "", *out] if links else out)
        return self.woven

    def _downloads(self) -> str:
        """For under the title: the page as a notebook and as a script."""
        if not self.run:
            return ""
        stem = self.page.name.rpartition("/")[2]
        return " ".join(
            f'[{word}]({stem}.{end}){{ .rn-download download="{stem}.{end}" }}'
            for word, end in (("Notebook", "ipynb"), ("Script", "py"))
        )

    # ---- prose ---------------------------------------------------------------------------

    def prose(self, text: str, line: int) -> str:
        """Computed values in, formulas typeset, generated parts put where their markers stand."""
        pieces, at = [], 0
        for match in re.finditer(f"{_COMMENT.pattern}|{SPAN.pattern}", text, re.DOTALL):
            pieces.append(self._formulas(text[at : match.start()], line + text.count("\n", 0, at)))
            here = line + text.count("\n", 0, match.start())
            pieces.append(self._span_or_comment(match, here))
            at = match.end()
        pieces.append(self._formulas(text[at:], line + text.count("\n", 0, at)))
        return "".join(pieces)

    def _span_or_comment(self, match: re.Match[str], line: int) -> str:
        if match["body"] is None:
            marker = MARKER.fullmatch(match[0])
            if not marker:
                return match[0]
            if marker[1] not in self.generated:
                # One word for the markers that differ by a statement's id only: they are many.
                names = {re.sub(r"-[A-Z]\d+$", "-ID", name) for name in self.generated}
                known = ", ".join(sorted(names))
                raise PageError(
                    self.page.path, line, f"expected a marker of {known}, got {marker[1]!r}"
                )
            return self.generated[marker[1]](self.page)
        code = value_code(match["body"])
        if code is None:
            return match[0]
        if code not in self.run["values"]:
            message = f"a value that an output holds and the page does not: {code}"
            raise PageError(self.page.path, line, message)
        return self.run["values"][code]

    def _formulas(self, text: str, line: int) -> str:
        def typeset(match: re.Match[str]) -> str:
            if match["dollar"]:
                return "&#36;"
            display = match["display"] is not None
            latex = match["display"] if display else match["inline"]
            try:
                return maths.typeset(latex, display)
            except maths.MathError as error:
                here = line + text.count("\n", 0, match.start())
                raise PageError(self.page.path, here, str(error)) from None

        return FORMULA.sub(typeset, text)

    def plain(self, text: str) -> str:
        """A text with its computed values, formulas left as LaTeX."""

        def value(match: re.Match[str]) -> str:
            code = value_code(match["body"])
            return match[0] if code is None else self.run["values"][code]

        return SPAN.sub(value, text)

    def plain_fence(self, fence: Fence) -> str:
        """A fence that is not run, for a notebook: what it includes is put in."""
        if fence.include:
            return self._include(replace(fence, indent=""))
        return _fenced(fence.source, fence.info.split(" ")[0], "")

    # ---- blocks --------------------------------------------------------------------------

    def _block(self, block: Fence, outputs: list[Mapping[str, Any]]) -> str:
        out = []
        if "hide-input" not in block.tags:
            code = _fenced(block.shown, "python", "")
            if "fold" in block.tags:
                code = '??? code "Code"\n\n' + _indent(code, "    ")
            out.append(code)
        nested = bool(block.indent)
        captions, descriptions = block.option_list("caption"), block.option_list("description")
        drawn = 0
        for output in outputs:
            data = output.get("data", {})
            if FIGURE_MIME in data:
                out.append(self._figure(block, data[FIGURE_MIME], drawn, nested))
                drawn += 1
            elif VERDICT_MIME in data:
                out.append(self._verdict(block, data[VERDICT_MIME], nested))
            else:
                out.append(self._text(block, output, nested))
        most = max(len(captions), len(descriptions))
        if most > drawn:
            raise PageError(
                self.page.path, block.line, f"{most} captions or descriptions for {drawn} figures"
            )
        return _indent("\n\n".join(filter(None, out)), block.indent)

    def _figure(self, block: Fence, svg: str, number: int, nested: bool) -> str:
        caption = self.prose(self._option(block, "caption", number), block.line)
        description = self.plain(self._option(block, "description", number))
        self.woven.figures += 1
        label = f"fig-{self.woven.figures}"
        if block.options.get("label"):
            label = self._option(block, "label", number)
        drawn = self.memo(
            f"{label}\n{description}\n{svg}",
            lambda: figures.embed(svg, label, description),
        )
        drawn = f'<div class="rn-svg">{drawn}</div>'
        inner = f"{_raw(drawn, nested)}\n\n{_tag('figcaption', '', {}, caption, nested)}"
        return _tag("figure", "rn-figure", {"id": label}, inner, nested)

    def _option(self, block: Fence, name: str, number: int) -> str:
        given = block.option_list(name)
        if len(given) <= number or not given[number].strip():
            raise PageError(
                self.page.path,
                block.line,
                f"figure {number + 1} of this block has no {name}: write #| {name}: …",
            )
        return given[number]

    def _text(self, block: Fence, output: Mapping[str, Any], nested: bool) -> str:
        if output["output_type"] == "stream":
            text = output["text"].rstrip("\n")
            return _fenced(text, "{ .text .rn-output .no-copy }", "") if text.strip() else ""
        data = output["data"]
        if "text/markdown" in data:
            return self.prose(data["text/markdown"], block.line)
        if "text/html" in data:
            return _raw(f'<div class="rn-html">{_clean_html(data["text/html"])}</div>', nested)
        text = data.get("text/plain", "")
        if not text:
            return ""
        return _fenced(text, "{ .text .rn-output .no-copy }", "")

    def _include(self, fence: Fence) -> str:
        file, name = fence.include
        try:
            text, line = sources.section(self.root, file, name)
        except sources.SectionError as error:
            raise PageError(self.page.path, fence.line, str(error)) from None
        language = {".py": "python", ".sh": "bash", ".toml": "toml"}.get(Path(file).suffix, "text")
        title = f"{file}:{line}" if name else file
        return _fenced(text, f'{language} title="{title}"', fence.indent)

    # ---- verdicts ------------------------------------------------------------------------

    def _verdict(self, block: Fence, verdict: Mapping[str, Any], nested: bool) -> str:
        """The box: what the note says, the verdict, and the measurement behind it."""
        name, word = verdict["statement"], verdict["verdict"]
        table = f"{self.up}reference/statements.md"
        link = f"[{name}]({table}#row-{name}){{ .rn-verdict-id }}"
        meant = f"[{word}]({table}#verdict-{word}){{ .rn-verdict-word }}"
        lines = [f"{meant} {link} {escape_markdown(self.statements[name].says)}"]
        if verdict["because"]:
            lines += ["", self.prose(verdict["because"], block.line)]
        if verdict["conditions"]:
            lines += ["", *measurement(verdict)]
        attributes = {"id": name, "data-verdict": word}
        return _tag("div", "rn-verdict", attributes, "\n".join(lines), nested)


def recorded(page: PageSource, run: Mapping[str, Any]) -> list[Record]:
    """The verdicts among the outputs of a page."""
    return [
        Record(output["data"][VERDICT_MIME], page.name, page.path, block.line)
        for block, outputs in zip(page.blocks, run["outputs"], strict=True)
        for output in outputs
        if VERDICT_MIME in output.get("data", {})
    ]


def measurement(verdict: Mapping[str, Any]) -> list[str]:
    """The measured values beside their threshold, as a table that fits a phone."""

    def shown(value: Any) -> str:
        return value if isinstance(value, str) else number(value)

    lines = [
        f"Measured: {verdict['quantity']}. Threshold: {verdict['threshold']}.",
        "",
        "| condition | median (lowest to highest) | on that side |",
        "| --- | --- | --- |",
    ]
    for condition in verdict["conditions"]:
        runs = condition["runs"]
        spread = f" ({shown(condition['low'])} to {shown(condition['high'])})" if runs > 1 else ""
        lines.append(
            f"| {_cell(condition['name'])} | {shown(condition['median'])}{spread} "
            f"| {round(condition['share'] * runs)} of {runs} |"
        )
    return lines


# ---- pieces of Markdown --------------------------------------------------------------------


def _tag(name: str, classes: str, attributes: Mapping[str, str], inner: str, nested: bool) -> str:
    """An HTML element whose content is Markdown, also inside of a callout or a tab."""
    if nested:
        head = "".join(f".{part}" for part in classes.split())
        options = "".join(
            f"\n    attrs: {{{', '.join(f'{k}: {v}' for k, v in attributes.items())}}}"
            if attributes
            else ""
        )
        marks = "/" * (4 + inner.count("///"))
        return f"{marks} html | {name}{head}{options}\n\n{inner}\n\n{marks}"
    pairs = {"class": classes, **attributes} if classes else dict(attributes)
    text = "".join(f' {key}="{html.escape(value)}"' for key, value in pairs.items())
    return f'<{name}{text} markdown="1">\n\n{inner}\n\n</{name}>'


def _raw(text: str, nested: bool) -> str:
    """HTML that Markdown must leave alone."""
    if nested:
        return f"/// html | div.rn-raw\n    markdown: html\n\n{text}\n///"
    return text


def _fenced(text: str, info: str, indent: str) -> str:
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`{3,}", text)), default=0))
    return _indent(f"{ticks}{info}\n{text}\n{ticks}", indent)


def _indent(text: str, indent: str) -> str:
    if not indent:
        return text
    return "\n".join(indent + line if line.strip() else "" for line in text.split("\n"))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def escape_markdown(text: str) -> str:
    """A text that shows as it is, in the midst of a line: Markdown has no backslash for all."""
    return re.sub(r"[\\`*_{}\[\]<>#|$&~]", lambda match: f"&#{ord(match[0])};", text)


def _clean_html(text: str) -> str:
    """A table as pandas writes it, without its style sheet and its outdated attributes."""
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r' (?:border|style)="[^"]*"| class="dataframe"', "", text)
    text = text.replace("<th></th>", "<td></td>")  # a header without words heads nothing
    return " ".join(text.split()) if "<pre" not in text else text

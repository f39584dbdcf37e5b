"""All statements with their verdicts: as a page that filters without scripts, and as JSON."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from rnnnotes.site.blocks import PageSource
from rnnnotes.site.links import absolute, address, rebased
from rnnnotes.site.statements import NOTES, Record, Statement
from rnnnotes.site.weave import Weaver, escape_markdown
from rnnnotes.training.ledger import VERDICTS, number

Statements = Mapping[str, Statement]
Records = Mapping[str, Record]
# The weaver of the page that recorded a verdict: it knows the page's values and where links lead.
WeaverOf = Callable[[str], Weaver]


def as_markdown(
    statements: Statements, records: Records, weaver: WeaverOf, page: PageSource
) -> str:
    """What stands at the marker ``statements`` of ``page``."""
    if not statements:
        return ""
    up = "../" * page.name.count("/")
    lines = [*_count_table(statements, records), *_meanings(), *_filters()]
    for note, title in NOTES.items():
        rows = [row for row in statements.values() if row.id.startswith(note)]
        if rows:
            lines += [f"## Note {note}: {title} {{ data-note={note} }}", ""]
        for row in rows:
            lines += _entry(row, records[row.id], weaver(records[row.id].page), up)
    shown = f'<p class="rn-shown" aria-hidden="true"> of {len(statements)} statements shown</p>'
    body = "\n".join([*lines, shown])
    return f'<div class="rn-statements" markdown="1">\n\n{body}\n\n</div>'


def as_json(statements: Statements, records: Records, weaver: WeaverOf, site_url: str) -> str:
    """The same as data: the notes, the words, the counts, and every statement with its record."""
    rows = []
    for row in statements.values():
        record = records[row.id]
        verdict = record.verdict
        because = " ".join(weaver(record.page).plain(verdict["because"]).split())
        rows.append(
            {
                "id": row.id,
                "note": row.id[0],
                "kind": row.kind,
                "says": row.says,
                "settled_by": row.settle,
                "page": record.page,
                "url": f"{site_url}{address(record.page)}#{row.id}",
                **{key: verdict[key] for key in ("verdict", "quantity", "threshold")},
                "share_needed": verdict["needed"] if verdict["conditions"] else None,
                "conditions": verdict["conditions"],
                "because": absolute(because, record.page, site_url),
            }
        )
    count = Counter(row["verdict"] for row in rows)
    data = {
        "notes": NOTES,
        "verdicts": VERDICTS,
        "counts": {word: count[word] for word in VERDICTS},
        "statements": rows,
    }
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def counts(statements: Statements, records: Records) -> str:
    """How many statements there are, and how many got which verdict, in a sentence."""
    count = Counter(record.verdict["verdict"] for record in records.values())
    words = [f"{count[word]} {word}" for word in VERDICTS]
    return f"The notes make {len(statements)} statements: {', '.join(words)}."


def verdict_link(record: Record, page: PageSource) -> str:
    """The word of a verdict, as a link from ``page`` to its box."""
    word, up = record.verdict["verdict"], "../" * page.name.count("/")
    marks = f"{{ .rn-verdict-word data-verdict={word} }}"
    return f"[{word}]({up}{record.page}.md#{record.id}){marks}"


# ---- the parts of the page -----------------------------------------------------------------


def _count_table(statements: Statements, records: Records) -> list[str]:
    """A sentence and a table: how many of each note got which verdict."""
    count = Counter((name[0], record.verdict["verdict"]) for name, record in records.items())
    total = {word: sum(count[note, word] for note in NOTES) for word in VERDICTS}
    lines = [
        f"{counts(statements, records)} The same list as data: "
        "[statements.json](statements.json){ download=statements.json }.",
        "",
        f"| verdict | {' | '.join(f'note {note}' for note in NOTES)} | all |",
        "| --- |" + " --- |" * (len(NOTES) + 1),
    ]
    for word in VERDICTS:
        row = [count[note, word] for note in NOTES]
        cells = " | ".join(str(n) if n else "–" for n in row)
        lines.append(f"| {_word(word)} | {cells} | **{total[word]}** |")
    sums = [sum(count[note, word] for word in VERDICTS) for note in NOTES]
    cells = " | ".join(f"**{n}**" for n in sums)
    return [*lines, f"| all | {cells} | **{len(statements)}** |", ""]


def _meanings() -> list[str]:
    return [
        "## What a verdict says",
        "",
        "The threshold in a box was written before anything was measured. The values are the "
        "median over several runs, mostly random starts, with the lowest and the highest, and how "
        "many of them are on the claim's side. Where a task, a row or a rule was chosen after a "
        "trial, the page says so.",
        "",
        "| verdict | what it says |",
        "| --- | --- |",
        *(f"| {_word(word, at=True)} | {says} |" for word, says in VERDICTS.items()),
        "",
    ]


def _filters() -> list[str]:
    """Radio buttons that the style sheet listens to: a filter that needs no script."""
    groups = {
        "Note": ("rn-note", ["all", *NOTES]),
        "Verdict": ("rn-verdict", ["all", *VERDICTS]),
    }
    lines = ['<div class="rn-filters" role="group" aria-label="Filter the statements">']
    for legend, (name, values) in groups.items():
        lines.append(f"<fieldset><legend>{legend}</legend>")
        lines += [
            f'<input type="radio" name="{name}" id="{name}-{value}"'
            f"{' checked' if value == 'all' else ''}>"
            f'<label for="{name}-{value}">{value}</label>'
            for value in values
        ]
        lines.append("</fieldset>")
    lines += [
        "</div>",
        "",
        "The reasons are those of the boxes: what stands *above* or *below* does",
    ]
    return [*lines, "so on the page that the id leads to.", ""]


def _entry(row: Statement, record: Record, weaver: Weaver, up: str) -> list[str]:
    verdict = record.verdict
    word = verdict["verdict"]
    because = " ".join(weaver.prose(verdict["because"], record.line).split())
    because = rebased(because, record.page, up)
    link = f"[{row.id}]({up}{record.page}.md#{row.id}){{ .rn-verdict-id }}"
    lines = [
        f'<div class="rn-statement" id="row-{row.id}" data-note="{row.id[0]}" '
        f'data-verdict="{word}" markdown="1">',
        "",
        f"{link} {_word(word)} {escape_markdown(row.says)}",
        "",
    ]
    if because:
        lines += [because, ""]
    if verdict["conditions"]:
        lines += [_measured(verdict), ""]
    return [*lines, "</div>", ""]


def _measured(verdict: Mapping[str, Any]) -> str:
    """What was measured, folded: the quantity, its threshold, and a line for each condition."""

    def shown(value: Any) -> str:
        return value if isinstance(value, str) else number(value)

    def line(condition: Mapping[str, Any]) -> str:
        runs, holds = condition["runs"], condition["holds"]
        spread = f" ({shown(condition['low'])} to {shown(condition['high'])})" if runs > 1 else ""
        return (
            f"<li{'' if holds else ' class=rn-not'}>{escape_markdown(condition['name'])}: "
            f"<b>{shown(condition['median'])}</b>{spread}, "
            f"{round(condition['share'] * runs)} of {runs}</li>"
        )

    conditions = verdict["conditions"]
    held = sum(condition["holds"] for condition in conditions)
    needed = verdict["needed"]
    share = "all runs" if needed == 1 else f"{needed:.0%} of the runs"
    return (
        f"<details><summary>Measured: {escape_markdown(verdict['quantity'])}; threshold "
        f"{verdict['threshold']}, in {share}; holds under {held} of {len(conditions)} "
        f"condition{'s' if len(conditions) > 1 else ''}</summary>"
        f"<ul>{''.join(map(line, conditions))}</ul></details>"
    )


def _word(word: str, at: bool = False) -> str:
    """A verdict's word on its colour; ``at`` makes it the place that the boxes link to."""
    place = f' id="verdict-{word}"' if at else ""
    return f'<span class="rn-word"{place} data-verdict="{word}">{word}</span>'

"""The style sheet parses whole: a browser drops what it cannot read, and says nothing."""

from pathlib import Path

import pytest
import tinycss2

SHEET = Path(__file__).parents[1] / "docs" / "assets" / "rnnnotes.css"
HOLD_RULES = ("media", "supports")
PLAIN = {"skip_comments": True, "skip_whitespace": True}


def faults(text: str) -> list[str]:
    """What a browser would drop, or take for something else, a line each."""
    found = []

    def look(rules: list) -> None:
        for rule in rules:
            if rule.type == "error":
                found.append(f"line {rule.source_line}: {rule.message}")
            elif rule.type == "at-rule" and rule.lower_at_keyword in HOLD_RULES:
                look(
                    tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True)
                )
            elif rule.type in ("qualified-rule", "at-rule") and rule.content is not None:
                for part in tinycss2.parse_blocks_contents(rule.content, **PLAIN):
                    if part.type != "declaration":
                        found.append(f"line {part.source_line}: no declaration")

    look(tinycss2.parse_stylesheet(text, **PLAIN))
    return found


def test_every_rule_is_a_rule_and_every_declaration_one():
    text = SHEET.read_text("utf-8")
    assert faults(text) == []
    # A brace that is never closed ends with the file, as if it had been.
    assert text.count("{") == text.count("}")


@pytest.mark.parametrize(
    "text",
    [
        ".a { color: red; .b { color: blue; } }",
        ".a { color red; }",
        ".a { color: red; } }",
        "@media print { .a { color: red; .b { margin: 0; } } }",
        ".a color: red;",
    ],
)
def test_a_fault_is_found(text):
    assert faults(text)

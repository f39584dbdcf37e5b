"""What `make seeds` and `make mutants` recorded agrees with the site, its lists and itself."""

import json

import pytest
import yaml

from conftest import ROOT

RECORDED = ROOT / "docs" / "reference" / "recorded"


@pytest.fixture(scope="module")
def seeds():
    return json.loads((RECORDED / "seeds.json").read_text("utf-8"))


def test_every_statement_is_on_record(seeds):
    listed = yaml.safe_load((ROOT / "docs" / "statements.yml").read_text("utf-8"))
    pointers = {row["id"] for row in listed if row["kind"] == "pointer"}
    assert {row["id"] for row in listed} - pointers <= set(seeds["statements"])
    for name, row in seeds["statements"].items():
        assert row["shifts"] == list(range(21)), (
            f"{name}: run tests/bench/seeds.py --page {row['page']}"
        )
        for condition, values in row["rows"].items():
            assert 0 <= values["holds"] <= values["runs"] <= len(row["shifts"]), (name, condition)


def test_no_verdict_changes_its_word_with_the_seeds(seeds):
    words = {name: set(row["words"]) for name, row in seeds["statements"].items()}
    assert {name: found for name, found in words.items() if len(found) > 1} == {}
    assert seeds["stopped"] == []


def test_the_site_says_what_is_on_record(seeds, site):
    """An edited page whose verdict changes has to be run from the other seeds again."""
    shown = json.loads((site / "reference" / "statements.json").read_text("utf-8"))
    words = {row["id"]: row["verdict"] for row in shown["statements"]}
    recorded = {name: row["words"][0] for name, row in seeds["statements"].items()}
    assert {name: words[name] for name in recorded} == recorded


def test_every_mutant_that_lives_has_its_reason_and_few_do():
    modules = json.loads((RECORDED / "mutants.json").read_text("utf-8"))["modules"]
    groups = yaml.safe_load((ROOT / "tests/mutation/survivors.yml").read_text("utf-8"))
    why = {key: group["why"] for group in groups for key in group["mutants"]}
    alive = [row for module in modules.values() for row in module["survivors"]]
    assert {row["mutant"]: row["why"] for row in alive} == why
    for name, module in modules.items():
        assert module["survived"] == len(module["survivors"]), name
        assert module["caught"] + module["timed_out"] + module["survived"] == module["made"], name
        assert module["survived"] <= 0.1 * module["made"], name


def test_every_wrong_sign_was_noticed():
    flips = json.loads((RECORDED / "flips.json").read_text("utf-8"))["flips"]
    listed = yaml.safe_load((ROOT / "tests/mutation/flips.yml").read_text("utf-8"))
    assert [(row["name"], row["new"]) for row in flips] == [(f["name"], f["new"]) for f in listed]
    assert [row["name"] for row in flips if not (row["test"] or row["page"])] == []

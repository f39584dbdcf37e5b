"""Claims and verdicts: what counts as holding, and that no odd number slips through."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnnotes as rn
from rnnnotes.training.ledger import MIME, VERDICTS, number

NAN, INF = math.nan, math.inf
# Without -0.0, which is equal to 0.0 and written otherwise.
numbers = st.floats(width=32).map(lambda value: value + 0.0)


def settled(values, share=1.0, **threshold) -> rn.Verdict:
    return rn.Claim("A3", "ratio", share=share, **threshold).settle(values)


# ---- one value -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("above", "below", "value", "expected"),
    [
        (1.0, None, 1.0, False),  # on the threshold is not beyond it
        (1.0, None, math.nextafter(1, 2), True),
        (None, 1.0, 1.0, False),
        (None, 1.0, math.nextafter(1, 0), True),
        (0.0, 1.0, 0.5, True),
        (0.0, 1.0, 0.0, False),
        (0.0, 1.0, 1.0, False),
        (0.0, None, -0.0, False),
        (1e300, None, INF, True),
        (None, 0.0, -INF, True),
        (None, 1e300, INF, False),
        (INF, None, INF, False),
    ],
)
def test_a_value_is_on_the_side_of_the_claim_or_not(above, below, value, expected):
    assert rn.Claim("A1", "q", above=above, below=below).accepts(value) is expected


@given(st.one_of(st.none(), numbers), st.one_of(st.none(), numbers))
def test_nan_is_on_no_side(above, below):
    try:
        claim = rn.Claim("A1", "q", above=above, below=below)
    except ValueError:
        return
    assert not claim.accepts(NAN)
    assert settled([NAN], above=0).verdict == "fails"


# ---- conditions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        ({"a": [2.0], "b": [3.0]}, "holds"),
        ({"a": [2.0], "b": [0.0]}, "conditional"),
        ({"a": [0.0], "b": [0.5]}, "fails"),
        ({"a": [2.0], "b": [NAN]}, "conditional"),
        ({"a": [NAN]}, "fails"),
        ({"a": [2.0, 3.0, 0.0]}, "fails"),
        ([2.0, 3.0], "holds"),
        (2.0, "holds"),
        (0, "fails"),
        ((2, 3), "holds"),
        (torch.tensor([2.0, 3.0]), "holds"),
        (torch.tensor(2.0), "holds"),
        (np.array([2.0, NAN]), "fails"),
        (np.float32(2), "holds"),
        ({"a": torch.tensor([2.0]), "b": np.array([0.0])}, "conditional"),
        ([True], "fails"),
    ],
)
def test_all_conditions_some_or_none(measured, expected):
    verdict = settled(measured, above=1)
    assert verdict.verdict == expected
    assert verdict.holds is (expected != "fails")


@pytest.mark.parametrize(
    ("share", "on_side", "runs", "holds"),
    [
        (0.8, 4, 5, True),
        (0.8, 3, 5, False),
        (1.0, 4, 5, False),
        (0.5, 1, 2, True),
        (0.5, 1, 3, False),
        (1e-9, 0, 3, False),
        (1e-9, 1, 3, True),
        (2 / 3, 2, 3, True),
        (0.9, 9, 10, True),
        (0.7, 7, 10, True),
        (0.6, 3, 5, True),
    ],
)
def test_the_share_of_the_runs_that_is_needed(share, on_side, runs, holds):
    verdict = settled([2.0] * on_side + [0.0] * (runs - on_side), share=share, above=1)
    (condition,) = verdict.conditions
    assert condition.holds is holds and condition.runs == runs
    assert condition.share == on_side / runs
    assert verdict.needed == share


@pytest.mark.parametrize(
    ("outcome", "good"), [("built", "built"), ("answered", "answered"), ("cited", "cited")]
)
def test_the_word_for_a_claim_that_comes_out(outcome, good):
    claim = rn.Claim("A1", "q", above=1, outcome=outcome)
    assert claim.settle([2.0]).verdict == good
    assert claim.settle([0.0]).verdict == "fails"
    assert claim.settle({"a": [0.0], "b": [2.0]}).verdict == "conditional"
    assert {good, "fails", "conditional"} <= set(VERDICTS)


@settings(max_examples=200)
@given(st.lists(numbers, min_size=1, max_size=9), st.randoms(use_true_random=False))
def test_the_order_of_the_runs_changes_nothing(values, chance):
    claim = rn.Claim("A1", "q", above=0)
    mixed = list(values)
    chance.shuffle(mixed)
    assert repr(claim.settle(values)) == repr(claim.settle(mixed))
    (condition,) = claim.settle(values).conditions
    known = [value for value in values if not math.isnan(value)]
    assert math.isnan(condition.median) or len(known) == len(values)
    if known:
        assert (condition.low, condition.high) == (min(known), max(known))
    else:
        assert math.isnan(condition.low) and math.isnan(condition.high)
    assert condition.share == sum(value > 0 for value in known) / len(values)


@settings(max_examples=200)
@given(st.dictionaries(st.text(max_size=5), st.lists(numbers, min_size=1, max_size=5), min_size=1))
def test_the_verdict_is_what_its_conditions_say(measured):
    verdict = rn.Claim("A1", "q", below=1, share=0.5).settle(measured)
    good = [condition.holds for condition in verdict.conditions]
    expected = "holds" if all(good) else "conditional" if any(good) else "fails"
    assert verdict.verdict == expected
    assert [condition.name for condition in verdict.conditions] == list(measured)


# ---- records -------------------------------------------------------------------------------------


@settings(max_examples=200)
@given(st.lists(numbers, min_size=1, max_size=5))
def test_a_record_survives_strict_json_with_every_number(values):
    verdict = rn.Claim("A1", "q", above=0).settle({"one": values})
    back = json.loads(json.dumps(verdict.record(), allow_nan=False))
    assert back == verdict.record()
    (stored,), (condition,) = back["conditions"], verdict.conditions
    for key in ("median", "low", "high", "share"):
        value = getattr(condition, key)
        again = float(stored[key])
        assert again == value or (math.isnan(again) and math.isnan(value))
    assert (back["statement"], back["verdict"]) == ("A1", verdict.verdict)


def test_a_notebook_shows_a_verdict_without_the_site():
    verdict = rn.Claim("A3", "ratio", above=0, below=1e-7).settle(
        {"tanh": [5e-8, 6e-8], "linear": [INF]}, because="It shrinks."
    )
    bundle = verdict._repr_mimebundle_()
    assert bundle[MIME] == verdict.record()
    assert json.loads(json.dumps(bundle, allow_nan=False)) == bundle
    lines = bundle["text/markdown"].split("\n")
    assert lines[0] == "**A3: conditional.** It shrinks."
    assert "ratio (between 0 and 1e-7)" in lines
    assert lines[-2:] == [
        "| tanh | 5.5e-8 | 5e-8 to 6e-8 | 2 | yes |",
        "| linear | inf | inf to inf | 1 | no |",
    ]


def test_a_pointer_to_a_source_is_a_verdict_too():
    verdict = rn.cite("C18", because="Read there.")
    assert (verdict.verdict, verdict.holds, verdict.conditions) == ("cited", True, ())
    assert verdict._repr_mimebundle_()["text/markdown"] == "**C18: cited.** Read there.\n"
    assert "0x" not in repr(verdict)


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, r"^A3: expected a threshold, above= or below=, got none$"),
        ({"above": 2, "below": 1}, r"^A3: expected above < below, got 2 and 1$"),
        ({"above": 1, "below": 1}, r"expected above < below, got 1 and 1"),
        ({"above": NAN, "below": 1}, r"expected a threshold that is a number, got nan"),
        ({"above": NAN}, r"^A3: expected a threshold that is a number, got nan$"),
        ({"below": NAN}, r"^A3: expected a threshold that is a number, got nan$"),
        ({"above": 1, "share": 0}, r"^A3: expected a share in \(0, 1\], got 0$"),
        ({"above": 1, "share": 1.01}, r"expected a share in \(0, 1\], got 1.01"),
        ({"above": 1, "share": NAN}, r"expected a share in \(0, 1\], got nan"),
        ({"above": 1, "share": -0.5}, r"expected a share in \(0, 1\], got -0.5"),
        (
            {"above": 1, "outcome": "true"},
            r"^A3: expected outcome holds, answered, built or cited, got 't",
        ),
        ({"above": 1, "outcome": "fails"}, r"expected outcome holds, answered, built or cited"),
    ],
)
def test_a_claim_without_a_sense_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        rn.Claim("A3", "ratio", **arguments)


@pytest.mark.parametrize(
    ("measured", "message"),
    [
        ({}, r"^A3: expected at least one condition, got none$"),
        ({"a": [1.0], "b": []}, r"^A3: expected values for 'b', got none$"),
        ([], r"^A3: expected values for 'as measured', got none$"),
        (torch.tensor([]), r"expected values for 'as measured', got none"),
    ],
)
def test_a_measurement_of_nothing_is_refused(measured, message):
    with pytest.raises(ValueError, match=message):
        settled(measured, above=0)


# ---- how numbers are written ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.25, "0.25"),
        (1e-7, "1e-7"),
        (1.234e-12, "1.23e-12"),
        (0.0001, "0.0001"),
        (0.00001234, "1.23e-5"),
        (0, "0"),
        (1, "1"),
        (150, "150"),
        (999.6, "1e3"),
        (123456.0, "1.23e5"),
        (1e100, "1e100"),
        (-0.5, "-0.5"),
        (-2e-10, "-2e-10"),
        (NAN, "nan"),
        (INF, "inf"),
        (-INF, "-inf"),
        (2 / 3, "0.667"),
        (np.float32(0.1), "0.1"),
    ],
)
def test_three_digits_and_no_padded_exponent(value, expected):
    assert number(value) == expected


@given(st.floats(-1e308, 1e308))
def test_a_written_number_is_within_half_a_percent(value):
    text = number(value)
    assert math.isclose(float(text), value, rel_tol=5.01e-3, abs_tol=1e-322)
    assert len(text) <= len("-1.23e-308")


def test_the_threshold_in_words():
    assert rn.Claim("A1", "q", above=0.9).threshold == "above 0.9"
    assert rn.Claim("A1", "q", below=1e-3).threshold == "below 0.001"
    assert rn.Claim("A1", "q", above=-1, below=1).threshold == "between -1 and 1"
    assert settled([1.0], above=0.9).threshold == "above 0.9"

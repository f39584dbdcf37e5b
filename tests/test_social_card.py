"""The picture of a page: its size, its words, the same bytes each time, whatever it is given."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rnnnotes.plot.palette import DARK
from rnnnotes.plot.social_card import HEIGHT, MARGIN, WIDTH, _wrapped, social_card

WORDS = ("rnnnotes", "Gates", "The LSTM", "The LSTM cell drawn part by part.")


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(data)).convert("RGB")).astype(int)


def test_it_is_a_picture_of_the_stated_size_and_the_same_bytes_each_time():
    data = social_card(*WORDS)
    assert pixels(data).shape == (HEIGHT, WIDTH, 3)
    assert social_card(*WORDS) == data
    assert len(data) < 40_000


@pytest.mark.parametrize("place", range(4))
def test_each_of_its_words_shows(place):
    other = [*WORDS]
    other[place] += " too"
    changed = abs(pixels(social_card(*WORDS)) - pixels(social_card(*other))).max(2)
    # Each card has colours of its own, a shade apart; words are far from their ground.
    rows = np.nonzero((changed > 60).any(1))[0]
    # The site and its part stand on the first line, the title and the sentence below it.
    assert rows.size and (rows < 120).all() if place < 2 else (rows > 120).all()


def test_the_title_stands_out_from_its_ground():
    shown = pixels(social_card(*WORDS))
    assert (shown[150:190, MARGIN : MARGIN + 300] > 240).all(2).sum() > 500
    assert len(DARK) > 8 and shown[-1, -1].max() < 80


def test_what_is_too_long_ends_in_an_ellipsis_within_the_margins():
    lines = _wrapped("a word " * 100, 44, bold=True, most=3)
    assert len(lines) == 3 and lines[-1].endswith(" …")
    assert _wrapped("a word", 44, bold=True, most=3) == ["a word"]
    shown = pixels(social_card("s", "p", "a word " * 100, "and words " * 100))
    paper = shown[0, 0]
    assert (shown[120:330, -MARGIN // 2 :] == paper).all(), "the title leaves the margin"


@settings(max_examples=8, deadline=None)
@given(st.text(max_size=200), st.text(max_size=40))
@pytest.mark.filterwarnings("ignore:Glyph")
def test_whatever_is_written_is_drawn(says, title):
    assert pixels(social_card("$site$", "", title, says)).shape == (HEIGHT, WIDTH, 3)

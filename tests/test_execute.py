import pytest
from nbformat import v4

from rnnnotes.site.execute import _is_drawn


@pytest.mark.parametrize(
    "text",
    [
        "[<matplotlib.lines.Line2D at 0x7f>]",
        "<matplotlib.legend.Legend at 0x7f>",
        "<Axes: title={'left': 'x'}>",
        "Text(0.5, 1.0, 'x')",
        "array([<Axes: >, <Axes: >], dtype=object)",
        "<Figure size 420x260 with 1 Axes>",
    ],
)
def test_what_a_plotting_call_returns_is_known_for_what_it_is(text):
    assert _is_drawn(v4.new_output("execute_result", {"text/plain": text}))
    assert not _is_drawn(v4.new_output("stream", text=text))
    assert not _is_drawn(v4.new_output("display_data", {"text/plain": text, "image/svg+xml": ""}))


@pytest.mark.parametrize("text", ["tensor([1., 2.])", "'Text(0.5)'", "<object at 0x7f>", ""])
def test_any_other_value_is_not(text):
    assert not _is_drawn(v4.new_output("execute_result", {"text/plain": text}))

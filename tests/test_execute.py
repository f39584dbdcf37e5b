import subprocess
import sys
import time

import pytest
from nbformat import v4

from rnnnotes.site.execute import _is_drawn, _joined
from site_project import KERNEL


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


def test_the_prints_of_a_block_are_one_as_a_terminal_shows_them():
    figure = v4.new_output("display_data", {"image/svg+xml": ""})
    pieces = ["1 of 2\r", "2 of 2\ne", "nd\r\n", "a\rb\rc", "\n"]
    outputs = [v4.new_output("stream", text=piece) for piece in pieces]
    joined = _joined([*outputs[:2], figure, *outputs[2:]])
    assert joined == [v4.new_output("stream", text="2 of 2\nend\r\nc\n"), figure]


def test_a_long_line_is_joined_at_once():
    started = time.process_time()
    _joined([v4.new_output("stream", text="x" * 1_000_000)])
    assert time.process_time() - started < 1


# In a process of its own: the clock jumps for all of it.
SLOW = """
import itertools, sys, time
from pathlib import Path
from jupyter_client.asynchronous.client import AsyncKernelClient
from rnnnotes.site.blocks import read_page
from rnnnotes.site.execute import run_pages

asked = []
wait, ask, clock = AsyncKernelClient.wait_for_ready, AsyncKernelClient.kernel_info, time.time

def kernel_info(client):  # the first question does not arrive
    asked.append(client)
    return ask(client) if len(asked) > 1 else None

async def wait_for_ready(client, timeout=None):
    hours = itertools.count(clock(), 3600.0)
    time.time = lambda: next(hours)
    await wait(client, timeout)
    time.time = clock

AsyncKernelClient.kernel_info = kernel_info
AsyncKernelClient.wait_for_ready = wait_for_ready
file = Path(sys.argv[1])
page = read_page(file, file.parent, file.parent)
run_pages([page], file.parent, 1, 1, 60.0, lambda _, outcome: print(len(asked), outcome))
"""


def test_a_kernel_that_is_slow_to_answer_while_the_clock_jumps_is_waited_for(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"---\n{KERNEL}---\n# T\n\n```python\nprint(6 * 7)\n```\n")
    command = [sys.executable, "-c", SLOW, str(page)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert "'text': '42\\n'" in done.stdout and done.stdout.startswith("2 Run("), done

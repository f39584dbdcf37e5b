"""The blocks of pages, run in processes that have torch loaded already: what the loom is held to.

``python warm_pages.py JOBS PAGES.json``: loads torch, says ``ready``, waits for a line, runs the
pages (``{"folder", "path", "blocks"}``), JOBS at a time, each in a process forked from this one,
and says ``done``. Nothing is drawn or kept. Beside each page's path it writes which modules of
rnnnotes were loaded in the end, and which had their source read: the list of names in the reference
is made from that.
"""

import contextlib
import importlib
import importlib.util
import json
import os
import sys
import traceback
from pathlib import Path


def run_page(page: dict) -> None:
    """Runs one page in this process and ends it."""
    import matplotlib.pyplot as plt

    opened: set[str] = set()
    sys.addaudithook(lambda event, args: opened.add(str(args[0])) if event == "open" else None)
    os.chdir(page["folder"])
    namespace = {"__name__": "__main__"}
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        for number, block in enumerate(page["blocks"]):
            exec(compile(block, f"{page['path']} block {number}", "exec"), namespace)
            plt.close("all")
    loaded = {name for name in sys.modules if name.partition(".")[0] == "rnnnotes"}
    Path(page["loaded"]).write_text(json.dumps(sorted(loaded | sources(opened))))


def sources(files: set[str]) -> set[str]:
    """The modules of rnnnotes among these files."""
    root = Path(importlib.util.find_spec("rnnnotes").origin).parents[1]
    inside = [Path(file).relative_to(root) for file in files if file.startswith(f"{root}/")]
    names = (".".join(file.with_suffix("").parts) for file in inside if file.suffix == ".py")
    return {name.removesuffix(".__init__") for name in names}


def fork(page: dict) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        run_page(page)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def main() -> int:
    jobs, pages = int(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
    for name in ("torch", "numpy", "matplotlib.pyplot", "joblib"):
        importlib.import_module(name)
    import torch

    torch.set_num_threads(1)
    print("ready", flush=True)
    sys.stdin.readline()
    failed = running = 0
    while pages or running:
        if pages and running < jobs:
            fork(pages.pop(0))
            running += 1
        else:
            _, status = os.wait()
            running -= 1
            failed += status != 0
    print("done", flush=True)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())

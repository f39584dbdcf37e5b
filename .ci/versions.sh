#!/bin/sh
# Runs the tests with the oldest, or with the newest, versions that pyproject.toml admits:
#   make oldest
#   make newest TORCH=newest PYTHON=python3.14
# TORCH is oldest, pinned (by constraints.txt, if it is not said) or newest. All is done in a copy of
# the tree under build/, with an environment of its own: .venv and the kept pages stay as they are.
set -eu
cd -P "$(dirname "$0")/.."

which=$1
torch=${TORCH:-pinned}
folder=$PWD/build/$which
say() { printf '%s: %s\n' "$which" "$*"; }
fail() { printf '%s: %s.\n' "$which" "$*" >&2; exit 1; }

rm -rf "$folder"
mkdir -p "$folder/tree"
git ls-files -z --cached --others --exclude-standard |
  tar --create --null --files-from - | tar --extract --directory "$folder/tree"
"${PYTHON:-python3}" -m venv "$folder/venv"
python=$folder/venv/bin/python

install() {
  PIP_USER=0 "$python" -m pip install --quiet --no-input --disable-pip-version-check \
    --log "$folder/pip.log" "$@" >/dev/null 2>&1 </dev/null ||
    fail "pip: $(sed -n 's/.*ERROR: //p' "$folder/pip.log" | tail -n 1) (see $folder/pip.log)"
}
install packaging
"$python" .ci/bounds.py "$which" "$torch" >"$folder/constraints.txt"
say "installing them; torch: $torch (see $folder/constraints.txt)"
install --constraint "$folder/constraints.txt" torch # first, as in .ci/setup.sh
install --constraint "$folder/constraints.txt" --editable "$folder/tree[site,test]"
"$python" -m pip freeze --exclude-editable >"$folder/versions.txt"
for name in torch numpy matplotlib mkdocs mkdocs-material mkdocs-jupyter jupytext; do
  say "$(grep -i "^$name==" "$folder/versions.txt")"
done

# The tests of constraints.txt itself compare it with what is installed: here, that is another.
cd "$folder/tree"
tests() {
  "$python" -m pytest -n logical --maxprocesses 2 --dist loadfile "$@"
}
say "package, loom and site (pytest)"
tests --no-loadscope-reorder tests \
  --deselect tests/test_setup.py::test_constraints_pin_what_is_needed_in_the_versions_tested_here_and_nothing_else \
  --deselect tests/test_setup.py::test_constraints_satisfy_pyproject_and_the_oldest_python_it_allows
say "the blocks of the pages and of the README (pytest --markdown-docs)"
tests --markdown-docs docs README.md
say "passed"

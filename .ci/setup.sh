#!/bin/sh
# Makes .venv: what pyproject.toml asks for, in the versions that constraints.txt pins.
# Says nothing and changes nothing when neither has changed. May be interrupted, and run twice at once.
#   PYTHON=/path/to/python3.12 sh .ci/setup.sh
set -eu
cd -P "$(dirname "$0")/.."

python=${PYTHON:-python3}
stamp=.venv/made-from  # written last: a .venv without it is half-made
log=.venv/setup.log
other='or name another, as in "make site PYTHON=/path/to/python3.12"'

say() { printf 'set-up: %s\n' "$*"; }
fail() { printf 'set-up: %s.\n' "$*" >&2; exit 1; }

# --- Which Python, and what .venv would be made from. This runs under any Python, however old.
least=$(sed -n 's/^requires-python = ">=\([0-9.]*\)".*/\1/p' pyproject.toml)
command -v "$python" >/dev/null 2>&1 ||
  fail "rnnnotes needs Python $least or newer, and there is no '$python' here: install one, $other"
facts=$("$python" -c '
import hashlib, os, sys
print("%d.%d.%d" % sys.version_info[:3])
digest = hashlib.sha256()
for name in ("pyproject.toml", "constraints.txt"):
    with open(name, "rb") as file:
        digest.update(file.read())
print(digest.hexdigest())
# With .venv activated, the Python that made it: the one in it cannot make it again.
if os.path.realpath(sys.prefix) == os.path.realpath(".venv"):
    print(sys._base_executable)
' 2>/dev/null </dev/null) || :
fact() { printf '%s\n' "$facts" | sed -n "$1p"; }
version=$(fact 1) && version=${version#Python }
number() { printf '%s\n' "$1" | sed -n 's/^\([0-9][0-9]*\)\.\([0-9][0-9]*\).*/\1 \2/p' |
  { read -r major minor && echo $((major * 1000 + minor)); }; }
found=$(number "$version") ||
  fail "rnnnotes needs Python $least or newer, and '$python' does not run as one: install one, $other"
[ "$found" -ge "$(number "$least")" ] ||
  fail "rnnnotes needs Python $least or newer, and '$python' is Python $version: install a newer one, $other"
digest=$(fact 2)
[ -z "$(fact 3)" ] || python=$(fact 3)

# --- Nothing to do? A copied or moved .venv still points to the old place, so the place counts too.
birth="Python $version in $PWD"
wanted="$birth
$digest"
is_made() { [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; }
is_made && exit 0

# --- One set-up at a time. The lock is on this file, through a descriptor that pip inherits: it holds
# --- for as long as anything here still writes, even when this shell itself was killed.
[ -w . ] && [ -w .ci/setup.sh ] || fail "no .venv can be made here: this folder is not writable"
exec 9<>.ci/setup.sh
"$python" -c '
import fcntl
try:
    fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("set-up: another set-up is at work here: waiting for it", flush=True)
    fcntl.flock(9, fcntl.LOCK_EX)
'
is_made && exit 0

trap 'say "interrupted; the next run makes .venv again"; exit 130' INT TERM
began=$(date +%s)

if [ -x .venv/bin/python ] && [ "$(sed -n 1p "$stamp" 2>/dev/null)" = "$birth" ]; then
  say "pyproject.toml or constraints.txt has changed: bringing .venv up to date"
  rm -f "$stamp"
else
  if [ -e .venv ] || [ -L .venv ]; then
    say ".venv is half-made, or of another Python or place: making it again"
  fi
  "$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "'$python' (Python $version) lacks the venv module: install it (on Debian: apt-get install python3-venv), $other"
  rm -rf .venv
  say "making .venv with Python $version"
  words=$("$python" -m venv .venv 2>&1) ||
    fail "'$python' could not make .venv: $(printf '%s\n' "$words" | tail -n 1)"
fi

install() {
  PIP_USER=0 .venv/bin/python -m pip install --quiet --no-input --disable-pip-version-check \
    --log "$log" --constraint constraints.txt "$@" >/dev/null 2>&1 </dev/null && return
  if grep -Eqi 'connection ?error|NewConnectionError|ConnectTimeout|ReadTimeout|NameResolution|ProxyError' "$log"
  then fail "the Python packages could not be fetched, for want of a network or of the package index (see $log)"
  else fail "pip could not install the Python packages: $(sed -n 's/.*ERROR: //p' "$log" | tail -n 1) (see $log)"
  fi
}

# torch by itself and by its exact version: so pip takes a CPU build from wherever its configuration
# offers one, where a bare requirement would bring gigabytes of CUDA.
torch=$(sed -n 's/^\(torch==[^ ;]*\).*/\1/p' constraints.txt)
say "installing $torch, the largest part"
install "$torch"
say "installing everything else that constraints.txt pins ($(grep -c == constraints.txt) packages in all)"
install --editable '.[site,test]'

printf '%s\n' "$wanted" >"$stamp"
say "done in $(($(date +%s) - began)) s"

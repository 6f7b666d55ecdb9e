# shellcheck shell=bash
# What the checks share; sourced, never run.

deploy=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$deploy/../.." && pwd)
# Where downloads and builds are kept between runs; git does not see it.
cache=$root/.build/deploy
python=/usr/bin/python3
export PYTHONPATH=$deploy PYTHONDONTWRITEBYTECODE=1

# skip REASON: ends this check as one that was not made.
skip() {
    printf '%s: SKIPPED: %s\n' "${0##*/}" "$1"
    exit 77
}

fail() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    exit 1
}

# require_packages PACKAGE... : installs what is missing, or skips where that cannot be done.
require_packages() {
    "$root/tools/prepare" "$@" || skip "one of these Debian packages cannot be installed: $*"
}

# require_apus [APUS] : sets `apus`; without a release build there is nothing to look at.
require_apus() {
    apus=$(realpath --canonicalize-missing "${1:-$root/.build/release/apus}")
    [[ -x $apus ]] || skip "$apus is not there: build it with tools/build -c release --product apus"
}

# has_verb VERB : whether this executable has it. Parts of this folder wait for verbs that are not there yet.
has_verb() { "$apus" --help | grep -qE "^  $1( |\$)"; }

#!/usr/bin/python3
"""An NPRO client and server that share no line with Apus: made from the protocol's description alone.

    npro_peer.py client --address H:P    one JSON line: what became of it
    npro_peer.py server                  prints `listening on 127.0.0.1:PORT`, serves one connection, then the line
    npro_peer.py selftest                the golden vectors, and both roles against each other

Exit codes: 0 what was asked for happened (`--expect established`, the default, or `refused`), 1 it did not,
2 wrong usage, 77 a package is missing. It is Debian's Python because Debian's packages are what it can see.
"""

import sys

from npro import client, compression, server
from npro.options import parser, settings_of

EXIT_MISSING = 77


def main():
    sys.stdout.reconfigure(line_buffering=True)
    arguments = parser(__doc__)
    options = arguments.parse_args()
    if options.verb == "selftest":
        from npro import selftest

        return selftest.main()
    if missing := compression.missing(options.compression):
        print(f"missing {' '.join(missing)}: run tools/prepare {' '.join(missing)}", file=sys.stderr)
        return EXIT_MISSING
    if options.old_nonce and options.nonces != "counter":
        arguments.error("--old-nonce needs --nonces counter")
    role = client if options.verb == "client" else server
    try:
        outcome = role.run(options, settings_of(options))
    except OSError as error:
        print(f"npro_peer: {error}", file=sys.stderr)
        return 1
    print(outcome.line())
    return 0 if outcome.outcome == options.expect else 1


if __name__ == "__main__":
    sys.exit(main())

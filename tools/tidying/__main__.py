"""tools/tidy: decides taste, so that nobody argues about it. See the rules' own files for what each wants and why."""

import argparse
import pathlib
import sys

from . import hotpath, imports, ledger, ratchet, selftest, tree, words


def findings(root):
    """Everything there is to say about the tree below root."""
    sources = tree.sources(root)
    own_enums = [cases for source in sources if _is_own_swift(source) for cases in words.enum_cases(source.code)]
    for source in sources:
        yield from words.check(source)
        yield from imports.check(source)
        yield from hotpath.check(source)
        yield from hotpath.check_first_comment(source)
        yield from words.check_switches(source, own_enums)
        yield from ratchet.check_hard_stop(source)
    yield from ratchet.check(root, sources)
    yield from ledger.check(root, sources)


def _is_own_swift(source):
    return source.language == "swift" and source.is_below("Sources")


def report(root):
    """Prints the findings; the exit code is 1 when one of them is more than a warning."""
    found = sorted(findings(root))
    for finding in found:
        print(finding)
    errors = sum(not finding.is_warning for finding in found)
    print(f"tidy: {errors} to mend, {len(found) - errors} warnings", file=sys.stderr)
    return 1 if errors else 0


def update_ratchet(root, allow_raise):
    sources = tree.sources(root)
    raised = ratchet.raised(root, sources)
    if raised and not allow_raise:
        print("\n".join(raised), file=sys.stderr)
        print(
            "tidy: the ratchet only goes down: mend these, or say why in the commit and add --allow-raise",
            file=sys.stderr,
        )
        return 1
    ratchet.write(root, sources)
    return 0


def update_ledger(root):
    ledger.write(root, tree.sources(root))
    return 0


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(
        prog="tools/tidy", description="Checks the tree; prints file:line: rule: what to do."
    )
    parser.add_argument(
        "--update-ratchet", action="store_true", help=f"rewrite {ratchet.FILE}; refuses to raise a count"
    )
    parser.add_argument("--allow-raise", action="store_true", help="with --update-ratchet: raise counts too")
    parser.add_argument("--update-ledger", action="store_true", help=f"rewrite {ledger.FILE}")
    parser.add_argument("--self-test", action="store_true", help="plant one violation of each rule; show each is found")
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2])
    return parser.parse_args(arguments)


def main(arguments):
    options = parse_arguments(arguments)
    if options.self_test:
        return selftest.run(findings, update_ratchet)
    code = 0
    if options.update_ratchet:
        code = update_ratchet(options.root, options.allow_raise)
    if options.update_ledger:
        code = code or update_ledger(options.root)
    return code if options.update_ratchet or options.update_ledger else report(options.root)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

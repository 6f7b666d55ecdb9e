"""tools/profile: one server, one generator, and a folder that says where a packet's time and calls go."""

import argparse
import datetime
import os
import pathlib
import sys

from . import measurements, rig

ROOT = pathlib.Path(__file__).resolve().parents[2]


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(prog="tools/profile", description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="how long each load runs")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--depth", type=int, default=64, help="requests in flight per connection")
    parser.add_argument("--size", type=int, default=64, help="bytes of the Echo text")
    parser.add_argument(
        "--tiny", action="store_true", help="seconds instead of a minute: shows that it works, no figures"
    )
    parser.add_argument("--output", type=pathlib.Path, help="default: profile-<timestamp> beside Package.swift")
    parser.add_argument("--apus", default=str(ROOT / ".build/release/apus"), help="the executable to profile")
    options = parser.parse_args(arguments)
    if options.tiny:
        options.seconds, options.connections, options.depth = 1, 8, 8
    if options.output is None:
        options.output = ROOT / f"profile-{datetime.datetime.now():%Y%m%d-%H%M%S}"
    return options


def profile(options):
    options.output.mkdir(parents=True, exist_ok=True)
    load = rig.Load(options.apus, options.connections, options.depth, options.size)
    lines = [f"apus serve, one shard: {load}", f"kernel {os.uname().release}, {os.cpu_count()} cores", ""]
    for measure in (measurements.cpu, measurements.system_calls, measurements.calls):
        lines += measure(options.apus, load, options.seconds, options.output)
    summary = "\n".join(lines) + "\n"
    (options.output / "summary.txt").write_text(summary)
    print(f"{summary}\nin {options.output}")


def main(arguments):
    try:
        profile(parse_arguments(arguments))
    except (rig.RigError, measurements.callcount.CallcountError) as error:
        print(f"profile: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

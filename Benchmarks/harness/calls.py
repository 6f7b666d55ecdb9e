"""What one packet costs the server in calls to the allocator and to reference counting: callgrind, a shorter and a
longer load, and the difference. See callcount.py, which sits beside this package."""
import dataclasses
import pathlib
import tempfile

import callcount

from .host import Failure
from .measuring import bench
from .report import table as text_table

ECHOES = ("packet", "--connections", "4", "--depth", "4", "--size", "64")
DATAGRAMS = ("relay", "--pairs", "4", "--window", "4", "--size", "64")
VALGRIND_SECONDS_MAX = 60


def per_packet(options, contender, load=ECHOES):
    """{what: count per packet}, after a control that allocates and retains showed that none of it is overlooked."""
    seconds = 1 if options.tiny else 3
    try:
        callcount.check_control()
        (shorter, packets), (longer, more_packets) = (
            counted(options, contender, load, duration) for duration in (seconds, 2 * seconds))
        if more_packets <= packets:
            raise Failure(f"below callgrind twice the time brought no more packets: {packets}, then {more_packets}")
        return callcount.per_packet(shorter, longer, more_packets - packets)
    except callcount.CallcountError as error:
        raise Failure(str(error)) from error


def counted(options, contender, load, seconds):
    with tempfile.TemporaryDirectory() as folder:
        profile = pathlib.Path(folder, "callgrind.out")
        executable, *arguments = contender.command
        server = dataclasses.replace(
            contender,
            command=(*callcount.valgrind_command(profile), str(callcount.readable(executable, folder)), *arguments),
            start_seconds_max=VALGRIND_SECONDS_MAX, stop_seconds_max=VALGRIND_SECONDS_MAX).start()
        try:
            sample = bench(options.apus, server, [*load, "--seconds", str(seconds), "--warmup", "0"],
                           timeout=VALGRIND_SECONDS_MAX)
        finally:
            server.stop()
        return callcount.counts_of_profile(profile), sample["messages"]


def allocations(counts):
    """To the hundredth: two runs may differ by a few calls that are no packet's."""
    return round(sum(counts[what] for what in callcount.ALLOCATIONS), 2) + 0.0


def table(counts, what="sealed packet"):
    # Adding zero turns -0.0 into 0.0.
    rows = [[call, f"{round(count, 2) + 0.0:.2f}"] for call, count in counts.items()]
    unit = what.split()[-1]
    return f"{allocations(counts):g} allocations per {what}.\n\n" + text_table([f"per {unit}", "count"], rows)

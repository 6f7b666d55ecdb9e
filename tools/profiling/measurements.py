"""The four measurements of tools/profile, each a function that writes its file and returns the lines of its summary."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "Benchmarks"))

import callcount  # noqa: E402  (shared with the benchmarks, which have no package)

from . import flamegraph, rig, stacks  # noqa: E402

_SAMPLES_PER_SECOND = 997
_CALLGRIND_SECONDS = 1


def cpu(apus, load, seconds, folder):
    """cpu.svg: where the server's processor time goes, the kernel's part included if perf may see it."""
    recording = folder / "perf.data"
    with rig.serving(apus) as server, _sampling(server.process.pid, recording) as perf:
        report = load.run(server, seconds)
    stacks_seen = _perf_stacks(recording)
    recording.unlink(missing_ok=True)
    if stacks_seen:
        source, unit = "perf's cpu-clock samples", "samples"
    else:
        print(f"profile: perf cannot sample here, so callgrind draws: {_last_line(perf.said)}", file=sys.stderr)
        stacks_seen = _callgrind_stacks(apus, load)
        source, unit = "callgrind, user mode only", "instructions"
    (folder / "cpu.svg").write_text(flamegraph.render(stacks_seen, f"apus serve: {load} ({source})", unit))
    return _cpu_lines(report, stacks_seen, source)


class _Perf:
    """`perf record` on a process, from its answer on the control pipe until it is interrupted."""

    said = ""

    def __init__(self, pid, recording):
        commands_read, self.commands = os.pipe()
        self.answers, answers_write = os.pipe()
        # DWARF, because liburing keeps no frame pointers and the kernel's part lies above it.
        sampling = ["-e", "cpu-clock", "-F", str(_SAMPLES_PER_SECOND), "--call-graph", "dwarf,4096"]
        control = f"--control=fd:{commands_read},{answers_write}"
        self.process = subprocess.Popen(
            ["perf", "record", "--quiet", *sampling, control, "-p", str(pid), "-o", str(recording)],
            pass_fds=(commands_read, answers_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(commands_read)
        os.close(answers_write)

    def wait_until_recording(self):
        try:
            os.write(self.commands, b"ping\n")
        except BrokenPipeError:
            return  # It ended at once: there is no permission, and `said` will say so.
        os.read(self.answers, 64)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        _, self.said = self.process.communicate(timeout=60)
        os.close(self.commands)
        os.close(self.answers)


@contextlib.contextmanager
def _sampling(pid, recording):
    perf = _Perf(pid, recording)
    try:
        perf.wait_until_recording()
        yield perf
    finally:
        perf.stop()


def _perf_stacks(recording):
    script = _run(["perf", "script", "-i", str(recording), "--no-inline", "--fields", "comm,ip,sym,dso"])
    return stacks.of_perf_script(script.stdout)


def _callgrind_stacks(apus, load):
    with tempfile.TemporaryDirectory() as folder:
        profile, _ = _below_callgrind(apus, load, _CALLGRIND_SECONDS, folder)
        return stacks.of_callgrind(callcount.Profile(profile))


def _below_callgrind(apus, load, seconds, folder):
    """Runs the load against a server below callgrind; where its profile lies, and what the generator reports."""
    profile = pathlib.Path(folder, "callgrind.out")
    with rig.serving(callcount.readable(apus, folder), callcount.valgrind_command(profile)) as server:
        report = load.run(server, seconds)
    return profile, report


def _cpu_lines(report, stacks_seen, source):
    server, total = report["server"], sum(stacks_seen.values())
    kernel = sum(weight for stack, weight in stacks_seen.items() if stack[-1].endswith("_[k]"))
    lines = [f"messages per second      {report['messages_per_second']:,.0f}"]
    if server is not None:
        lines.append(
            f"server CPU per message   {server['cpu_us_per_message']:.4f} µs, user part {server['user_share']:.1%}"
        )
    if kernel:
        lines.append(f"in the kernel            {kernel / total:.1%} of {total:,} samples")
    return lines + [f"flame graph              cpu.svg ({source})"]


def system_calls(apus, load, seconds, folder):
    """syscalls.txt: the system calls of the server, per packet."""
    counts, source, report = _traced_by_perf(apus, load, seconds, folder)
    if not counts:
        counts, source, report = _traced_by_strace(apus, load, seconds, folder)
    if not counts["io_uring_enter"]:
        raise rig.RigError(f"{source} saw no io_uring_enter: there is nothing to divide; run again, or use --seconds")
    messages = report["messages"]
    rows = [f"{name:<24}{count:>12}{count / messages:>14.6f}" for name, count in counts.most_common()]
    heading = (
        f"{load}; counted by {source}\n{messages:,} packets\n\n{'system call':<24}{'calls':>12}{'per packet':>14}\n"
    )
    (folder / "syscalls.txt").write_text(heading + "\n".join(rows) + "\n")
    return [
        f"io_uring_enter           {counts['io_uring_enter'] / messages:.6f} per packet ({source})",
        f"all system calls         {counts.total() / messages:.6f} per packet, opening and closing included",
    ]


def _traced_by_perf(apus, load, seconds, folder):
    """Counts in the kernel, so that the server keeps its pace; needs root or an open perf_event_paranoid."""
    trace = folder / "perf-trace.txt"
    with rig.serving(apus) as server:
        command = ["perf", "trace", "--summary", "-o", str(trace), "-p", str(server.process.pid)]
        perf = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1)  # perf says nothing when it has attached.
        report = load.run(server, seconds)
        if perf.poll() is None:
            perf.send_signal(signal.SIGINT)
        try:
            perf.wait(timeout=30)
        except subprocess.TimeoutExpired:
            perf.kill()  # What it has not written is not counted; the caller takes the other way.
            perf.wait()
    counts = stacks.collections.Counter()
    if trace.exists():
        for name, calls in re.findall(r"^\s+([a-z]\w*)\s+(\d+)\s+\d+\s+[\d.]+", trace.read_text(), re.MULTILINE):
            counts[name] += int(calls)
        trace.unlink()
    return counts, "perf trace", report


def _traced_by_strace(apus, load, seconds, folder):
    """Stops the server at each call, which slows it and so lets more packets gather for one call."""
    trace = folder / "strace.txt"
    with rig.serving(apus, ["strace", "-D", "-c", "-f", "-o", str(trace)]) as server:
        report = load.run(server, seconds)
    counts = stacks.collections.Counter()
    deadline = time.monotonic() + 10  # strace writes its table after the server has ended.
    while not counts and time.monotonic() < deadline:
        time.sleep(0.1)
        for calls, name in re.findall(
            r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", trace.read_text(), re.MULTILINE
        ):
            counts[name] += int(calls)
    counts.pop("total", None)
    trace.unlink()
    return counts, "strace, which slows the server", report


def calls(apus, load, seconds, folder):
    """instructions.txt and calls.txt: the server below callgrind, for a time and for twice that, and the difference."""
    control = callcount.check_control()
    (shorter, packets), (longer, more_packets) = (_counted(apus, load, duration) for duration in (seconds, 2 * seconds))
    difference = more_packets - packets
    if difference <= 0:
        raise rig.RigError(
            f"twice the time delivered no more packets ({packets:,}, then {more_packets:,}): use --seconds"
        )
    counts = callcount.per_packet(shorter, longer, difference)
    heading = f"{load}; callgrind, user mode; the difference of {packets:,} and {more_packets:,} packets\n\n"
    (folder / "instructions.txt").write_text(f"{heading}{counts[callcount.INSTRUCTIONS]:.1f} instructions per packet\n")
    (folder / "calls.txt").write_text(heading + callcount.table({"control": control, "apus serve": counts}))
    return _call_lines(counts)


def _counted(apus, load, seconds):
    with tempfile.TemporaryDirectory() as folder:
        profile, report = _below_callgrind(apus, load, seconds, folder)
        return callcount.counts_of_profile(profile), report["messages"]


def _call_lines(counts):
    allocations = sum(counts[what] for what in callcount.ALLOCATIONS)
    return [
        f"instructions             {counts[callcount.INSTRUCTIONS]:.1f} per packet (user mode)",
        f"allocations              {allocations:.4f} per packet",
        f"retains and releases     {counts['swift_retain'] + counts['swift_release']:.4f} per packet",
        f"exclusivity checks       {counts['swift_beginAccess']:.4f} per packet",
    ]


def _run(command):
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)


def _last_line(text):
    return text.strip().splitlines()[-1] if text.strip() else "it recorded no sample"

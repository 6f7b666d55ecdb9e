"""The machine and the repository that the benchmarks run in. Knows no server and no scenario."""
import os
import pathlib
import platform
import resource
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "Benchmarks"
PEERS = BENCHMARKS / "peers"
SERVER_CORE, GENERATOR_CORE, BOTH_CORES = "0", "1", "0,1"


class Failure(Exception):
    """What makes the whole run worthless: said in one sentence, exit code 1."""


def say(line):
    print(line, file=sys.stderr, flush=True)


def check_cores():
    if not {0, 1} <= os.sched_getaffinity(0):
        raise Failure("needs cores 0 and 1: one for the server, one for the generator")


def raise_descriptor_limit(wanted=65536):
    """For the servers, which inherit it; not every one raises its own."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def run_steps(steps):
    """Each prints what it does to the standard error; the first that fails ends the run."""
    for step in steps:
        say(f"$ {shlex.join(step)}")
        if subprocess.run(step, stdout=sys.stderr).returncode != 0:
            raise Failure(f"building failed: {shlex.join(step)}")


def output_of(*command):
    """What a command that takes a moment prints; its message is ours when it fails."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failure(f"{shlex.join(command)}: {error}") from error
    if result.returncode != 0:
        raise Failure(f"{shlex.join(command)}: {result.stderr.strip()}")
    return result.stdout


def first_line(*command):
    return output_of(*command).partition("\n")[0].strip()


def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"

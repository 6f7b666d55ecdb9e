"""Turns what perf and callgrind recorded into {stack: weight} for the flame graph."""

import collections
import re
import subprocess

# Swift's mangled names, as ELF symbols have them.
_MANGLED = re.compile(r"^\$[sS]\w+")
_SAMPLE_FRAME = re.compile(r"^\s+[0-9a-f]+ (.+) \((.*)\)$")
_THREAD_START = "start_thread"
# A tree drawn from callgrind's edges may be recursive: deeper or lighter calls than these are not drawn.
_DEEPEST_CALL = 60
_LIGHTEST_SHARE = 0.0005


def of_perf_script(text):
    """The stacks of `perf script --fields comm,ip,sym,dso`; frames of the kernel end in `_[k]`."""
    stacks = collections.Counter()
    for sample in re.split(r"\n\s*\n", text):
        frames = [frame for frame in map(_perf_frame, sample.splitlines()) if frame]
        # What lies outside a thread's beginning is how it was unwound, not who called.
        outermost = frames.index(_THREAD_START) + 1 if _THREAD_START in frames else len(frames)
        if frames:
            stacks[tuple(reversed(frames[:outermost]))] += 1
    return _demangled(stacks)


def _perf_frame(line):
    frame = _SAMPLE_FRAME.match(line)
    if frame is None or frame[2] == "[unknown]":
        return None
    name, binary = re.sub(r"\+0x[0-9a-f]+$", "", frame[1]), frame[2]
    if binary.startswith("[") and binary != "[vdso]":
        return f"{name}_[k]"
    return name if name != "[unknown]" else f"[{binary.rsplit('/', 1)[-1]}]"


def of_callgrind(profile):
    """A tree from callgrind's edges: what a function's callees cost is shared out to its callers by their calls."""
    callees, inclusive, unexplained = _edges(profile)
    total = sum(profile.own_instructions.values())
    stacks = collections.Counter()

    def descend(stack, weight):
        """Gives each function on the way its own part of the weight, its callees the rest."""
        function = stack[-1]
        scale = weight / inclusive[function] if inclusive[function] else 0  # Zero: it only waited.
        stacks[stack] += round(profile.own_instructions[function] * scale)
        for callee, cost in callees[function]:
            if cost * scale > total * _LIGHTEST_SHARE and callee not in stack and len(stack) < _DEEPEST_CALL:
                descend((*stack, callee), cost * scale)

    for function, weight in sorted(unexplained.items()):
        if weight > total * _LIGHTEST_SHARE:
            descend((function,), weight)
    return _demangled(stacks)


def _edges(profile):
    """({caller: [(callee, cost)]}, inclusive cost, what no caller accounts for: where threads begin)."""
    callees = collections.defaultdict(list)
    inclusive, from_callers = collections.Counter(profile.own_instructions), collections.Counter()
    for (caller, callee), cost in profile.inclusive_instructions.items():
        if caller != callee:
            callees[caller].append((callee, cost))
            inclusive[caller] += cost
            from_callers[callee] += cost
    return callees, inclusive, inclusive - from_callers


def _demangled(stacks):
    """The same stacks with Swift's names as one reads them."""
    mangled = sorted({name for stack in stacks for name in stack if _MANGLED.match(name)})
    names = dict(zip(mangled, _demangle(mangled)))
    readable = collections.Counter()
    for stack, weight in stacks.items():
        readable[tuple(names.get(name, name) for name in stack)] += weight
    return readable


def _demangle(mangled):
    if not mangled:
        return []
    symbols = "\n".join(re.sub(r"_\[k\]$", "", name) for name in mangled) + "\n"
    swift = subprocess.run(
        ["swift", "demangle", "--simplified"], input=symbols, capture_output=True, text=True, check=False
    )
    demangled = [name.removeprefix("specialized ") for name in swift.stdout.splitlines()]
    return demangled if swift.returncode == 0 and len(demangled) == len(mangled) else mangled

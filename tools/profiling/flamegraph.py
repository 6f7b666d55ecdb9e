"""A flame graph as one SVG file: what was on the processor, from the outermost caller at the bottom to the leaf on top.

Input is {stack: weight}, a stack being a tuple of frame names with the outermost first. It knows nothing of where the
stacks come from.
"""

import zlib
from xml.sax.saxutils import escape

WIDTH = 1400
ROW_HEIGHT = 17
MARGIN = 10
HEADER_HEIGHT = 46
CHARACTER_WIDTH = 6.6
# Narrower than this a frame can neither be seen nor pointed at.
NARROWEST_FRAME = 0.3


class Frame:
    """A node of the merged stacks: everything with the same callers is one frame."""

    def __init__(self, name):
        self.name = name
        self.weight = 0
        self.children = {}

    def add(self, stack, weight):
        self.weight += weight
        frame = self
        for name in stack:
            frame = frame.children.setdefault(name, Frame(name))
            frame.weight += weight

    def depth(self):
        return 1 + max((child.depth() for child in self.children.values()), default=0)


def merge(stacks):
    root = Frame("all")
    for stack, weight in stacks.items():
        root.add(stack, weight)
    return root


def render(stacks, title, unit):
    """The SVG's text. `unit` names what a weight counts: samples, instructions."""
    root = merge(stacks)
    height = HEADER_HEIGHT + root.depth() * ROW_HEIGHT + MARGIN
    rows = list(_frames(root, root.weight, MARGIN, height - MARGIN - ROW_HEIGHT, WIDTH - 2 * MARGIN, unit))
    return "\n".join([_opening(title, root.weight, unit, height), *rows, "</svg>", ""])


def _opening(title, total, unit, height):
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">
<style>text {{ font: 11px monospace; }} g:hover rect {{ stroke: black; }} .heading {{ font-size: 15px; }}</style>
<rect width="100%" height="100%" fill="#fbfaf7"/>
<text class="heading" x="{MARGIN}" y="22">{escape(title)}</text>
<text x="{MARGIN}" y="38">{total:,} {escape(unit)}; widths are per cent of them; point at a frame for its name</text>"""


def _frames(frame, total, left, top, width, unit):
    """The SVG groups of a frame and all that it called, each above its caller."""
    if width < NARROWEST_FRAME or total == 0:
        return
    yield _frame(frame, total, left, top, width, unit)
    for child in sorted(frame.children.values(), key=lambda child: child.name):
        child_width = width * child.weight / frame.weight
        yield from _frames(child, total, left, top - ROW_HEIGHT, child_width, unit)
        left += child_width


def _frame(frame, total, left, top, width, unit):
    share = 100 * frame.weight / total
    label_length = int((width - 6) / CHARACTER_WIDTH)
    label = frame.name if len(frame.name) <= label_length else frame.name[: max(0, label_length - 1)] + "…"
    text = f'<text x="{left + 3:.1f}" y="{top + 12}">{escape(label)}</text>' if label_length >= 3 else ""
    return (
        f"<g><title>{escape(frame.name)}: {share:.2f} % ({frame.weight:,} {escape(unit)})</title>"
        f'<rect x="{left:.2f}" y="{top}" width="{width:.2f}" height="{ROW_HEIGHT - 1}" rx="1"'
        f' fill="{_colour(frame.name)}"/>'
        f"{text}</g>"
    )


def _colour(name):
    """Kernel frames are blue, the Swift runtime's and libc's calls violet, all else warm; a name keeps its shade."""
    shade = zlib.crc32(name.encode()) % 40
    if name.endswith("_[k]"):
        return f"rgb({140 + shade},{185 + shade // 2},{225 + shade // 2})"
    if name.startswith(("swift_", "malloc", "free", "calloc", "realloc")):
        return f"rgb({200 + shade},{150 + shade},{230})"
    return f"rgb({235 + shade // 4},{150 + 2 * shade},{80 + shade})"

"""The Dockerfile as stages of instructions, what is to be said against it, and its images done without Docker.

    dockerfile lint DOCKERFILE CONTEXT
    dockerfile perform DOCKERFILE CONTEXT CHROOT BUILT_FILE
    dockerfile describe DOCKERFILE TARGET

Reads the part of the language that is used here and refuses the rest. `perform` does the last stage and those that it
is made from: it takes a folder with a Debian for the base image, and one finished executable for what the first stage
would have built; it runs as root. It prints what the image would start, as `describe` does of another.
"""

import fnmatch
import json
import pathlib
import re
import shutil
import subprocess
import sys
from typing import NamedTuple

from . import report

_KNOWN = "FROM RUN COPY WORKDIR USER EXPOSE HEALTHCHECK STOPSIGNAL ENTRYPOINT CMD".split()


class Instruction(NamedTuple):
    line: int
    word: str
    flags: dict
    rest: str

    @property
    def words(self):
        """The exec form's words; nothing for the shell form, in which signals would not reach the process."""
        return json.loads(self.rest) if self.rest.startswith("[") else None


class Stage(NamedTuple):
    base: str
    name: str | None
    instructions: list

    def all(self, word):
        return [each for each in self.instructions if each.word == word]

    def one(self, word):
        found = self.all(word)
        return found[-1] if found else None


def whole(stages, stage):
    """The stage with all that it has from stages before it, which its base is the last of."""
    instructions = stage.instructions
    while before := next((each for each in stages if each.name == stage.base), None):
        instructions = before.instructions + instructions
        stage = Stage(before.base, stage.name, instructions)
    return stage


def images(stages):
    """Those that can be started, whole."""
    return [whole(stages, stage) for stage in stages if stage.one("ENTRYPOINT")]


class DockerfileError(Exception):
    """Says what cannot be read, and on which line."""


def _logical_lines(text):
    """(number, text) of each instruction, with continued lines joined and comments left out."""
    number, joined = None, ""
    for index, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or not (line.strip() or joined):
            continue
        number = number or index
        if line.endswith("\\"):
            joined += line + "\n"  # As the shell wants it.
            continue
        yield number, (joined + line).strip()
        number, joined = None, ""
    if joined:
        raise DockerfileError(f"line {number}: the file ends within an instruction")


def parse(text):
    stages = []
    for number, line in _logical_lines(text):
        word, _, rest = line.partition(" ")
        if word not in _KNOWN:
            raise DockerfileError(f"line {number}: '{word}' is no instruction that is read here: {', '.join(_KNOWN)}")
        flags = {}
        while match := re.match(r"--([a-z-]+)=(\S+)\s+", rest := rest.lstrip()):
            flags[match[1]] = match[2]
            rest = rest[match.end() :]
        if word == "FROM":
            named = re.fullmatch(r"(\S+)(?: AS (\S+))?", rest)
            if not named:
                raise DockerfileError(f"line {number}: expected FROM IMAGE [AS NAME], found: {rest}")
            stages.append(Stage(named[1], named[2], []))
        elif not stages:
            raise DockerfileError(f"line {number}: {word} comes before FROM")
        else:
            stages[-1].instructions.append(Instruction(number, word, flags, rest))
    if not stages:
        raise DockerfileError("there is no FROM")
    return stages


class Ignore:
    """The patterns of a .dockerignore: the last that fits decides; one that fits a folder fits all in it."""

    def __init__(self, text):
        lines = [line.strip() for line in text.splitlines()]
        self.patterns = [line for line in lines if line and not line.startswith("#")]

    def excludes(self, path):
        excluded = False
        for pattern in self.patterns:
            if self._fits(path, pattern.removeprefix("!")):
                excluded = not pattern.startswith("!")
        return excluded

    @staticmethod
    def _fits(path, pattern):
        parts = path.split("/")
        heads = ["/".join(parts[: count + 1]) for count in range(len(parts))]
        if pattern.startswith("**/"):
            return any(fnmatch.fnmatchcase(part, pattern[3:]) for part in parts)
        depth = pattern.count("/")
        return depth < len(heads) and fnmatch.fnmatchcase(heads[depth], pattern)


def context_files(context, ignore):
    """What git tracks or would track, less what the builder is not sent."""
    listing = subprocess.run(
        ["git", "-C", context, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=True,
    ).stdout.decode()
    return sorted({path for path in listing.split("\0") if path and not ignore.excludes(path)})


# --- lint -------------------------------------------------------------------------------------------------------------


def lint(path, context):
    outcome = report.Report("Dockerfile")
    try:
        stages = parse(path.read_text(encoding="utf-8"))
    except DockerfileError as error:
        outcome.confirm(False, f"{path}: {error}")
        outcome.end()
    files = context_files(context, Ignore(path.with_name(path.name + ".dockerignore").read_text(encoding="utf-8")))
    _check_bases(stages, outcome)
    _check_copies(stages, files, outcome)
    for stage in stages:
        for each in stage.all("RUN"):
            _check_run(each, outcome)
    for image in images(stages):
        _check_image(image, outcome)
    _check_sent(files, outcome)
    _check_planted(outcome)
    outcome.end()


def _check_bases(stages, outcome):
    names = set()
    for stage in stages:
        tag = stage.base.partition(":")[2]
        outcome.confirm(tag and tag != "latest" or stage.base in names, f"{stage.base} has no version of its own")
        names.add(stage.name)
    for image in images(stages):
        outcome.confirm(image.base == "debian:12-slim", f"the image {image.name} is made from {image.base}")
    outcome.confirm(stages[-1].one("ENTRYPOINT"), "what is built where no target is named cannot be started")


def _check_copies(stages, files, outcome):
    earlier = set()
    for stage in stages:
        for each in stage.all("COPY"):
            source = each.flags.get("from")
            if source is not None:
                outcome.confirm(source in earlier, f"line {each.line}: there is no stage '{source}' before this")
                continue
            for name in each.rest.split()[:-1]:
                found = any(path == name or path.startswith(name + "/") for path in files)
                outcome.confirm(found, f"line {each.line}: '{name}' is not in the context; see Dockerfile.dockerignore")
        earlier.add(stage.name)


def _check_run(each, outcome):
    script = each.rest
    where = f"line {each.line}"
    checked = subprocess.run(
        ["shellcheck", "--shell=sh", "--severity=style", "-"], input=script, capture_output=True, text=True, check=False
    )
    outcome.confirm(checked.returncode == 0, f"{where}: {checked.stdout}")
    if "apt-get" in script:
        for needed in ("apt-get update", "--yes", "--no-install-recommends", "rm -rf /var/lib/apt/lists"):
            outcome.confirm(needed in script, f"{where}: apt-get without '{needed}' in the same layer")


def _check_image(stage, outcome):
    user = stage.one("USER")
    numbers = re.fullmatch(r"(\d+):(\d+)", user.rest) if user else None
    outcome.confirm(numbers and int(numbers[1]) > 0, "the image runs as root, or as a name whose number is unknown")
    last = max((each.line for each in stage.instructions if each.word in ("RUN", "COPY")), default=0)
    outcome.confirm(user and user.line > last, "something is done in the image after USER")
    for each in stage.all("ENTRYPOINT") + stage.all("CMD"):
        outcome.confirm(each.words, f"line {each.line}: {each.word} in shell form, in which signals do not arrive")
    health = stage.one("HEALTHCHECK")
    outcome.confirm(health and re.search(r"CMD \[.*\]$", health.rest), "HEALTHCHECK is missing or in shell form")
    stop = stage.one("STOPSIGNAL")
    outcome.confirm(stop and stop.rest == "SIGTERM", "STOPSIGNAL: a drain begins with SIGTERM")


def _check_sent(files, outcome):
    """No keys, no tools, no history to the builder."""
    allowed = ("Package.swift", "LICENSE", "CShims/", "Sources/", "Tests/", "Benchmarks/apus-micro/")
    allowed += ("tools/deploy/container/",)
    others = [path for path in files if not path.startswith(allowed)]
    outcome.confirm(not others, f"the builder is sent what it has no use for: {others[:5]}")


def _check_planted(outcome):
    """Mistakes are found at all."""
    for text in ("RUN true", "FROM debian:12-slim\nADD x /", "FROM debian:12-slim\nRUN a \\\n"):
        try:
            parse(text)
            outcome.confirm(False, f"a planted mistake can be read: {text!r}")
        except DockerfileError:
            outcome.confirm(True, "")


# --- perform ----------------------------------------------------------------------------------------------------------


class Performance:
    """The last stage, done in a folder: what RUN, COPY and WORKDIR would leave in the image."""

    def __init__(self, context, chroot, built_file):
        self.context, self.chroot, self.built_file = context, chroot, built_file

    def perform(self, stage):
        for each in stage.instructions:
            if each.word == "RUN":
                self._run(each)
            elif each.word == "COPY":
                self._copy(each)

    def _run(self, each):
        done = subprocess.run(
            ["chroot", self.chroot, "/bin/sh", "-c", each.rest], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise DockerfileError(f"line {each.line}: exit code {done.returncode}: {done.stdout}{done.stderr}")

    def _copy(self, each):
        *sources, target = each.rest.split()
        for name in sources:
            source = self.built_file if "from" in each.flags else self.context / name
            place = self.chroot / target.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, place)
            place.chmod(int(each.flags.get("chmod", f"{source.stat().st_mode & 0o777:o}"), 8))


def perform(path, context, chroot, built_file):
    stages = parse(path.read_text(encoding="utf-8"))
    image = whole(stages, stages[-1])
    Performance(context, chroot, built_file).perform(image)
    print(json.dumps(_started(image)))


def describe(path, target):
    found = [image for image in images(parse(path.read_text(encoding="utf-8"))) if image.name == target]
    if not found:
        raise DockerfileError(f"{path} has no image {target}")
    print(json.dumps(_started(found[0])))


def _started(image):
    command = image.one("ENTRYPOINT").words + (image.one("CMD").words if image.one("CMD") else [])
    health = json.loads(re.search(r"CMD (\[.*\])$", image.one("HEALTHCHECK").rest)[1])
    return {"user": image.one("USER").rest, "command": command, "health": health}


def main():
    action, path, *rest = sys.argv[1:]
    if action == "describe":
        describe(pathlib.Path(path), *rest)
    else:
        {"lint": lint, "perform": perform}[action](pathlib.Path(path), *map(pathlib.Path, rest))


if __name__ == "__main__":
    main()

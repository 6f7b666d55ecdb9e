"""The example for Docker Compose: it names what there is, and Apus takes its variables as they are.

    compose FILE DOCKERFILE DOCUMENTATION [APUS]

The shape of the file is not checked: there is no Docker here that would say what a key means.
"""

import os
import pathlib
import re
import subprocess
import sys

import yaml

from . import dockerfile, report

_DRAIN_SECONDS = 30 + 2  # shutdown_timeout, and what is written after it
_PREFIXES = ("NB_", "OZ_", "APUS_")


def _filled(value):
    """`${NAME:?why}` as Compose fills it in."""
    return re.sub(r"\$\{\w+:\?[^}]*\}", "a secret of this check, thirty-two bytes", str(value))


def check_service(folder, service, images, outcome):
    name, _, version = service["image"].partition(":")
    outcome.confirm(re.match(r"\d", version), f"the image has no version: {service['image']}")
    outcome.confirm(name.removeprefix("apus-") in images, f"the Dockerfile has no target for {name}: {images}")
    port = str(service["environment"]["NB_LISTEN_ADDRESS"]).rpartition(":")[2]
    published = [each.rpartition(":")[2] for each in service["ports"]]
    outcome.confirm(published == [port], f"it listens on {port}, and {published} are published")
    grace = int(re.fullmatch(r"(\d+)s", service["stop_grace_period"])[1])
    outcome.confirm(grace > _DRAIN_SECONDS, f"a grace of {grace} s ends a drain of {_DRAIN_SECONDS} s")
    profiles = [each.partition(":")[2] for each in service["security_opt"] if each.startswith("seccomp:")]
    outcome.confirm(profiles, "Docker's own seccomp profile hides io_uring, and no other is named")
    for profile in profiles:
        outcome.confirm((folder / profile).is_file(), f"there is no profile {profile}")


def check_variables(environment, documentation, outcome):
    for name in environment:
        known = name.startswith(_PREFIXES) and f"`{name}`" in documentation
        outcome.confirm(known, f"{name} is documented nowhere: Apus does not read it")


def check_accepted(service, image, apus, outcome):
    """What the image would be started with, as `apus check` sees it; there is no certificate here."""
    environment = {name: _filled(value) for name, value in service["environment"].items() if "_TLS_" not in name}
    words = image.one("ENTRYPOINT").words
    outcome.confirm(words[1] == "serve", f"the image does not serve: {words}")
    command = [apus, "check", *words[2:], *service.get("command", [])]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    # 4: an address cannot be bound here and now, which is no fault of the example.
    outcome.confirm(done.returncode in (0, 4), f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}")
    refused = subprocess.run(command, env=os.environ | environment | {"NB_ENABLE_STUN": "true"}, capture_output=True,
                             check=False)
    outcome.confirm(refused.returncode == 3, "a planted variable is taken")


def main():
    path, built, documentation, *apus = map(pathlib.Path, sys.argv[1:])
    outcome = report.Report("compose.yaml")
    services = yaml.safe_load(path.read_text(encoding="utf-8"))["services"]
    images = {image.name: image for image in dockerfile.images(dockerfile.parse(built.read_text(encoding="utf-8")))}
    for service in services.values():
        check_service(path.parent, service, sorted(images), outcome)
        check_variables(service["environment"], documentation.read_text(encoding="utf-8"), outcome)
        if apus:
            check_accepted(service, images["relay"], apus[0], outcome)
    outcome.end()


if __name__ == "__main__":
    main()

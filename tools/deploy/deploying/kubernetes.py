"""The Kubernetes manifests: each fits its schema, and together they say the same.

    kubernetes FOLDER VERSION...

Runs where the PyPI package `kubernetes-validate` is installed, which carries the schemas: no cluster, no network. The
ServiceMonitor is a kind of the Prometheus operator, of which it has no schema: its references are looked at.
"""

import pathlib
import re
import sys
import tomllib

import kubernetes_validate
import yaml

from . import report

_FOREIGN_GROUPS = {"monitoring.coreos.com/v1"}
_NAME = {"app.kubernetes.io/name": "apus"}


class Manifests:
    """Every document of the folder, by kind and name; patches stay apart."""

    def __init__(self, folder):
        self.documents = []
        self.patches = []
        for path in sorted(folder.rglob("*.yaml")):
            for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
                kept = self.patches if path.name.endswith(".patch.yaml") else self.documents
                kept.append((path.relative_to(folder), document))

    def one(self, kind, name="apus"):
        found = [each for _, each in self.documents if (each["kind"], each["metadata"]["name"]) == (kind, name)]
        return found[0] if len(found) == 1 else None


def check_schemas(manifests, versions, outcome):
    for path, document in manifests.documents + [(path, _completed(each)) for path, each in manifests.patches]:
        if document["apiVersion"] in _FOREIGN_GROUPS:
            continue
        for version in versions:
            complaint = _schema_complaint(document, version)
            outcome.confirm(complaint is None, f"{path}: not valid in Kubernetes {version}: {complaint}")


def _schema_complaint(document, version):
    try:
        kubernetes_validate.validate(document, version, strict=True)
        return None
    except kubernetes_validate.ValidationError as error:
        return f"{'.'.join(map(str, error.path))}: {error.message}"


def _completed(patch):
    """A patch leaves out what the object has already; with that it fits the same schema."""
    completed = {**patch, "spec": {"selector": {"matchLabels": _NAME}, **patch["spec"]}}
    pod = completed["spec"]["template"]["spec"]
    containers = pod.get("containers", [{"name": "apus"}])
    return {**completed, "spec": {**completed["spec"], "template": {"spec": {**pod, "containers": containers}}}}


def check_planted(manifests, version, outcome):
    """A mistake in a manifest is found at all."""
    deployment = manifests.one("Deployment")
    wrong = {**deployment, "spec": {**deployment["spec"], "replicas": "two"}}
    unknown = {**deployment, "spec": {**deployment["spec"], "replica": 2}}
    for planted in (wrong, unknown):
        outcome.confirm(_schema_complaint(planted, version) is not None, "a planted mistake passes the schema")


def check_place(manifests, outcome):
    for path, document in manifests.documents:
        metadata = document["metadata"]
        if document["kind"] != "Namespace":
            outcome.confirm(metadata.get("namespace") == "apus", f"{path}: {document['kind']} is in another namespace")
            labels = metadata.get("labels", {})
            outcome.confirm(_NAME.items() <= labels.items(), f"{path}: {document['kind']} lacks the label {_NAME}")


def check_references(manifests, outcome):
    """Names that one manifest says and another one means."""
    deployment = manifests.one("Deployment")
    template = deployment["spec"]["template"]
    labels = template["metadata"]["labels"]
    container = template["spec"]["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    selectors = {
        "Deployment": deployment["spec"]["selector"]["matchLabels"],
        "Service": manifests.one("Service")["spec"]["selector"],
        "Service apus-admin": manifests.one("Service", "apus-admin")["spec"]["selector"],
        "PodDisruptionBudget": manifests.one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        "NetworkPolicy": manifests.one("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    }
    for kind, selector in selectors.items():
        outcome.confirm(selector.items() <= labels.items(), f"{kind} selects {selector}, the pods have {labels}")
    named = [port["targetPort"] for name in ("apus", "apus-admin") for port in _service_ports(manifests, name)]
    named += [container[probe]["httpGet"]["port"] for probe in _PROBES]
    policy = manifests.one("NetworkPolicy")["spec"]["ingress"]
    named += [port["port"] for rule in policy for port in rule["ports"]]
    for name in named:
        outcome.confirm(name in ports, f"no container port is called {name}: there are {sorted(ports)}")
    volumes = {volume["name"] for volume in template["spec"]["volumes"]}
    for mount in container["volumeMounts"]:
        outcome.confirm(mount["name"] in volumes, f"no volume is called {mount['name']}")
    _check_monitor(manifests, outcome)
    _check_listeners(manifests, ports, outcome)


_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def _service_ports(manifests, name):
    return manifests.one("Service", name)["spec"]["ports"]


def _check_monitor(manifests, outcome):
    monitor = manifests.one("ServiceMonitor")["spec"]
    service = manifests.one("Service", "apus-admin")
    selector = monitor["selector"]["matchLabels"]
    outcome.confirm(selector.items() <= service["metadata"]["labels"].items(), "the ServiceMonitor selects no service")
    ports = {port["name"] for port in service["spec"]["ports"]}
    for endpoint in monitor["endpoints"]:
        outcome.confirm(endpoint["port"] in ports, f"the ServiceMonitor names port {endpoint['port']}: {sorted(ports)}")


def _check_listeners(manifests, ports, outcome):
    """The configuration listens where the manifests say that it does."""
    configuration = tomllib.loads(manifests.one("ConfigMap")["data"]["apus.toml"])
    listeners = [(each["name"], each["address"]) for each in configuration["listener"]]
    listeners.append(("admin", configuration["admin"]["address"]))
    bound = {name: int(address.rsplit(":", 1)[1]) for name, address in listeners}
    outcome.confirm(configuration["admin"]["enabled"], "the admin listener that the probes ask is not enabled")
    outcome.confirm(bound == ports, f"apus.toml listens on {bound}, the container's ports are {ports}")
    spec = manifests.one("Deployment")["spec"]["template"]["spec"]
    drain = int(re.fullmatch(r"(\d+)s", configuration["server"]["shutdown_timeout"])[1])
    pause = int(spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    grace = spec["terminationGracePeriodSeconds"]
    outcome.confirm(grace > drain + pause + 2, f"a grace of {grace} s ends a drain of {pause} + {drain} + 2 s")
    cores = int(spec["containers"][0]["resources"]["requests"]["cpu"])
    shards = configuration["server"]["shards"]
    outcome.confirm(shards == cores, f"{shards} shards on {cores} cores")


def check_restricted(manifests, outcome):
    """What the Pod Security Standard `restricted` asks for, of every container, patches' too."""
    pods = [manifests.one("Deployment")["spec"]["template"]["spec"]]
    pods += [patch["spec"]["template"]["spec"] for _, patch in manifests.patches]
    pod = pods[0]
    context = pod["securityContext"]
    outcome.confirm(context["runAsNonRoot"] is True, "the pod may run as root")
    profile = context["seccompProfile"]
    outcome.confirm(
        profile == {"type": "Localhost", "localhostProfile": "profiles/apus.json"}, f"seccomp profile: {profile}"
    )
    outcome.confirm(pod["enableServiceLinks"] is False, "the service's variables are read as configuration")
    outcome.confirm(pod["automountServiceAccountToken"] is False, "the pod has a token that it does not need")
    containers = pod["containers"] + [each for patched in pods for each in patched.get("initContainers", [])]
    for container in containers:
        _check_container(container, outcome)


def _check_container(container, outcome):
    name, context = container["name"], container["securityContext"]
    outcome.confirm(context["allowPrivilegeEscalation"] is False, f"{name}: may gain privileges")
    outcome.confirm(context["readOnlyRootFilesystem"] is True, f"{name}: may write its image")
    outcome.confirm(context["capabilities"] == {"drop": ["ALL"]}, f"{name}: keeps capabilities")
    outcome.confirm("memory" in container["resources"]["limits"], f"{name}: has no limit of memory")
    outcome.confirm(re.search(r":\d", container["image"]), f"{name}: its image has no version: {container['image']}")


def main():
    outcome = report.Report("check-kubernetes")
    manifests = Manifests(pathlib.Path(sys.argv[1]))
    versions = sys.argv[2:]
    check_schemas(manifests, versions, outcome)
    check_planted(manifests, versions[0], outcome)
    check_place(manifests, outcome)
    check_references(manifests, outcome)
    check_restricted(manifests, outcome)
    outcome.end()


if __name__ == "__main__":
    main()

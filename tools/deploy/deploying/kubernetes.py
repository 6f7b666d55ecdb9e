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
_RELAY = "apus-relay"  # What lies in the folder relay is called so, and stands for itself.


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
            wanted = _labels(_RELAY) if path.parts[0] == "relay" else _NAME
            outcome.confirm(wanted.items() <= labels.items(), f"{path}: {document['kind']} lacks the label {wanted}")


def _labels(name):
    return {"app.kubernetes.io/name": name}


def check_references(manifests, outcome):
    """Names that one manifest says and another one means."""
    for name, scraped in (("apus", "apus-admin"), (_RELAY, "apus-relay-metrics")):
        _check_selectors(manifests, name, scraped, outcome)
        _check_names(manifests, name, scraped, outcome)
        _check_monitor(manifests, name, scraped, outcome)
    _check_listeners(manifests, outcome)
    _check_relay(manifests, outcome)


def _check_selectors(manifests, name, scraped, outcome):
    """Each selects the pods of this name and of no other."""
    selectors = {
        "Deployment": manifests.one("Deployment", name)["spec"]["selector"]["matchLabels"],
        "Service": manifests.one("Service", name)["spec"]["selector"],
        f"Service {scraped}": manifests.one("Service", scraped)["spec"]["selector"],
        "NetworkPolicy": manifests.one("NetworkPolicy", name)["spec"]["podSelector"]["matchLabels"],
    }
    if budget := manifests.one("PodDisruptionBudget", name):
        selectors["PodDisruptionBudget"] = budget["spec"]["selector"]["matchLabels"]
    for other in ("apus", _RELAY):
        labels = manifests.one("Deployment", other)["spec"]["template"]["metadata"]["labels"]
        for kind, selector in selectors.items():
            selects = selector.items() <= labels.items()
            outcome.confirm(selects == (name == other), f"{kind} of {name} selects {selector}, {other} has {labels}")


def _check_names(manifests, name, scraped, outcome):
    """What ports and volumes are called."""
    spec = manifests.one("Deployment", name)["spec"]["template"]["spec"]
    container, ports = spec["containers"][0], _container_ports(manifests, name)
    named = [port["targetPort"] for service in (name, scraped) for port in _service_ports(manifests, service)]
    named += [container[probe]["httpGet"]["port"] for probe in _PROBES]
    policy = manifests.one("NetworkPolicy", name)["spec"]["ingress"]
    named += [port["port"] for rule in policy for port in rule["ports"]]
    for port in named:
        outcome.confirm(port in ports, f"no container port of {name} is called {port}: there are {sorted(ports)}")
    volumes = {volume["name"] for volume in spec["volumes"]}
    for mount in container["volumeMounts"]:
        outcome.confirm(mount["name"] in volumes, f"no volume of {name} is called {mount['name']}")


_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def _container_ports(manifests, name):
    container = manifests.one("Deployment", name)["spec"]["template"]["spec"]["containers"][0]
    return {port["name"]: port["containerPort"] for port in container["ports"]}


def _service_ports(manifests, name):
    return manifests.one("Service", name)["spec"]["ports"]


def _check_monitor(manifests, name, scraped, outcome):
    monitor = manifests.one("ServiceMonitor", name)["spec"]
    service = manifests.one("Service", scraped)
    labels = service["metadata"]["labels"]
    selector = monitor["selector"]["matchLabels"]
    outcome.confirm(selector.items() <= labels.items(), f"the ServiceMonitor of {name} selects no service")
    outcome.confirm(labels.get(monitor["jobLabel"]) == "apus", f"alerts and dashboard expect the job apus of {name}")
    ports = {port["name"] for port in service["spec"]["ports"]}
    for endpoint in monitor["endpoints"]:
        outcome.confirm(endpoint["port"] in ports, f"the ServiceMonitor names port {endpoint['port']}: {sorted(ports)}")


def _check_listeners(manifests, outcome):
    """The configuration listens where the manifests say that it does."""
    configuration = tomllib.loads(manifests.one("ConfigMap")["data"]["apus.toml"])
    listeners = [(each["name"], each["address"]) for each in configuration["listener"]]
    listeners.append(("admin", configuration["admin"]["address"]))
    bound = {name: int(address.rsplit(":", 1)[1]) for name, address in listeners}
    ports = _container_ports(manifests, "apus")
    outcome.confirm(configuration["admin"]["enabled"], "the admin listener that the probes ask is not enabled")
    outcome.confirm(bound == ports, f"apus.toml listens on {bound}, the container's ports are {ports}")
    server = configuration["server"]
    _check_sizes(manifests.one("Deployment"), server["shutdown_timeout"], server["shards"], outcome)


def _check_relay(manifests, outcome):
    """The same of the relay, which is told by variables; and its secret is there."""
    deployment = manifests.one("Deployment", _RELAY)
    variables = {each["name"]: each for each in deployment["spec"]["template"]["spec"]["containers"][0]["env"]}
    values = {name: each.get("value") for name, each in variables.items()}
    bound = {"relay": values["NB_LISTEN_ADDRESS"], "health": values["NB_HEALTH_LISTEN_ADDRESS"]}
    bound = {name: int(address.rsplit(":", 1)[1]) for name, address in bound.items()}
    bound["metrics"] = int(values["NB_METRICS_PORT"])
    ports = _container_ports(manifests, _RELAY)
    outcome.confirm(bound == ports, f"the relay listens on {bound}, the container's ports are {ports}")
    _check_sizes(deployment, values["APUS_SERVER_SHUTDOWN_TIMEOUT"], int(values["APUS_SERVER_SHARDS"]), outcome)
    outcome.confirm(deployment["spec"]["replicas"] == 1, "peers of two relays do not meet")
    reference = variables["NB_AUTH_SECRET"]["valueFrom"]["secretKeyRef"]
    secret = manifests.one("Secret", reference["name"])
    outcome.confirm(secret and reference["key"] in secret["stringData"], f"there is no secret {reference}")


def _check_sizes(deployment, shutdown_timeout, shards, outcome):
    spec = deployment["spec"]["template"]["spec"]
    drain = int(re.fullmatch(r"(\d+)s", shutdown_timeout)[1])
    pause = int(spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    grace = spec["terminationGracePeriodSeconds"]
    outcome.confirm(grace > drain + pause + 2, f"a grace of {grace} s ends a drain of {pause} + {drain} + 2 s")
    cores = int(spec["containers"][0]["resources"]["requests"]["cpu"])
    outcome.confirm(shards == cores, f"{shards} shards on {cores} cores")


def check_restricted(manifests, outcome):
    """What the Pod Security Standard `restricted` asks for, of every container, patches' too."""
    relay = manifests.one("Deployment", _RELAY)["spec"]["template"]["spec"]
    pods = [manifests.one("Deployment")["spec"]["template"]["spec"]]
    pods += [patch["spec"]["template"]["spec"] for _, patch in manifests.patches]
    for pod in (pods[0], relay):
        _check_pod(pod, outcome)
    containers = pods[0]["containers"] + relay["containers"]
    for container in containers + [each for patched in pods for each in patched.get("initContainers", [])]:
        _check_container(container, outcome)


def _check_pod(pod, outcome):
    context = pod["securityContext"]
    outcome.confirm(context["runAsNonRoot"] is True, "the pod may run as root")
    profile = context["seccompProfile"]
    outcome.confirm(
        profile == {"type": "Localhost", "localhostProfile": "profiles/apus.json"}, f"seccomp profile: {profile}"
    )
    outcome.confirm(pod["enableServiceLinks"] is False, "the service's variables are read as configuration")
    outcome.confirm(pod["automountServiceAccountToken"] is False, "the pod has a token that it does not need")


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

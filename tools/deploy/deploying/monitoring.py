"""The dashboard and the alerts in a real Prometheus: it scrapes a server, and every expression is evaluated.

    monitoring DASHBOARD RULES                  scrapes a stand-in that writes all metrics there are
    monitoring DASHBOARD RULES HOST:PORT        scrapes a running server's admin listener
    monitoring DASHBOARD RULES HOST:PORT relay  the same of one that has to have the relay's metrics, too

A panel that stays empty has failed; of a real server, one whose metrics are declared and have no sample yet is only
noted (nothing has been refused yet).
"""

import contextlib
import json
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

from . import dashboard, exposition, report

_SCRAPE_SECONDS = 1
_START_SECONDS = 30
_SCRAPES = 6
_RATE_INTERVAL = "5s"
_METRIC = re.compile(r"\b((?:apus|process|relay)_\w+|up)\b(?=\{|$)")
_CHILDREN = re.compile(r"_(?:bucket|sum|count)$")


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _get(url):
    # No proxy: all of it is on the loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as answer:
        return answer.read().decode()


class Prometheus:
    """One of its own, in a temporary folder, with one target."""

    def __init__(self, folder, target, rules):
        self.folder = pathlib.Path(folder)
        self.url = f"http://127.0.0.1:{_free_port()}"
        job = {"job_name": "apus", "scrape_interval": f"{_SCRAPE_SECONDS}s", "static_configs": [{"targets": [target]}]}
        configuration = {
            "global": {"evaluation_interval": f"{_SCRAPE_SECONDS}s"},
            "scrape_configs": [job],
            "rule_files": [str(rules.resolve())],
        }
        # JSON is YAML.
        (self.folder / "prometheus.yml").write_text(json.dumps(configuration), encoding="utf-8")

    def __enter__(self):
        self.log = (self.folder / "log").open("w", encoding="utf-8")
        command = ["prometheus", f"--config.file={self.folder}/prometheus.yml"]
        command += [f"--storage.tsdb.path={self.folder}/tsdb"]
        command += [f"--web.listen-address={self.url.removeprefix('http://')}", "--log.level=warn"]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def said(self):
        return (self.folder / "log").read_text(encoding="utf-8")

    def query(self, expression):
        """The result's series; a complaint of Prometheus as ValueError."""
        where = f"{self.url}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        try:
            answer = json.loads(_get(where))
        except urllib.error.HTTPError as error:
            raise ValueError(json.loads(error.read())["error"]) from None
        return answer["data"]["result"]

    def rules(self):
        groups = json.loads(_get(f"{self.url}/api/v1/rules"))["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def wait_for_scrapes(self, count):
        """Whether it has scraped so often; it is given time to start."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError, ValueError):
                scraped = self.query('count_over_time(up{job="apus"}[1m])')
                if scraped and float(scraped[0]["value"][1]) >= count:
                    return True
            time.sleep(0.2)
        return False


def expressions(drawn):
    """(panel's title, expression) of each query, with Grafana's variables as Grafana fills them in."""
    filled = {"$__rate_interval": _RATE_INTERVAL, "$job": ".*", "$instance": ".*", "$listener": ".*"}
    for panel in drawn["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"]
            for variable, value in filled.items():
                expression = expression.replace(variable, value)
            yield panel["title"], expression


def families(text):
    """The names that a scrape declares or may leave out, and those that it has samples of."""
    declared = set(re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE)) | exposition.CONDITIONAL
    sampled = {_CHILDREN.sub("", name) for name in re.findall(r"^([a-zA-Z_:][\w:]*)(?:\{| )", text, re.MULTILINE)}
    return declared, sampled | set(re.findall(r"^([a-zA-Z_:][\w:]*)(?:\{| )", text, re.MULTILINE))


def check_panels(prometheus, drawn, scraped, outcome):
    declared, sampled = families(scraped)
    waiting = set()
    for title, expression in expressions(drawn):
        used = {_CHILDREN.sub("", name) if name not in declared else name for name in _METRIC.findall(expression)}
        used.discard("up")
        for name in sorted(used - declared):
            outcome.confirm(False, f"panel '{title}': no metric is called {name}")
        try:
            result = prometheus.query(expression)
        except ValueError as error:
            outcome.confirm(False, f"panel '{title}': {expression}: {error}")
            continue
        silent = sorted(used & declared - sampled)
        if not result and silent:
            waiting |= set(silent)
        else:
            outcome.confirm(result, f"panel '{title}' is empty: {expression}")
    if waiting:
        outcome.note(f"panels are empty where there is no sample yet: {', '.join(sorted(waiting))}")


def check_rules(prometheus, scraped, outcome):
    declared, _ = families(scraped)
    rules = prometheus.rules()
    outcome.confirm(rules, "Prometheus has loaded no rule")
    for rule in rules:
        name = rule["name"]
        outcome.confirm(rule["health"] == "ok", f"alert {name}: {rule['health']}: {rule.get('lastError')}")
        used = {_CHILDREN.sub("", each) if each not in declared else each for each in _METRIC.findall(rule["query"])}
        outcome.confirm(used - {"up"} <= declared, f"alert {name}: no metric is called {sorted(used - declared)}")


def check_contract(scraped, is_relay, outcome):
    """A running server has the metrics that the dashboard was drawn for, of the same kind; a relay all of its own."""
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)", scraped, re.MULTILINE))
    absent = exposition.CONDITIONAL - (set(exposition.RELAY_FAMILIES) if is_relay else set())
    known = exposition.FAMILIES | exposition.RELAY_FAMILIES
    for name, (kind, _) in known.items():
        outcome.confirm(name in kinds or name in absent, f"the server has no metric {name}")
        outcome.confirm(kinds.get(name, kind) == kind, f"{name} is a {kinds.get(name)}, it should be a {kind}")
    others = sorted(set(kinds) - set(known))
    if others:
        outcome.note(f"shown nowhere: {', '.join(others)}")


def check_drawing(path, outcome):
    """What is in the repository is what the table says, and Grafana could draw it."""
    text = path.read_text(encoding="utf-8")
    outcome.confirm(text == dashboard.printed(), f"{path} is not what deploying/dashboard.py prints: make it anew")
    panels = json.loads(text)["panels"]
    taken = set()
    for panel in panels:
        place = panel["gridPos"]
        columns = range(place["x"], place["x"] + place["w"])
        cells = {(x, y) for x in columns for y in range(place["y"], place["y"] + place["h"])}
        outcome.confirm(place["x"] + place["w"] <= 24, f"panel '{panel['title']}' is wider than the page")
        outcome.confirm(not cells & taken, f"panel '{panel['title']}' lies on another")
        taken |= cells
    numbers = [panel["id"] for panel in panels]
    outcome.confirm(len(set(numbers)) == len(numbers), "two panels have one number")


def check_planted(prometheus, outcome):
    """Mistakes are found at all."""
    try:
        prometheus.query("rate(apus_messages_received_total)")
        outcome.confirm(False, "a planted mistake is evaluated")
    except ValueError:
        outcome.confirm(True, "")
    outcome.confirm(not prometheus.query("apus_planted"), "a metric that is not there has samples")


def check(path, rules, target, outcome):
    scraped = _get(f"http://{target}/metrics")
    with tempfile.TemporaryDirectory() as folder, Prometheus(folder, target, rules) as prometheus:
        if not outcome.confirm(prometheus.wait_for_scrapes(_SCRAPES), f"no scrape of {target}: {prometheus.said()}"):
            return
        check_panels(prometheus, json.loads(path.read_text(encoding="utf-8")), scraped, outcome)
        check_rules(prometheus, scraped, outcome)
        check_planted(prometheus, outcome)


def main():
    outcome = report.Report("check-monitoring")
    path, rules = map(pathlib.Path, sys.argv[1:3])
    check_drawing(path, outcome)
    if len(sys.argv) > 3:
        check_contract(_get(f"http://{sys.argv[3]}/metrics"), sys.argv[4:] == ["relay"], outcome)
        check(path, rules, sys.argv[3], outcome)
    else:
        with exposition.StandIn() as stand_in:
            check(path, rules, stand_in.address, outcome)
    outcome.end()


if __name__ == "__main__":
    main()

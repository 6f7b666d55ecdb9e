"""`testssl.sh` against Apus' TLS listener: nothing above LOW, but for what is listed here with its reason."""

import json
import shutil
import subprocess

from .rig import Failed, Skipped, address_text, environment, require

SCAN_SECONDS_MAX = 480
SEVERE = {"MEDIUM", "HIGH", "CRITICAL", "WARN", "FATAL"}

# Finding → why it is none of the listener's.
ALLOWED = {
    "cert_revocation": "an authority made for one run publishes no revocations",
    "engine_problem": "tells of the scanner's own openssl, which has no GOST ciphers",
}


def play(report, apus, certificates):
    report.play_group("testssl.sh", lambda: _play(report, apus, certificates))


def _play(report, apus, certificates):
    command = shutil.which("testssl") or shutil.which("testssl.sh")
    if command is None:
        raise Skipped("testssl.sh is not installed: run with --prepare")
    arguments = ("--tls-certificate", certificates.path("server"), "--tls-key", certificates.key("server"))
    with apus.serve("--security", "tls", *arguments) as served:
        report.play("testssl.sh", lambda: _scan(command, served.address, certificates))


def _scan(command, address, certificates):
    found = certificates.folder / "testssl.json"
    scan = subprocess.Popen(
        [command, "--quiet", "--warnings", "batch", "--color", "0", "--nodns", "none", "--add-ca",
         certificates.path("ca"), "--connect-timeout", "10", "--openssl-timeout", "10", "--jsonfile", str(found),
         address_text(address)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment(), text=True)
    try:
        said, _ = scan.communicate(timeout=SCAN_SECONDS_MAX)
    except subprocess.TimeoutExpired as error:
        scan.kill()
        scan.communicate()
        raise Failed(f"the scan has not ended after {SCAN_SECONDS_MAX} s") from error
    require(found.exists(), f"the scan wrote nothing: {said[-400:]}")
    _judge(json.loads(found.read_text()))


def _judge(findings):
    severe = [finding for finding in findings if finding["severity"] in SEVERE]
    for finding in severe:
        if (reason := _reason(finding)) is not None:
            print(f"         allowed: {_text(finding)} ({reason})")
    left = [_text(finding) for finding in severe if _reason(finding) is None]
    require(len(findings) > 50, f"only {len(findings)} findings: the scan did not get far")
    require(not left, "; ".join(left))


def _reason(finding):
    return ALLOWED.get(finding["id"].split()[0])


def _text(finding):
    return f"{finding['severity']} {finding['id']}: {finding['finding']}"

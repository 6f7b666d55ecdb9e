"""What became of a run: one JSON line, and the exit code that says whether it was what was asked for."""

import dataclasses
import json

from .compression import CompressionViolation
from .connection import PeerEnded, TimedOut
from .handshake import Refusal
from .sealing import SealViolation
from .wire import WireViolation

ESTABLISHED, REFUSED, SILENT, BROKEN = "established", "refused", "silent", "broken"


@dataclasses.dataclass
class Outcome:
    """`outcome`: established = all that was asked for was done and answered; refused = a side ended it for a reason;
    silent = a wait ran out; broken = the peer ended it before the misbehaviour that was asked for."""

    role: str
    outcome: str = BROKEN
    stage: str = "connect"  # then handshake, session, misbehaviour, farewell
    established: bool = False  # the peer has shown that it holds the session's key
    authenticated: bool = False
    v1: bool = True
    compression: str = None
    peer_identity: str = None
    echoes: int = 0  # verified as a client, answered as a server
    ended_by: str = None  # us or peer
    reason: str = ""

    def line(self):
        return json.dumps(dataclasses.asdict(self))

    def learn(self, session):
        self.authenticated, self.v1 = session.is_authenticated, session.is_v1
        self.compression = session.compression
        self.peer_identity = session.peer_identity and session.peer_identity.hex()


def conduct(outcome, run, misbehaves_in_session=False):
    """Runs and fills in how it ended."""
    try:
        run()
        outcome.outcome = ESTABLISHED
    except (Refusal, WireViolation, SealViolation, CompressionViolation) as violation:
        outcome.outcome, outcome.ended_by, outcome.reason = REFUSED, "us", str(violation)
    except PeerEnded as end:
        outcome.outcome, outcome.ended_by = REFUSED, "peer"
        outcome.reason = f"the peer {end} the connection in stage '{outcome.stage}'"
        outcome.reason = outcome.reason.replace("peer reset", "peer has reset")
    except TimedOut as timeout:
        outcome.outcome, outcome.ended_by, outcome.reason = SILENT, "us", f"{timeout} in stage '{outcome.stage}'"
    if misbehaves_in_session and outcome.outcome == REFUSED and outcome.stage in ("connect", "handshake", "session"):
        outcome.outcome = BROKEN
    return outcome

"""The public types for functions and classes that DEVICES names by import path."""

from .core.clients.client import Client, Label
from .core.keys.key import Key
from .core.keys.sources import KeySource
from .core.risk.rules import Login, Past, Reason
from .core.second_factor import SecondFactor
from .core.sessions.policy import SessionPolicy
from .models import KeyState
from .web.cookie import Proof, proof_by_backend

__all__ = [
    "Client",
    "Key",
    "KeySource",
    "KeyState",
    "Label",
    "Login",
    "Past",
    "Proof",
    "Reason",
    "SecondFactor",
    "SessionPolicy",
    "proof_by_backend",
]

"""A Namely that can be put into every state: many sites and tokens, over TLS, on loopback."""

from simulator.behaviours import BEHAVIOURS
from simulator.catalogue import Credential
from simulator.simulator import Simulator
from simulator.world import Request, UnknownNameError

__all__ = ["BEHAVIOURS", "Credential", "Request", "Simulator", "UnknownNameError"]

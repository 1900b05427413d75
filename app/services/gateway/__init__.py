"""The gateway: the one way from the agent to the model."""

from app.services.gateway.base import Door, Gateway, Ledger
from app.services.gateway.factory import get_gateway, make_gateway
from app.services.gateway.forgetful import Forgetful

__all__ = ["Door", "Forgetful", "Gateway", "Ledger", "get_gateway", "make_gateway"]

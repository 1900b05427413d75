"""Picks the gateway: to the Messages API, to Bedrock, or its stand-in where the settings say so."""

from functools import lru_cache

from app.config import Settings, get_settings
from app.services.gateway.base import Gateway, Ledger
from app.services.gateway.bedrock import Bedrock
from app.services.gateway.client import GatewayClient
from app.services.gateway.mock_client import MockGateway
from app.services.gateway.till import Ceilings


def make_gateway(settings: Settings, *, ledger: Ledger) -> Gateway:
    """The gateway as the settings want it."""
    if settings.offline:
        return MockGateway()
    api, base_url = None, settings.anthropic_base_url
    if settings.claude_code_use_bedrock:
        api = Bedrock(region=settings.aws_region, model=settings.claude_model)
        base_url = settings.anthropic_bedrock_base_url
    return GatewayClient(
        api=api,
        base_url=base_url,
        credential=settings.claude_credential_now,
        ledger=ledger,
        patience_s=settings.claude_patience_s,
        ceilings=Ceilings(ticket_usd=settings.max_cost_usd_per_ticket, day_usd=settings.max_cost_usd_per_day),
    )


@lru_cache
def get_gateway(*, ledger: Ledger) -> Gateway:
    """The gateway of this process."""
    return make_gateway(get_settings(), ledger=ledger)

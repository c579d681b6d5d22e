"""What is configured of one HubSpot account."""

from dataclasses import dataclass

from notifier.model import RateLimit
from notifier.secret import Secret

DEFAULT_BASE_URL = "https://api.hubapi.com"
DEFAULT_API_VERSION = "v3"
DEFAULT_RATE_LIMIT = RateLimit(100, 10.0)  # HubSpot's lowest tier, per app: Free and Starter


@dataclass(frozen=True, slots=True)
class Account:
    """One HubSpot account (portal)."""

    name: str
    token: Secret
    base_url: str = DEFAULT_BASE_URL
    api_version: str = DEFAULT_API_VERSION  # "v3", or a dated one: "2026-03"
    rate_limit: RateLimit = DEFAULT_RATE_LIMIT

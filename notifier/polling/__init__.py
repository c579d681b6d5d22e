"""When to ask HubSpot, and what was seen."""

"""How HubSpot is asked, and what its answers mean."""

"""How events reach callbacks: claim, attempt, verdict."""

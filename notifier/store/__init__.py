"""What is remembered: one contract, a backend per database."""

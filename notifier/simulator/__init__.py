"""A HubSpot that behaves over time, with faults, and a receiver that verifies signatures; both on real sockets."""

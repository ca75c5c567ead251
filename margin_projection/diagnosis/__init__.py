"""Which guarantees hold for a given network, and what to change."""

"""Commands about this machine: lock, token, simulator."""

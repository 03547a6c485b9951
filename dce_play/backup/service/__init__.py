"""The service whose data are backed up: its container, its health, how it is held still, and the hooks around it."""

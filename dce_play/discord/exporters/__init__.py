"""Programs that fetch messages, behind the Exporter protocol."""

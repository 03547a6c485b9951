"""Archives of Discord: exporters, scrapes, the archive core, targets, tokens, the simulator."""

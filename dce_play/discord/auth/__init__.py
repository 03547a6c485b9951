"""Where the Discord token comes from."""

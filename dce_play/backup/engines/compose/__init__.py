"""A compose project: its folder as one archive, its configuration and images recorded."""

"""Loops whose items are runs of their own: what an item is given and gives, where it runs, and what its run tells."""

"""Shipping episodes: what sender and receiver share, and the sending side."""

"""Meilisearch: the engine's own dump, opened and counted."""

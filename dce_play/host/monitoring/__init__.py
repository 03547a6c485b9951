"""Telling monitors how runs go."""

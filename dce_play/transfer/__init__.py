"""Shipping episodes from lab hosts to a receiver: cores without YAML, playbooks or a terminal."""

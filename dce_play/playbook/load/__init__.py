"""Playbooks with all they include, their params and their schema."""

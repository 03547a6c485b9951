"""Playbooks and roles as the language has them: grammar, model, parser."""

"""Expressions and params evaluated while a run goes on."""

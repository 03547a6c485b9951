"""A declarative runner for operators who keep archives growing."""

"""Steps for media."""

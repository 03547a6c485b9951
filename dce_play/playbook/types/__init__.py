"""The types of the language, and values turned into them."""

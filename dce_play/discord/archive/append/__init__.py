"""A delta goes into a channel file, and nothing is lost whenever that stops."""

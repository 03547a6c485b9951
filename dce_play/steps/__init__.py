"""The step plugins, and the table that names them all."""

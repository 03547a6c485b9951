"""Class A: a whole PostgreSQL cluster as one logical dump, with its rows counted."""

"""The targets file: what is archived, and where it goes."""

"""The text of a dump: its pieces, the names in it, what it holds, and what is changed in it as it is loaded."""

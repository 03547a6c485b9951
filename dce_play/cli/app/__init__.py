"""The command line's frame: the top, lazy groups, and what several commands share."""

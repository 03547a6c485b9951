"""What there is to back up: modules, classes, and how they are read."""

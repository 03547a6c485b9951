"""Taking one backup: the pipeline, hooks, verification, and what is told of it."""

"""Items of loops as runs of their own: where a run sends them, and the process that runs them."""

"""Pages for a browser: one a run, one of how things stand. Each is one file that needs no other, and no scripts."""

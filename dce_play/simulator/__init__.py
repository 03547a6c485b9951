"""A Discord on loopback, for rehearsals and tests."""

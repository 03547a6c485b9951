"""A simulated Discord: real HTTP on loopback, for rehearsals and tests. See ``simulator.server``."""

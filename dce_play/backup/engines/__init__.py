"""One package an engine, behind one protocol; engines do not know each other."""

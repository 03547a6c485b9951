"""What earlier runs and the archives themselves tell of the past: nights, growth, and how things stand now."""

"""The lock of an archive root, as the operators' scripts know it."""

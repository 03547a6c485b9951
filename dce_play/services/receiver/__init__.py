"""The receiver: HTTP in front of the store, the index and the version gate."""

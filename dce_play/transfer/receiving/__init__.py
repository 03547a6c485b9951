"""The receiving side: where episodes are kept, who may send them, and which code they must come from."""

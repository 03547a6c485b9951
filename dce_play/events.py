"""What a run says, in order, once. Every renderer and the report fold the same events."""

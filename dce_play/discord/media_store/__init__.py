"""The bytes of media beside the channel files: which URL has which, where they lie, and whether they are sound."""

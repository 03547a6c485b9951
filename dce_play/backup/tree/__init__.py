"""Folders as tar streams: written, read back, and restored; what every engine that archives data rests on."""

"""What we write down beside channel files: cursors, journals, edits, append lines."""

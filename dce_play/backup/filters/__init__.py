"""What stands between a stream and the stored file: compression and encryption, behind one protocol."""

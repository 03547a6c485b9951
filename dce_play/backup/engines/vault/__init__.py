"""Vault and OpenBao: raft snapshots, checked while they come in."""

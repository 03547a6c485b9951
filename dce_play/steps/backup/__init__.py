"""Steps that take, demand, verify, drill, prune and audit backups of modules."""

"""The doctor: what is wrong on this machine, one line a problem, with the command that cures it."""

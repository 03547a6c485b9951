"""Commands for those who write playbooks."""

"""A playbook bound to steps: what will run, in order."""

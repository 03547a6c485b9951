"""The cron block that runs a playbook."""

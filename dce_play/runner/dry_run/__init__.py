"""What holds a dry run to its word: nothing is changed, in any thread and by any program."""

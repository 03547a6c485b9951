"""The top of the command line: the only place that turns errors into words and exit codes."""


def main() -> None:
    """Run the command line."""

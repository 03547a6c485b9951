"""Events and problems as text, JSON lines and reports."""

"""What shipping costs, beside the shell's tools: one module for each kind of row."""

"""Programs: starting them, following them, ending them with all they started."""

"""One channel file from several; files brought into one layout."""

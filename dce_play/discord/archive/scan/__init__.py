"""The bytes of a channel file: header, messages, trailer, and how they are found."""

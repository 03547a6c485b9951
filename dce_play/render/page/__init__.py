"""A run as one page for a screen: its lines, their widths, its blocks and its end."""

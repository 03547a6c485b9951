"""What makes pages and manuals from the code, for `inv docs`; no part of the wheel."""

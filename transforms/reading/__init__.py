"""Take units of sources; give blocks of their valid rows, and the texts at chosen places."""

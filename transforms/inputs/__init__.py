"""Which files a source has, their bytes, and where rows stand in them."""

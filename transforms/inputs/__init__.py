"""Take the files, globs and folders of sources; give checked, decompressed bytes and row places."""

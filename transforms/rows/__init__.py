"""Take Arrow batches of rows; give field values, texts, filter results and blocks of valid rows."""

"""The parts of a row: fields, texts, filters, and blocks of valid rows."""

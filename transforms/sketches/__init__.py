"""What is kept of each document, so that later stages need no text."""

"""Shapes of distributed work that every stage is made of."""

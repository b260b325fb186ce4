"""Tables that the rooms of `transforms` read."""

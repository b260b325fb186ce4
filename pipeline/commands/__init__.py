"""Commands, one module each, for Python and the command line alike."""

"""One module for each command: what it does, from Python and the command line alike."""

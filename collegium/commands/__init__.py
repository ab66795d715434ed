"""What the commands of the command line do; :mod:`collegium.cli` says how they are called."""

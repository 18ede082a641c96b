"""One module for each framework, each with the same three applications."""

"""AWS: one module for each service that is called."""

"""What the product takes: time, calls, units. A command prints it; tests hold what is exact."""

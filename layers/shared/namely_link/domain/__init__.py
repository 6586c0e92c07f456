"""The product in the standard library: values, what may happen to an account, and verdicts."""

"""What comes over HTTP, and what goes back."""

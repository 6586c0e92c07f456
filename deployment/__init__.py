"""Takes namely-link to AWS, and works with what is deployed there."""

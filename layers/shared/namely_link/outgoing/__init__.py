"""What the HTTPS that goes out is made of, and the webhook."""

"""namely-link: finds out whether a Namely credential works before keeping it."""

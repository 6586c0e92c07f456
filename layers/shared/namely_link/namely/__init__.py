"""Namely over HTTPS."""

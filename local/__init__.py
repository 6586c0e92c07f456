"""Runs the real template on this machine: an emulated AWS and a simulated Namely."""

"""Drawings: one style, one function for each picture, numbers in and Axes out."""

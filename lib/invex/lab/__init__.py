"""Runs, records, profiles and provenance; knows no mathematics."""

"""Whole onboarding runs on a real Temporal server: ours beside workflows that somebody wrote by hand for this one process."""

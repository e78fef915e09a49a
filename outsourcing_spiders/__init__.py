"""Collect freelance and outsourcing projects from many platforms into one PostgreSQL database."""

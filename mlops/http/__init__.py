"""What the HTTP services of the toolkit share. Needs FastAPI."""

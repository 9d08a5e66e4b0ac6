"""``mlops …``: the commands of whoever operates models."""

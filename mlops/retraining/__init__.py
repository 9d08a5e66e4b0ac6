"""From the need to train a model anew to a better one in production: needs, jobs, schedule."""

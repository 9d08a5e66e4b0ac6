"""The toolkit under Recipe Recommender: it operates models of any project, and knows nothing of recipes."""

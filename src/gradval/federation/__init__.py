"""Sites that train together: who holds what, what they publish, what they are worth."""

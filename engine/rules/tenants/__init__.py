"""A tenant that carries a rollout by itself: its rings and policies, and the requests that steer it. Pure."""

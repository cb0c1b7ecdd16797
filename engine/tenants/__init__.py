"""Systems that carry a rollout by policy: pull, deliver, follow."""

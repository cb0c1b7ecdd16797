"""Pure decisions by subject: readiness/ rollout/ plans/ failures/ helpdesk/ tenants/ evidence/ findings/."""

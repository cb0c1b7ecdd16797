"""What tenants have told and were asked for: devices and groups, rings and policies, requests and their outcomes."""

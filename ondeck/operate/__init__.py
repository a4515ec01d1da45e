"""The one road of every change: request, plan, guard, confirm, job, events, outcome, record."""

"""Reading Linux hosts over any link: logs, journal, figures, units, changes."""

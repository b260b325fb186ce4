"""Style and scripts of report.html."""

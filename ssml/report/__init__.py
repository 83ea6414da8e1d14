"""From result tables to the summary, the claims and the page."""

"""Orders: sending them to the API, and reading, exporting, importing and redriving what the table holds."""

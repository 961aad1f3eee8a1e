"""What happens in a stack at this moment: its counts, rates, newest orders and alarms."""

"""Stands up, proves, runs and removes a serverless order-notification system on AWS."""

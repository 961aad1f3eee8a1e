"""What each part of the code may call, and the IAM policies written from it."""

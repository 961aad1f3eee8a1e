"""What the Lambda function is made of: shipped in its zip, standard library only, few and late imports."""

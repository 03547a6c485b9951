"""Steps that steer a run: assertions, questions, reports."""

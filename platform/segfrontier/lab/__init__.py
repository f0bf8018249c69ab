"""The bench that a method works at: buy, train, label, score."""

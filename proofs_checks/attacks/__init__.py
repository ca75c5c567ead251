"""What is done to a statement to break it; each attack reports what it did and how far it got."""

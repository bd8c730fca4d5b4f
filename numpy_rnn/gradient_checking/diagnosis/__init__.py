"""What kind of mistake explains a wrong gradient."""

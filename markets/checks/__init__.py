"""What looks wrong in price files: one module per thing that is looked at."""

"""What documents are made of: what a page shows, its sections, tables and files."""

"""What drives `apus top`."""

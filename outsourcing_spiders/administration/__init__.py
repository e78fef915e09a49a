"""What an operator does besides crawling: look after the database, the platforms and a server."""

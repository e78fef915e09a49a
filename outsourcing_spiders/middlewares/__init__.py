"""What happens to a request or a page on its way between the platform and the spider."""

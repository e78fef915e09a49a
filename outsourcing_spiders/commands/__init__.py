"""What ``scrapy`` can do in this project beside its own commands."""

"""Pure functions that read texts, times and amounts; no Scrapy here."""

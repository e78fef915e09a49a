"""The database: tables, connections, bulk writing; asyncio and SQLAlchemy, no Scrapy here."""

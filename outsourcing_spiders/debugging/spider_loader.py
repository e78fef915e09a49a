"""The spiders of the project where one of them cannot be imported: the others can be looked at all the same."""

from __future__ import annotations

from importlib import import_module
from pkgutil import walk_packages
from typing import Any

from scrapy.settings import BaseSettings
from scrapy.spiderloader import SpiderLoader

from outsourcing_spiders.outcomes import told


class TolerantSpiderLoader(SpiderLoader):
    """Load each module of spiders by itself, and keep why one could not be."""

    def __init__(self, settings: BaseSettings) -> None:
        self.broken: dict[str, str] = {}
        """Why a module cannot be imported, by its last name, which is its spider's."""
        super().__init__(settings)

    def _load_all_spiders(self) -> None:
        for name in self.spider_modules:
            package: Any = import_module(name)
            self._load_spiders(package)
            for found in walk_packages(getattr(package, "__path__", ()), f"{name}.", onerror=lambda _: None):
                try:
                    module = import_module(found.name)
                except SyntaxError as error:
                    # It says itself where it is.
                    self.broken[found.name.rpartition(".")[2]] = f"{type(error).__name__}: {error}"
                except Exception as error:
                    self.broken[found.name.rpartition(".")[2]] = told(error)
                else:
                    self._load_spiders(module)
        self._check_name_duplicates()

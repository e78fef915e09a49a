"""One spelling for each skill, whichever platform names it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from outsourcing_spiders.parsing.text import clean_line, drop_unstorable

_CANONICAL = (
    "AngularJS",
    "ASP.NET",
    "AutoCAD",
    "AWS",
    "C",
    "C#",
    "C++",
    "CSS",
    "Django",
    "Docker",
    "Elasticsearch",
    "Express.js",
    "FastAPI",
    "Figma",
    "Flask",
    "Flutter",
    "Git",
    "GitHub",
    "Go",
    "GraphQL",
    "HTML",
    "iOS",
    "Java",
    "JavaScript",
    "jQuery",
    "Kotlin",
    "Kubernetes",
    "Laravel",
    "Linux",
    "Machine Learning",
    "MATLAB",
    "MongoDB",
    "MySQL",
    "Next.js",
    "Node.js",
    "Objective-C",
    "PHP",
    "PostgreSQL",
    "Python",
    "PyTorch",
    "React",
    "React Native",
    "Redis",
    "Ruby",
    "Ruby on Rails",
    "Rust",
    "SEO",
    "Shopify",
    "SQL",
    "Swift",
    "TensorFlow",
    "Three.js",
    "TypeScript",
    "UI Design",
    "UX Design",
    "Vue.js",
    "WooCommerce",
    "WordPress",
)
_SYNONYMS = {
    "amazon web services": "AWS",
    "angular.js": "AngularJS",
    "cplusplus": "C++",
    "c sharp": "C#",
    "expressjs": "Express.js",
    "golang": "Go",
    "html5": "HTML",
    "css3": "CSS",
    "js": "JavaScript",
    "k8s": "Kubernetes",
    "node": "Node.js",
    "postgres": "PostgreSQL",
    "rails": "Ruby on Rails",
    "react.js": "React",
    "search engine optimization": "SEO",
    "search engine optimisation": "SEO",
    "user interface design": "UI Design",
    "user experience design": "UX Design",
    "vue": "Vue.js",
}
# A longer name is a sentence; an index takes no text of more than some 2,700 bytes.
_LONGEST = 200
# "+" and "#" tell C, C++ and C# apart; every other sign and blank is a matter of spelling.
_SPELLING = re.compile(r"[^\w+#]+")


def _key(name: str) -> str:
    return _SPELLING.sub("", name.casefold()).replace("_", "")


_BY_KEY = {_key(name): name for name in _CANONICAL} | {_key(name): to for name, to in _SYNONYMS.items()}


@lru_cache(maxsize=8192)
def canonical_skill(name: str) -> str:
    """Return the canonical spelling of one skill; a name that is not known stays, cleaned; it may be ''.

    A very long name is cut.
    """
    cleaned = clean_line(drop_unstorable(name))[:_LONGEST].rstrip()
    return _BY_KEY.get(_key(cleaned), cleaned)


def canonical_skills(names: Iterable[str]) -> list[str]:
    """Return the canonical names in their order, each once, empty ones left out."""
    return [name for name in dict.fromkeys(map(canonical_skill, names)) if name]

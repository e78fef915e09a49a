from setuptools import setup

# Bytecode in a zip is never read where it would be put: an egg without it is half as large.
setup(options={"install_lib": {"compile": "0"}})

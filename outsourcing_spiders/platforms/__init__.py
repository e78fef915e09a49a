"""What spiders inherit, named by how a platform is read."""

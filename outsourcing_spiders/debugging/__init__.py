"""What a developer looks at pages with: fixtures, contracts, differences."""

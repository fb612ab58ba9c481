"""Pictures and office documents for exports and previews."""

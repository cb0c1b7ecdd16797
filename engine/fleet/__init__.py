"""How devices and catalogs come in, how they age; the demo's fleet."""
